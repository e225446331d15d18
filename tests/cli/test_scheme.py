"""reproduce --scheme: tasks whose scheme is unspecified, and what wrong schemes get."""

import json
from pathlib import Path

import pytest

from aabench.catalog import load_catalog
from aabench.cli import profile, reproduce
from aabench.record import read
from tests.cli.run import aabench

TASK = "ean-se-resnet164"
BITS = " ".join(["100000000000000000"] * 3)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("AABENCH_DATA", "AABENCH_LOG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "log.jsonl"


@pytest.mark.parametrize("level", [[], ["--level", "structure"], ["--level", "smoke"]])
def test_without_a_scheme_it_is_blocked_and_says_how_one_is_found(log, capsys, level):
    assert aabench("reproduce", TASK, *level, "--log", str(log)) == 3
    reason = f"its scheme is unspecified; `aabench search {TASK}` finds one, and --scheme BITS takes it"
    assert capsys.readouterr().out.splitlines()[:2] == [
        f"{TASK}: blocked",
        f"  structure blocked: {TASK} is blocked: {reason}",
    ]
    (row,) = read(log).rows
    assert (row.status, row.altered) == ("blocked", {})


def test_with_a_scheme_it_is_an_altered_run(log, capsys):
    assert aabench("reproduce", TASK, "--scheme", BITS, "--level", "structure", "--log", str(log)) == 3  # no claims
    (row,) = read(log).rows
    assert (row.status, row.altered) == ("ok", {"scheme": BITS})
    assert row.settings["arguments"]["scheme"] == BITS
    assert row.number("params") == 1_738_512  # as shared: ean.md section 3
    assert f"{TASK}: level structure\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((TASK, "--scheme", "1011"), "scheme '1011' has 4 bits, and the network 54 blocks (stages of 18, 18, 18)"),
        ((TASK, "--scheme", "101"), "scheme '101' has 3 bits"),  # text, though it could be read as a number
        (("ean-se-resnet50", "--scheme", "8,0,0,0"), "8 is too large for stage 1, whose 3 blocks take 0 to 7"),
        (("ean-se-resnet50", "--scheme", "100 1011 010011"), "has 13 bits, and the network 16 blocks"),
        (("ean-dia-resnet50", "--set", "sharing=org"), "DIA has no form org"),
        (("ean-resnet50", "--scheme", "all"), "--scheme does not go with ean-resnet50, whose network has no scheme"),
        (("--all", "--scheme", "all"), "--scheme does not go with "),
        (("eaanet", "--scheme", "all"), "--scheme does not go with eaanet, a protocol"),
        ((TASK, "--scheme", BITS, "--set", "scheme=1"), "write KEY=VALUE, each key once"),
    ],
)
def test_what_wrong_schemes_get(log, capsys, arguments, message):
    level = () if "eaanet" in arguments else ("--level", "structure")
    assert aabench("reproduce", *arguments, *level, "--log", str(log)) == 2
    captured = capsys.readouterr()
    assert len([line for line in (captured.out + captured.err).splitlines() if message in line]) == 1
    assert "Traceback" not in captured.err


def test_show_says_what_stands_in_the_way(capsys):
    assert aabench("show", TASK) == 0
    assert f"  blocked its scheme is unspecified; `aabench search {TASK}` finds one" in capsys.readouterr().out


def test_the_doctor_has_one_group_for_all_without_a_scheme(log, capsys):
    aabench("doctor", "--log", str(log), "--json")
    groups = json.loads(capsys.readouterr().out)["reach"]
    (group,) = [group for group in groups if "scheme is unspecified" in (group["missing"] or "")]
    assert (group["level"], len(group["tasks"])) == (None, 16)
    assert "`aabench search TASK` finds one" in group["missing"]


def test_all_leaves_them_out():
    able = [task.name for task in load_catalog().tasks.values() if task.obstacle is None]
    assert TASK not in able
    assert "ean-se-resnet50" in able
    assert [task.name for task in profile._choose(load_catalog(), None, True)] == able
    assert reproduce._choose(load_catalog(), None, True) == able
