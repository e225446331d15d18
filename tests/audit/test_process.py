"""A target that ends badly, in a process of its own, is a finding with the reason."""

import re
import sys
import time
from pathlib import Path
from typing import get_args

import pytest

from aabench.audit import audit, load_adapter
from aabench.audit.adapter import Word
from aabench.audit.examine import examine
from aabench.errors import AABenchError

HERE = Path(__file__).parent
PLAIN = load_adapter(HERE / "adapters" / "plain.toml")


@pytest.fixture(autouse=True)
def _path(monkeypatch):
    """What a target's file adds to the path goes again."""
    monkeypatch.setattr(sys, "path", sys.path.copy())


def examined(target, adapter=PLAIN):
    """In this process, where the target ends in a way that Python can catch."""
    return examine(target, adapter, lambda _: None)


@pytest.mark.parametrize(
    ("target", "obstacle"),
    [
        ("LeavesInForward", "the constructor or forward on a square map ended the process with exit status 0; its "
         "last line: said while it is imported"),
        ("Segfaults", "the constructor or forward on a square map ended the process by SIGSEGV; its last line: last "
         "words"),
    ],
)  # fmt: skip
def test_a_process_that_dies(target, obstacle):
    report = audit(f"tests.audit.crashing:{target}", PLAIN)
    assert (report.obstacle, report.findings, report.exit_code) == (obstacle, (), 3)


def test_what_the_target_leaves_running_is_not_waited_for():
    start = time.monotonic()
    assert audit("tests.audit.crashing:LeavesAChild", PLAIN, timeout=60).exit_code == 0
    assert time.monotonic() - start < 30


def test_an_endless_layer_is_given_up():
    start = time.monotonic()
    report = audit("tests.audit.crashing:Sleeps", PLAIN, timeout=6)
    assert str(report.obstacle).endswith(" did not end within 6 s")
    assert report.exit_code == 3
    assert time.monotonic() - start < 30


@pytest.mark.parametrize(
    ("target", "obstacle"),
    [
        ("RaisesInConstructor", "the constructor fails with TypeError: needs a licence"),
        ("RaisesInForward", "forward on a 4x4 map fails with RuntimeError: no kernel image"),
        ("ExitsInForward", "forward on a 4x4 map fails with SystemExit: 0"),
        ("GivesNothing", "forward on a 4x4 map gives numbers that are not finite"),
        ("GivesPair", "forward on a 4x4 map gives a tuple, not one (N, C, H, W) tensor"),
        ("function", "function of tests.audit.crashing is no torch.nn.Module class"),
        ("Missing", "tests.audit.crashing has no Missing"),
    ],
)
def test_an_ending(target, obstacle):
    report = examined(f"tests.audit.crashing:{target}")
    assert (report.obstacle, report.findings, report.exit_code) == (obstacle, (), 3)


def named(**weights):
    """The plain adapter with other names for the weights."""
    return PLAIN.model_copy(update={"weights": PLAIN.weights.model_copy(update=weights)})


APART = {"qkv": None, "q": "to_q", "k": "to_k", "v": "to_v"}


@pytest.mark.parametrize(
    ("target", "weights", "obstacle"),
    [
        ("right:Plain", {"conv": "out"}, "conv, out.weight, takes 12 channels, and what it is applied to has 10"),
        (
            "right:Plain",
            {"qkv": "out", "output": None},
            "out has 12 output channels, which are not 2 dk + dv with dv = 12",
        ),
        ("right:Apart", {**APART, "q": "to_v", "v": "to_q"}, "q, to_v.weight, has 12 channels and k, to_k.weight, 18"),
        ("right:Apart", {**APART, "k": "conv"}, "q, to_q.weight, has 18 channels and k, conv.weight, 12; queries and"),
        ("right:Apart", {**APART, "v": "to_q"}, "output, out.weight, takes 12 channels, and what it is applied to has"),
        ("crashing:EvenKernel", {}, "q, qkv.weight, has a 2x2 kernel; the audit knows odd ones"),
        ("crashing:OddKeys", {}, "q, qkv.weight, has 19 channels, which are not those of 3 heads"),
        ("crashing:Lazy", {}, "out.weight has no shape before a first call"),
    ],
)
def test_weights_that_the_formula_cannot_use(target, weights, obstacle):
    report = examined(f"tests.audit.{target}", named(**weights))
    assert str(report.obstacle).startswith(obstacle)
    assert (report.findings, report.exit_code) == ((), 3)


def test_a_defect_of_the_audit_itself_is_not_the_adapters(monkeypatch):
    monkeypatch.setattr("aabench.audit.examine.structure", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        examined("tests.audit.right:Plain")


@pytest.mark.parametrize(
    ("content", "obstacle"),
    [
        ("import no_such_thing_at_all\n", "fails with ModuleNotFoundError: No module named 'no_such_thing_at_all'"),
        ("import sys\nsys.exit('bye')\n", "fails with SystemExit: bye"),
        ("def f(:\n", "fails with SyntaxError"),
        (None, "there is no file"),
    ],
)
def test_a_file_that_cannot_be_imported(tmp_path, content, obstacle):
    path = tmp_path / "layer.py"
    if content is not None:
        path.write_text(content)
    report = examined(f"{path}:Layer")
    assert obstacle in str(report.obstacle)
    assert report.exit_code == 3


def test_a_file_finds_what_stands_beside_it(tmp_path):
    (tmp_path / "beside.py").write_text("from tests.audit.right import Plain\n")
    (tmp_path / "layer.py").write_text("from beside import Plain\nclass Layer(Plain): pass\n")
    report = examined(f"{tmp_path}/layer.py:Layer")
    assert (report.obstacle, report.differences, report.exit_code) == (None, (), 0)


def test_without_an_adapter_nothing_can_be_audited():
    report = audit("tests.audit.right:Plain", None)
    assert str(report.obstacle).startswith("no adapter")
    assert report.exit_code == 3


@pytest.mark.parametrize(
    ("name", "obstacle"),
    [
        ("proj", "the adapter names proj, and the layer has no such weight; its parameters: row_table"),
        ("forward", "the adapter names forward, and that is no weight but a method"),
        ("row_table.T", "row_table.T is computed and not stored"),
    ],
)
def test_an_adapter_that_does_not_fit_the_layer(name, obstacle):
    assert obstacle in str(examined("tests.audit.right:Plain", named(output=name)).obstacle)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[constructor]\n", "weights: Field required"),
        ('[constructor]\n[weights]\nout = "x"\n', "weights.out: Extra inputs are not permitted"),
        ("[constructor]\n[weights]\n", "weights: name qkv, or all of q, k and v"),
        ('[constructor]\n[weights]\nq = "a"\nk = "b"\n', "weights: name qkv, or all of q, k and v"),
        ('[constructor]\n[weights]\nqkv = "a"\nv = "b"\n', "weights: name qkv, or q, k and v, not both"),
        (
            '[constructor]\n[weights]\nqkv = "a"\nq = "b"\nk = "c"\nv = "d"\n',
            "weights: name qkv, or q, k and v, not both",
        ),
        ('[constructor]\n[weights]\nqkv = "a"\n[trial]\nkernel_size = 2\n', "trial: kernel_size = 2 is even"),
        ('[constructor]\n[weights]\nqkv = "a"\nrow_table = "b"\n', "name row_table and column_table, or neither"),
        ('[constructor]\na = "Nh"\n[weights]\nqkv = "a"\n', "constructor.a"),
        ('[constructor]\na = "dk"\n[fixed]\na = 1\n[weights]\nqkv = "a"\n', "a stands in [constructor] and in [fixed]"),
        ('[constructor]\n[weights]\nqkv = "a"\n[trial]\ndk = 20\n', "3 heads do not divide dk = 20"),
        ("[constructor\n", "cannot be read"),
    ],
)
def test_a_faulty_adapter_names_file_and_key(tmp_path, text, says):
    path = tmp_path / "adapter.toml"
    path.write_text(text)
    with pytest.raises(AABenchError) as error:
        load_adapter(path)
    assert says in str(error.value)
    assert str(path) in str(error.value)


def test_the_adapter_of_the_readme_is_valid(tmp_path):
    readme = (HERE.parents[1] / "README.md").read_text()
    (block,) = re.findall(r"^```toml\n(\[constructor\].*?)^```", readme, re.M | re.S)
    path = tmp_path / "adapter.toml"
    path.write_text(block)
    adapter = load_adapter(path)
    assert (adapter.weights.order, adapter.fixed, adapter.trial.dk) == ("kqv", {"kernel": 3}, 18)
    words = set(get_args(Word))
    assert words <= set(re.findall(r"\w+", block)), "every word that there is stands there"
