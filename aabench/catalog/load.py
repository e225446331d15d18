"""From ``tasks/*/*.toml`` to a catalog: every fault of every file is found in one pass.

A file may hold one ``[paper]``, and any number of ``[[recipe]]``, ``[[task]]``, ``[[search]]``, ``[[sweep]]``,
``[[protocol]]`` and ``[[claim]]``. What the tasks (or the recipes) of a file have in common stands once in
``[defaults]`` and ``[source]``, what its claims share in ``[table]``.
A ``[[claim]]`` is one row of the table: ``values`` holds one printed number a metric, or the word ``unspecified`` where
the paper claims a number that no sheet gives. Where it names no task, it is a claim on each of the table's ``tasks``. A
claim on a protocol becomes two: for runs as the tasks are defined, and for those of the scaled-down setting.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from aabench.catalog.catalog import Catalog
from aabench.catalog.claim_row import ClaimRow, Table, claims
from aabench.catalog.protocol import METRICS, Protocol
from aabench.catalog.recipe import Recipe
from aabench.catalog.schema import UNITS_OF, Claim, Frozen, Paper, Task
from aabench.catalog.search import SchemeSearch
from aabench.catalog.sweep import Sweep
from aabench.errors import AABenchError

_PACKAGE = Path(__file__).resolve().parents[1]


class Fault(Frozen):
    """Something wrong in a task file."""

    file: str
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.message}"


def tasks_folder() -> Path:
    """Where the task files lie: in the installed package, or in the repository beside it."""
    inside = _PACKAGE / "_tasks"
    return inside if inside.is_dir() else _PACKAGE.parent / "tasks"


@cache
def load_catalog(folder: Path | None = None) -> Catalog:
    """Read all task files.

    Raises:
        AABenchError: some file has a fault; the message names the first one and how many there are.
    """
    catalog, faults = read_catalog(folder or tasks_folder())
    if faults:
        more = f" (and {len(faults) - 1} more: `aabench validate` lists them)" if len(faults) > 1 else ""
        raise AABenchError(f"{faults[0]}{more}")
    return catalog


def read_catalog(folder: Path) -> tuple[Catalog, list[Fault]]:
    """All that could be read, and all faults. The catalog is whole only if there are none."""
    files = sorted(folder.glob("*/*.toml"))
    reader = _Reader()
    if not files:
        reader.fault(str(folder), "-", "no task file (*/*.toml) here")
    for file in files:
        reader.read(file, file.relative_to(folder).as_posix())
    reader.check_references()
    return reader.catalog(), reader.faults


_Record = TypeVar("_Record", bound=BaseModel)


class _Kept(Generic[_Record]):
    """Records of one kind by name, and where each came from."""

    def __init__(self) -> None:
        self.records: dict[str, _Record] = {}
        self.place: dict[str, tuple[str, str]] = {}


class _Reader:
    """Gathers records and faults over the files."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.papers: _Kept[Paper] = _Kept()
        self.recipes: _Kept[Recipe] = _Kept()
        self.tasks: _Kept[Task] = _Kept()
        self.searches: _Kept[SchemeSearch] = _Kept()
        self.sweeps: _Kept[Sweep] = _Kept()
        self.protocols: _Kept[Protocol] = _Kept()
        self.claims: _Kept[Claim] = _Kept()

    def fault(self, file: str, key: str, message: str) -> None:
        self.faults.append(Fault(file=file, key=key, message=message))

    def catalog(self) -> Catalog:
        return Catalog(
            papers=self.papers.records,
            recipes=self.recipes.records,
            tasks=self.tasks.records,
            searches=self.searches.records,
            sweeps=self.sweeps.records,
            protocols=self.protocols.records,
            claims=tuple(self._claims()),
        )

    def _claims(self) -> Iterator[Claim]:
        for claim in self.claims.records.values():
            yield claim
            if claim.task in self.protocols.records:
                yield self.protocols.records[claim.task].under_scaled(claim)

    def read(self, path: Path, file: str) -> None:
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            self.fault(file, "-", f"cannot be read: {error}")
            return
        known = ("paper", "recipe", "defaults", "source", "task", "search", "sweep", "protocol", "table", "claim")
        for key in content.keys() - set(known):
            self.fault(file, key, f"unknown key; a file holds {', '.join(known)}")
        paper = file.split("/")[0]
        if "paper" in content:
            self._keep(self.papers, Paper, content["paper"], file, "paper")
        shared, source = (self._mapping(content, name, file, name) for name in ("defaults", "source"))
        for key, entry in self._sourced(content, "recipe", source, file):
            self._keep(self.recipes, Recipe, {**shared, **entry}, file, key)
        for key, entry in self._sourced(content, "task", source, file):
            self._keep(self.tasks, Task, {"paper": paper, **shared, **entry}, file, key)
        for key, entry in self._sourced(content, "search", source, file):
            self._keep(self.searches, SchemeSearch, entry, file, key)
        for key, entry in self._sourced(content, "sweep", source, file):
            self._keep(self.sweeps, Sweep, entry, file, key)
        for key, entry in self._entries(content, "protocol", file):
            self._keep(self.protocols, Protocol, {"paper": paper, **entry}, file, key)
        table = self._parse(Table, content.get("table", {}), file, "table")
        for key, entry in self._entries(content, "claim", file):
            row = self._parse(ClaimRow, entry, file, key)
            if row is not None and table is not None:
                self._keep_claims(row, table, paper, file, key)

    def _entries(self, content: dict[str, Any], kind: str, file: str) -> Iterator[tuple[str, dict[str, Any]]]:
        entries = content.get(kind, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            self.fault(file, kind, f"write it as [[{kind}]], one for each")
            return
        for index, entry in enumerate(entries):
            yield f"{kind}[{entry.get('name') or entry.get('task') or index + 1}]", entry

    def _sourced(
        self, content: dict[str, Any], kind: str, source: dict[str, Any], file: str
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """The entries of a kind, whose own sources go before the file's."""
        for key, entry in self._entries(content, kind, file):
            yield key, {**entry, "source": {**source, **self._mapping(entry, "source", file, f"{key}.source")}}

    def _mapping(self, content: dict[str, Any], name: str, file: str, key: str) -> dict[str, Any]:
        found = content.get(name, {})
        if isinstance(found, dict):
            return found
        self.fault(file, key, "write it as a table")
        return {}

    def _keep_claims(self, row: ClaimRow, table: Table, paper: str, file: str, key: str) -> None:
        name, tag = row.table or table.name, row.tag or table.tag
        if name is None or tag is None:
            self.fault(file, key, "needs a table and a tag, here or in [table]")
            return
        tasks = table.tasks if row.task is None else (row.task,)
        if not tasks:
            self.fault(file, key, "needs a task, here, or tasks in [table] that all its claims are on")
        if not row.values and not row.metrics:
            self.fault(file, key, "claims nothing: give values, or metrics for a claim of kind ordinal or growth")
        for content in claims(row, tasks, paper, table, name, tag):
            self._keep(self.claims, Claim, content, file, f"{key}.{content['metric']}", name_key="id")

    def _parse(self, kind: type[_Record], content: Any, file: str, key: str) -> _Record | None:
        try:
            return kind.model_validate(content)
        except ValidationError as error:
            for item in error.errors():
                inner = ".".join([key, *(str(part) for part in item["loc"])])
                self.fault(file, inner, _in_plain_words(item["type"], item["msg"], kind))
            return None

    def _keep(
        self, kept: _Kept[_Record], kind: type[_Record], content: Any, file: str, key: str, name_key: str = "name"
    ) -> None:
        record = self._parse(kind, content, file, key)
        if record is None:
            return
        name = getattr(record, name_key)
        if name in kept.records:
            first = " ".join(kept.place[name])
            self.fault(file, key, f"duplicate name {name!r}: it is taken by {first}")
            return
        kept.records[name] = record
        kept.place[name] = (file, key)

    def check_references(self) -> None:
        for name, task in self.tasks.records.items():
            file, key = self.tasks.place[name]
            self._check(file, f"{key}.paper", "paper", task.paper, self.papers.records)
            self._check(file, f"{key}.recipe", "recipe", task.recipe, self.recipes.records)
            self._check(file, f"{key}.search", "search", task.search, self.searches.records)
            self._check(file, f"{key}.backbone", "task", task.backbone, self.tasks.records)
            self._check_recipe(task, file, key)
        for name, search in self.searches.records.items():
            file, key = self.searches.place[name]
            self._check(file, f"{key}.supernet", "recipe", search.supernet, self.recipes.records)
        for name, claim in self.claims.records.items():
            file, key = self.claims.place[name]
            known = {**self.tasks.records, **self.protocols.records}
            self._check(file, f"{key}.task", "task", claim.task, known)
            self._check(file, f"{key}.baseline", "task", claim.baseline, self.tasks.records)
            self._check(file, f"{key}.sweep", "sweep", claim.sweep, self.sweeps.records)
            self._check_sides(file, key, claim)
            self._check_claim(claim, file, key)
        for name, protocol in self.protocols.records.items():
            self._check_protocol(protocol, *self.protocols.place[name])

    def _check_recipe(self, task: Task, file: str, key: str) -> None:
        """That a detector's recipe is one of a detector."""
        recipe = self.recipes.records.get(task.recipe or "")
        if recipe is not None and (task.data == "coco") == (recipe.smoke.least_ap is None):
            what = "a detector, whose smoke run needs least_ap" if task.data == "coco" else "no detector"
            self.fault(file, f"{key}.recipe", f"{recipe.name!r} does not fit: the task is {what}")

    def _check_sides(self, file: str, key: str, claim: Claim) -> None:
        sweep = self.sweeps.records.get(claim.sweep or "")
        if sweep is None:
            return
        if claim.metric == "latency_ms" and len(sweep.sides) != 1:
            what = f"a difference in latency is at one side, and {sweep.name} has {len(sweep.sides)}"
            self.fault(file, f"{key}.sweep", what)
        if claim.kind == "growth" and len(sweep.sides) < 3:
            self.fault(file, f"{key}.sweep", f"growth is fitted over 3 sides or more; {sweep.name} has fewer")

    def _check_claim(self, claim: Claim, file: str, key: str) -> None:
        protocol = self.protocols.records.get(claim.task)
        if protocol is None:
            if claim.metric in METRICS and not UNITS_OF[claim.metric]:
                self.fault(file, key, f"{claim.metric} can be claimed of a protocol only")
            return
        if claim.kind != "ordinal":
            self.fault(file, f"{key}.kind", f"a claim on a protocol is ordinal, not {claim.kind}")
        if claim.metric not in METRICS:
            self.fault(file, key, f"a claim on a protocol is on {', '.join(METRICS)}, not {claim.metric}")
        if claim.baseline is not None and claim.baseline not in protocol.baselines:
            one_of = ", ".join(protocol.baselines)
            self.fault(file, f"{key}.baseline", f"{claim.baseline!r} is no baseline of the protocol: one of {one_of}")

    def _check_protocol(self, protocol: Protocol, file: str, key: str) -> None:
        if protocol.name in self.tasks.records:
            self.fault(file, f"{key}.name", f"{protocol.name!r} is a task's name already")
        self._check(file, f"{key}.paper", "paper", protocol.paper, self.papers.records)
        for kind in ("baselines", "candidates"):
            for name in getattr(protocol, kind):
                self._check(file, f"{key}.{kind}", "task", name, self.tasks.records)
        tasks = [self.tasks.records[name] for name in protocol.tasks if name in self.tasks.records]
        for field in ("data", "input_size", "normalisation", "recipe"):
            values = list(dict.fromkeys(str(getattr(task, field)) for task in tasks))
            if len(values) > 1:
                self.fault(file, key, f"its tasks differ in {field}: {', '.join(values)}")
        recipe = self.recipes.records.get((tasks[0].recipe or "") if tasks else "")
        if recipe is None:
            self.fault(file, key, "its tasks need a recipe: they are trained")
            return
        where = f"{key}.scaled.changes"
        changes = protocol.scaled.changes
        changed = {name: value for name, value in changes.items() if name in Recipe.settings_names()}
        self._parse(Recipe, {**recipe.model_dump(), **changed}, file, where)
        self._parse(
            Task, {**tasks[0].model_dump(), **{k: v for k, v in changes.items() if k == "input_size"}}, file, where
        )
        unset = protocol.scaled.changes_where_set.keys() - {name for task in tasks for name in task.arguments}
        if unset:
            self.fault(file, f"{where}_where_set", f"no task of it sets {', '.join(sorted(unset))}")

    def _check(self, file: str, key: str, kind: str, name: str | None, known: dict[str, Any]) -> None:
        if name is not None and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            self.fault(file, key, f"unknown {kind} {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


def _in_plain_words(error: str, message: str, kind: type[BaseModel]) -> str:
    if error == "extra_forbidden":
        return f"unknown key; a {kind.__name__.strip('_').lower()} has {', '.join(kind.model_fields)}"
    if error == "missing":
        return "missing"
    return message.removeprefix("Value error, ")
