"""``aabench audit``: what it prints and how it ends."""

import json
import sys

import pytest

from aabench.audit import load_adapter
from aabench.audit.examine import examine
from aabench.audit.finding import Finding, Report
from tests.audit.test_process import HERE
from tests.cli.run import aabench

ADAPTER = ("--adapter", str(HERE / "adapters" / "plain.toml"))


def test_without_trust_nothing_is_run(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", sys.path.copy())
    target = tmp_path / "layer.py"
    target.write_text(f"import pathlib\npathlib.Path({str(tmp_path / 'ran')!r}).touch()\n")
    assert aabench("audit", f"{target}:Layer", *ADAPTER) == 2
    assert "runs the code of" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()
    examine(f"{target}:Layer", load_adapter(HERE / "adapters" / "plain.toml"), lambda _: None)
    assert (tmp_path / "ran").exists()


def test_a_wrong_layer(capsys):
    assert aabench("audit", "tests.audit.wrong:ReshapedOutput", *ADAPTER, "--trust") == 1
    out = capsys.readouterr().out
    assert "output reshaped without" in out
    assert out.endswith("tests.audit.wrong:ReshapedOutput: differs from the paper: output-scrambled\n")


def test_a_failed_check_without_a_fault_of_its_own_is_no_conformity(capsys, monkeypatch):
    found = Finding(check="parameter count", status="fail", reason="too few")
    report = Report(target="a:B", findings=(found, Finding(check="repeatability", status="pass", reason="same")))
    monkeypatch.setattr("aabench.audit.audit", lambda *_, **__: report)
    assert aabench("audit", "a:B", *ADAPTER, "--trust") == 1
    assert capsys.readouterr().out.endswith("a:B: fails: parameter count\n")


def test_json(capsys):
    assert aabench("audit", "tests.audit.right:Plain", *ADAPTER, "--trust", "--json") == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["differences"], content["obstacle"], content["exit_code"]) == ([], None, 0)
    assert {finding["status"] for finding in content["findings"]} == {"pass"}


def test_no_adapter_is_said_in_one_line(capsys):
    assert aabench("audit", "tests.audit.right:Plain", "--trust") == 3
    assert capsys.readouterr().out.startswith("tests.audit.right:Plain: could not be audited: no adapter")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["layer.py"], "target is module:Class or path/to/file.py:Class, not 'layer.py'"),
        (["layer.py:"], "target is module:Class"),
        (["a:B", "--trust", "--adapter", "none.toml"], "adapter none.toml cannot be read"),
        (["a:B", "--trust", "--timeout", "0"], "timeout must be above 0 and at most 86400 seconds, a day; got 0"),
        (["a:B", "--trust", "--timeout", "nan"], "seconds, a day; got nan"),
        (["a:B", "--trust", "--timeout", "inf"], "seconds, a day; got inf"),
        (["a:B", "--trust", "--timeout", "1e12"], "seconds, a day; got 1e+12"),
    ],
)
def test_wrong_usage(capsys, arguments, says):
    assert aabench("audit", *arguments) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
