"""The terminal's table of verdicts, which says what the report says."""

import io
import subprocess
import sys

import pytest
from rich.console import Console

from aabench.catalog import load_catalog
from aabench.cli.tables import STYLES, verdict_table
from aabench.record import Log
from aabench.verify import JUDGEMENTS, judge_all


def shown(log: Log, width: int, tasks: list[str]) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(verdict_table(judge_all(load_catalog(), log.rows, tasks)))
    return stream.getvalue()


def test_one_line_a_claim_with_its_reason(log: Log) -> None:
    header, *lines = shown(log, 160, ["aa-resnet50-share-100"]).splitlines()
    assert header.split() == ["task", "claim", "verdict", "reason"]
    flops = next(line for line in lines if "flops" in line)
    assert flops.split("  ")[0] == "aa-resnet50-share-100"
    assert "Table 6: flops 6.3 GFLOPs" in flops
    assert "contradicted" in flops
    assert "6.383 GFLOPs (counted as aa-paper)" in flops


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_narrow_terminal_loses_no_word(log: Log, width: int) -> None:
    text = shown(log, width, ["aa-resnet50-share-100"])
    assert all(len(line) <= width for line in text.splitlines())
    reason = "6.383 GFLOPs (counted as aa-paper) is outside [6.25, 6.35) GFLOPs; flops are further away"
    assert set(reason.split()) <= set(text.split())


def test_every_verdict_has_its_style() -> None:
    assert set(STYLES) == set(JUDGEMENTS)


def test_it_imports_rich_only() -> None:
    code = (
        "import sys, aabench.cli.tables; print(sorted({'torch', 'pandas', 'scipy', 'pydantic'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
