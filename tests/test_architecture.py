"""The house of DESIGN.md: arrows point one way, starting is light, and no file names one machine."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "aabench"
MODULES = sorted(PACKAGE.rglob("*.py"))

# A part may import parts of its own floor and of those below it.
FLOORS = (
    {"errors", "allocator", "cores", "parent", "places", "shard", "terms"},
    {"layers"},
    {"models", "data", "evaluate", "record", "catalog"},
    {
        *("report", "verify", "profile", "compare", "audit", "train", "search", "levels", "alter", "doctor"),
        *("reproduce", "campaign"),
    },
    {"cli"},
)
HEAVY = {"torch", "torchvision", "pandas", "scipy", "matplotlib", "numpy", "fvcore"}


def part(path: Path) -> str:
    """The folder, or the file at the top of the package, that a module belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[str]:
    """Full names of what is imported anywhere below a node."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def at_module_level(tree: ast.Module) -> Iterator[str]:
    """What importing the module imports: not what stands in a function, or is there for the type checker."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield from imported(node)


def own_parts(path: Path) -> set[str]:
    """The parts of aabench that a module imports, at whatever place."""
    names = [name.split(".") for name in imported(ast.parse(path.read_text())) if name.startswith("aabench.")]
    return {name[1] for name in names if name[1] in {p for floor in FLOORS for p in floor}}


def floor_of(name: str) -> int:
    return next(height for height, floor in enumerate(FLOORS) if name in floor)


def test_every_part_has_its_floor():
    parts = {part(path) for path in MODULES} - {"__init__"}
    assert {"cli", "catalog", "layers", "models"} <= parts <= {p for floor in FLOORS for p in floor}


def test_arrows_point_down():
    upward = [
        f"{path.relative_to(REPOSITORY)} imports {other}"
        for path in MODULES
        if part(path) != "__init__"
        for other in own_parts(path)
        if floor_of(other) > floor_of(part(path))
    ]
    assert upward == []


def test_parts_import_each_other_in_no_circle():
    arrows: dict[str, set[str]] = {}
    for path in MODULES:
        arrows.setdefault(part(path), set()).update(own_parts(path) - {part(path)})
    while free := [name for name, others in arrows.items() if not others & arrows.keys()]:
        for name in free:
            del arrows[name]
    assert arrows == {}, "what is left imports itself in a circle"


def test_layers_import_torch_only():
    foreign = {
        f"{path.name} imports {name}"
        for path in (PACKAGE / "layers").glob("*.py")
        for name in imported(ast.parse(path.read_text()))
        if name.split(".")[0] not in sys.stdlib_module_names | {"torch"} and not name.startswith("aabench.layers")
    }
    assert foreign == set()


def test_the_report_measures_nothing():
    files = list((PACKAGE / "report").glob("*.py"))
    parts = set().union(*(own_parts(path) for path in files))
    assert parts <= {"report", "verify", "record", "catalog", "errors", "profile"}
    assert parts & {"record", "verify"}, "a report is made of the log and its verdicts"
    names = {name for path in files for name in imported(ast.parse(path.read_text()))}
    of_profile = {".".join(name.split(".")[:3]) for name in names if name.startswith("aabench.profile")}
    assert of_profile == {f"aabench.profile.{name}" for name in ("conditions", "laws", "ratios", "scaling")}, (
        "rows are read, nothing is run"
    )


@pytest.mark.parametrize(
    "name",
    [
        *("catalog", "errors", "levels", "record", "verify", "report", "compare", "audit"),
        *("profile.laws", "profile.scaling", "profile.conditions", "profile.ratios"),
    ],
)
def test_no_torch_is_imported_with(name):
    code = f"import sys, aabench.{name}; print('torch' in sys.modules)"
    assert run_python(code) == "False\n"


def test_commands_import_nothing_heavy_at_module_level():
    heavy = [
        f"{path.name} imports {name}"
        for path in (PACKAGE / "cli").glob("*.py")
        for name in at_module_level(ast.parse(path.read_text()))
        if name.split(".")[0] in HEAVY
    ]
    assert heavy == []


@pytest.mark.parametrize(
    "arguments", [["--help"], ["list"], ["list", "--json"], ["reproduce", "--help"], ["audit", "--help"]]
)
def test_light_commands_stay_light(arguments):
    code = f"""
import json, sys
from aabench.cli.app import main
sys.argv = ["aabench", *{arguments}]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print()
print(json.dumps(sorted({HEAVY} & sys.modules.keys())))
"""
    assert json.loads(run_python(code).splitlines()[-1]) == []


def run_python(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def committed_texts() -> Iterator[tuple[Path, str]]:
    """The files that belong to the repository, with their text."""
    places = ("aabench", "tasks", "tests", "reports", ".ci")
    files = [path for place in places for path in (REPOSITORY / place).rglob("*")]
    files += [path for path in REPOSITORY.iterdir() if path.name != ".git"]
    for path in sorted(files):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(REPOSITORY), path.read_text(encoding="utf-8")


def test_no_file_names_one_machine():
    # Each in two halves, so that this file does not name it either.
    halves = [
        ("/", "work/"),
        ("/", "root/"),
        ("/", "home/"),
        ("/opt/", "wheels"),
        ("pypi", ".org"),
        ("pythonhosted", "."),
    ]
    named = [
        f"{path}: {text}"
        for path, content in committed_texts()
        for text in ("".join(pair) for pair in halves)
        if text in content
    ]
    assert named == []
