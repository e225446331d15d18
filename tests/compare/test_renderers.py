"""A comparison shown: terminal, JUnit XML, GitHub."""

from xml.etree import ElementTree

from rich.console import Console

from aabench.compare import Comparison, Finding
from aabench.compare.github import summary, workflow_commands
from aabench.compare.junit import to_junit
from aabench.compare.table import print_comparison


def finding(judgement, task="aa-resnet50", metric="macs/model", side=64, **changes) -> Finding:
    at = {"input_size": side, "mode": "infer", "batch": 1}
    return Finding(judgement=judgement, task=task, level="predict", at=at, metric=metric, **changes)


MIXED = Comparison(
    base="base.jsonl",
    head="head.jsonl",
    findings=(
        finding("regression", side=32, base=1000, head=1100),
        finding("regression", side=64, base=1000, head=1500),
        finding("regression", metric="point", reason="ok in BASE, in HEAD oom: 50 % of it\nwas gone"),
        finding("not comparable", metric="latency_ms/median", reason="another machine", base=1.0, head=2.0),
        finding("not comparable", task="resnet50", metric="images_per_s", reason="another machine", base=1, head=2),
        finding("missing", task="a|b", metric="point", reason="only BASE has this point"),
        finding("improvement", metric="params", base=200, head=100),
        finding("same", base=1, head=1),
    ),
)


def printed(comparison: Comparison) -> str:
    console = Console(width=120, no_color=True)
    with console.capture() as capture:
        print_comparison(comparison, console)
    return capture.get()


def test_the_terminal_shows_what_is_not_the_same():
    lines = [" ".join(line.split()) for line in printed(MIXED).splitlines()]
    assert lines == [
        "regression: aa-resnet50, predict, infer, batch 1",
        "metric at BASE HEAD change",
        "macs/model 64 and 1 more 1,000 1,500 +50 %",
        "regression: aa-resnet50, predict, infer, batch 1; ok in BASE, in HEAD oom: 50 % of it",
        "was gone",
        "metric at BASE HEAD change",
        "point 64",
        "improvement: aa-resnet50, predict, infer, batch 1",
        "metric at BASE HEAD change",
        "params 64 200 100 -50 %",
        "not comparable: latency_ms/median, images_per_s of aa-resnet50, resnet50 at 2 points: another machine",
        "missing: a|b (predict, infer, batch 1 at 64): only BASE has this point",
        "regression: 3 regression(s), 2 not comparable, 1 missing, 1 improvement(s), 1 same",
    ]


def test_a_time_is_shown_with_its_interval():
    reason = "+10.0 % (95 % interval +8.0 to +12.0 %, p 0.001, 50 rounds in 5 pairs of processes)"
    timed = finding("regression", metric="latency_ms", base=1.0, head=1.3, estimate=0.1, interval=(0.08, 0.12))
    text = printed(Comparison(base="v1", head="here", findings=(timed.model_copy(update={"reason": reason}),)))
    assert reason in " ".join(text.split())
    assert "+30" not in text  # that of the two medians, which no interval belongs to


def test_markup_in_a_name_is_text():
    assert "[bold]x[/bold]" in printed(
        Comparison(base="", head="", findings=(finding("missing", task="[bold]x[/bold]"),))
    )


def test_junit():
    suite = ElementTree.fromstring(to_junit(MIXED)).find("testsuite")
    assert suite is not None
    assert {key: suite.get(key) for key in ("tests", "failures", "skipped")} == {
        "tests": "8",
        "failures": "3",
        "skipped": "3",
    }
    cases = suite.findall("testcase")
    assert [(case.get("classname"), case.get("name")) for case in cases[:1]] == [
        ("aa-resnet50", "macs/model (predict, infer, batch 1 at 32)")
    ]
    assert [case.find("failure").get("message") for case in cases[:2]] == [  # type: ignore[union-attr]
        "1,000 -> 1,100 (+10 %)",
        "1,000 -> 1,500 (+50 %)",
    ]
    kinds = [[child.tag for child in case] for case in cases]
    assert kinds == [["failure"]] * 3 + [["skipped"]] * 3 + [["system-out"], []]


def test_junit_takes_any_text():
    strange = finding("regression", task="a\x00<&\x1b", reason='<"quoted">\ud800')
    root = ElementTree.fromstring(to_junit(Comparison(base="", head="", findings=(strange,))))
    assert root.find(".//testcase").get("classname") == "a?<&?"  # type: ignore[union-attr]
    assert root.find(".//failure").get("message") == '<"quoted">?'  # type: ignore[union-attr]


def test_annotations_are_escaped():
    assert list(workflow_commands(MIXED)) == [
        "::error title=regression%3A aa-resnet50::macs/model at 64 and 1 more (predict, infer, batch 1): "
        "1,000 -> 1,500 (+50 %25)",
        "::error title=regression%3A aa-resnet50::point at 64 (predict, infer, batch 1): "
        "ok in BASE, in HEAD oom: 50 %25 of it%0Awas gone",
        "::notice title=improvement%3A aa-resnet50::params at 64 (predict, infer, batch 1): 200 -> 100 (-50 %25)",
        "::warning title=not comparable%3A latency_ms/median%2C images_per_s of aa-resnet50%2C resnet50 at 2 points"
        "::another machine",
        "::warning title=missing%3A a|b (predict%2C infer%2C batch 1 at 64)::only BASE has this point",
    ]


def test_no_more_annotations_than_github_shows():
    many = tuple(finding("regression", task=f"task-{n}", base=1, head=2) for n in range(30))
    lines = list(workflow_commands(Comparison(base="", head="", findings=many)))
    assert len(lines) == 10
    assert lines[-1] == "::error title=aabench compare::21 more in the step's summary"
    assert len(list(workflow_commands(Comparison(base="", head="", findings=many[:10])))) == 10


def test_the_summary_is_markdown():
    lines = summary(MIXED).splitlines()
    assert (
        lines[0]
        == "### aabench compare: regression: 3 regression(s), 2 not comparable, 1 missing, 1 improvement(s), 1 same"
    )
    assert lines[2] == "BASE base.jsonl, HEAD head.jsonl"
    assert (
        "| regression | aa-resnet50 | predict, infer, batch 1 | macs/model | 64 and 1 more | 1,000 -> 1,500 (+50 %) |"
        in lines
    )
    assert lines[-2] == "- **missing**: a\\|b (predict, infer, batch 1 at 64): only BASE has this point"
    assert lines[-1] == ""


def test_all_the_same_is_one_line():
    same = Comparison(base="a", head="b", findings=(finding("same", base=1, head=1),) * 1200)
    assert printed(same) == "no regression: 1,200 same\n"
    assert list(workflow_commands(same)) == []
    assert summary(same) == "### aabench compare: no regression: 1,200 same\n\nBASE a, HEAD b\n\n"
