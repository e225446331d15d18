"""compare: exit codes, what is printed, and what wrong input gets."""

import json
from xml.etree import ElementTree

import pytest

import aabench.compare.rerun
import aabench.compare.revision
from aabench.compare import Comparison, Finding
from tests.cli.run import aabench as run
from tests.compare.logs import COUNTS, row, write

pytestmark = pytest.mark.alone


@pytest.fixture
def base(tmp_path):
    return write(tmp_path / "base.jsonl", row(), row(COUNTS, 64))


@pytest.fixture
def head(tmp_path):
    """Numbers -> the log of HEAD that has them at side 64."""
    return lambda numbers, **changes: write(
        tmp_path / "head.jsonl", row(**changes), row({**COUNTS, **numbers}, 64, **changes)
    )


def test_all_the_same(base, head, capsys):
    assert run("compare", str(base), str(head({}))) == 0
    assert capsys.readouterr().out == "no regression: 10 same\n"


def test_a_regression(base, head, capsys):
    assert run("compare", str(base), str(head({"params": 1100}))) == 1
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "regression: resnet20-cifar10, predict, train, batch 8, fp32, cpu",
        "metric at BASE HEAD change",
        "params 64 1,000 1,100 +10 %",
        "regression: 1 regression(s), 9 same",
    ]


def test_an_improvement_asks_for_a_new_baseline(base, head, capsys):
    assert run("compare", str(base), str(head({"params": 900}))) == 0
    out = capsys.readouterr().out
    assert "params" in out
    assert f"renew it to keep what is won: cp {base.parent / 'head.jsonl'} {base}" in out


def test_not_comparable(base, head, capsys):
    assert run("compare", str(base), str(head({}, environment={"torch": "2.16.0"}))) == 4
    out = " ".join(capsys.readouterr().out.split())
    assert "torch 2.15 in BASE, 2.16 in HEAD" in out
    assert "not comparable: 5 not comparable, 5 same" in out


def test_a_regression_outweighs_what_is_not_comparable(base, head):
    assert run("compare", str(base), str(head({"params": 1100}, environment={"torch": "2.16.0"}))) == 1


def test_nothing_to_judge(base, head, capsys):
    assert run("compare", str(base), str(head({})), "--task", "resnet50") == 3
    assert capsys.readouterr().out == "nothing could be judged: nothing to compare\n"


def test_only_what_is_asked_for(base, head):
    worse = str(head({"params": 1100}))
    assert run("compare", str(base), worse, "--metric", "macs", "--metric", "memory") == 0
    assert run("compare", str(base), worse, "--metric", "params") == 1


def test_json(base, head, capsys):
    assert run("compare", str(base), str(head({"params": 900})), "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["counts"] == {"improvement": 1, "same": 9}
    assert len(document["findings"]) == 10


def test_junit(base, head, tmp_path):
    file = tmp_path / "new" / "gate.xml"
    assert run("compare", str(base), str(head({"params": 1100})), "--junit", str(file)) == 1
    suite = ElementTree.parse(file).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("10", "1")


def test_github(base, head, tmp_path, monkeypatch, capsys):
    summary = tmp_path / "summary.md"
    summary.write_text("what an earlier command wrote\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert run("compare", str(base), str(head({"params": 1100})), "--github") == 1
    assert "\n::error title=regression%3A resnet20-cifar10::params at 64 " in capsys.readouterr().out
    earlier, ours = summary.read_text().split("### aabench compare: ")
    assert earlier == "what an earlier command wrote\n"
    assert "| regression | resnet20-cifar10 |" in ours


def test_a_broken_line_is_named(base, head, capsys):
    with base.open("a") as log:
        log.write('{"task": \n')
    assert run("compare", str(base), str(head({}))) == 0
    assert f"{base}, line 3 is left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "give two files, BASE and HEAD (got 0)"),
        (["{base}"], 2, "give two files, BASE and HEAD (got 1)"),
        (["{base}", "nowhere.jsonl"], 2, "cannot read nowhere.jsonl (No such file or directory)"),
        (["{base}", "{base}", "--metric", "parms"], 2, "unknown metric 'parms'; did you mean params"),
        (["{base}", "{base}", "--task", "resnet5"], 2, "unknown task 'resnet5'; did you mean resnet50"),
        (["{base}", "{base}", "--res", "64", "--mode", "train"], 2, "--res, --mode go with --rerun BASE_REV"),
        (["{base}", "{base}", "--github"], 2, "GITHUB_STEP_SUMMARY names no file here"),
        (["{base}", "{base}", "--github", "--json"], 2, "--json and --github both write to stdout"),
        (["{base}", "{base}", "--junit", "/dev/null/x"], 2, "cannot write /dev/null/x"),
        (["--rerun", "HEAD", "--metric", "params"], 2, "--metric goes with two logs, not with --rerun"),
        (["--rerun", "HEAD", "resnet5"], 2, "unknown task 'resnet5'; did you mean resnet50"),
        (["--rerun", "HEAD", "--mode", "dream"], 2, "mode is infer or forward or train, not 'dream'"),
        (["--rerun", "HEAD", "--dtype", "fp8"], 2, "dtype is fp32 or bf16 or fp16, not 'fp8'"),
        (["--rerun", "HEAD", "--res", "64..32"], 2, "the range 64..32 is reversed"),
        (["--rerun", "HEAD", "--seconds", "0"], 2, "seconds must be above 0, got 0"),
        (["--rerun", "no-such-revision"], 2, "no revision 'no-such-revision'"),
    ],
)
def test_wrong_usage(base, monkeypatch, capsys, arguments, code, message):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    assert run("compare", *(argument.format(base=base) for argument in arguments)) == code
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_logs_of_different_schema_versions(base, head, capsys):
    assert run("compare", str(base), str(head({}, schema_version=1))) == 4
    err = capsys.readouterr().err
    assert "renew the older one" in err
    assert err.count("\n") == 1


def test_rerun_runs_what_was_asked_for(monkeypatch, capsys, tmp_path):
    asked = {}

    def stand_in(repository, revision, points, *, pairs, seconds, done):
        asked.update(repository=repository, revision=revision, points=points, pairs=pairs, seconds=seconds)
        done()
        timed = {"metric": "latency_ms", "base": 1.0, "head": 2.0, "estimate": 1.0, "interval": (0.9, 1.1)}
        finding = Finding(judgement="regression", task="t", level="rerun", reason="+100 % (95 % interval ...)", **timed)
        return Comparison(base=revision, head="the working copy", findings=(finding,))

    monkeypatch.setattr(aabench.compare.rerun, "rerun", stand_in)
    monkeypatch.setattr(aabench.compare.revision, "working_copy", lambda: tmp_path)
    options = ["--res", "16,32", "--mode", "train", "--batch", "4", "--device", "cpu", "--pairs", "3", "--seconds", "1"]
    assert run("compare", "--rerun", "v1", "aa-wrn-28-10", *options) == 1
    assert "95 % interval" in capsys.readouterr().out
    works = [work for _, work in asked["points"]]
    assert [(work.model, work.input_size, work.mode, work.batch) for work in works] == [
        ("aa_wide_resnet", 16, "train", 4),
        ("aa_wide_resnet", 32, "train", 4),
    ]
    assert (asked["repository"], asked["revision"], asked["pairs"], asked["seconds"]) == (tmp_path, "v1", 3, 1.0)


def test_rerun_without_a_task_times_the_headline_pair_at_its_own_size(monkeypatch, tmp_path):
    asked = []

    def stand_in(repository, revision, points, **options):
        asked.extend((name, work.input_size) for name, work in points)
        return Comparison(base=revision, head="", findings=())

    monkeypatch.setattr(aabench.compare.rerun, "rerun", stand_in)
    monkeypatch.setattr(aabench.compare.revision, "working_copy", lambda: tmp_path)
    assert run("compare", "--rerun", "v1") == 3
    assert asked == [("resnet50", 224), ("aa-resnet50", 224)]
