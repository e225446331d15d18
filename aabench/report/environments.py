"""The environments that the rows of a log come from, by letter."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pandas as pd

from aabench.record import Measurement
from aabench.report.markdown import table
from aabench.report.numbers import MISSING


class Environments:
    """The distinct environments in the order of the log: A, B, ... AA."""

    def __init__(self, rows: Sequence[Measurement]) -> None:
        keys = [json.dumps(row.environment, sort_keys=True) for row in rows]
        names = {key: _letter(number) for number, key in enumerate(dict.fromkeys(keys))}
        self.of_rows = tuple(names[key] for key in keys)
        """The letter of each row's environment."""
        self._known = {names[key]: row.environment for key, row in zip(keys, rows, strict=True)}

    def lines(self) -> list[str]:
        """The section of the report: one column an environment."""
        facts = list(dict.fromkeys(key for environment in self._known.values() for key in environment))
        frame = pd.DataFrame({"": ["rows of the log", *facts]})
        for name, environment in self._known.items():
            values = [environment.get(fact) for fact in facts]
            frame[name] = [self.of_rows.count(name), *(MISSING if value is None else value for value in values)]
        return [
            "## Environments",
            "",
            "What the rows of the log were measured with. Counts do not depend on it, times and memory do.",
            "",
            *table(frame.astype(object)),
        ]


def _letter(number: int) -> str:
    higher, rest = divmod(number, 26)
    return (_letter(higher - 1) if higher else "") + chr(ord("A") + rest)
