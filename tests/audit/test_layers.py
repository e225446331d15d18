"""The audit on right layers in several styles, on wrong ones with one fault each, and on third parties'."""

from pathlib import Path

import pytest
import torch
from torch import nn

from aabench.audit import Adapter, Report, load_adapter
from aabench.audit.examine import examine
from aabench.audit.faults import applicable, distance, form_of
from aabench.audit.formula import attend, fits
from aabench.audit.subject import make_subject, papers_layer
from tests.audit import right, wrong

ADAPTERS = Path(__file__).parent / "adapters"
PLAIN = load_adapter(ADAPTERS / "plain.toml")


def adapted(**weights) -> Adapter:
    """The plain adapter with other names for the weights; None leaves one out."""
    content = PLAIN.model_dump(exclude_none=True)
    content["weights"] |= weights
    content["weights"] = {name: value for name, value in content["weights"].items() if value is not None}
    return Adapter.model_validate(content)


def audited(target: str, adapter: Adapter = PLAIN) -> Report:
    return examine(target, adapter, lambda _: None)


def failed(report: Report) -> list[str]:
    return [finding.check for finding in report.findings if finding.status == "fail"]


STYLES = {
    "Plain": PLAIN,
    "RelToAbs": PLAIN,
    "Tokens": adapted(qkv="in_proj_weight"),
    "Fused": PLAIN,
    "Apart": adapted(qkv=None, q="to_q", k="to_k", v="to_v"),
    "Transposed": adapted(table_layout="channel-offset"),
    "SinglePrecision": PLAIN,
}
ADAPTED = {
    "NoProjection": adapted(output=None),
    "TablesPerHead": adapted(table_layout="head-offset-channel"),
}


@pytest.mark.parametrize("style", STYLES)
def test_a_right_layer_conforms(style):
    report = audited(f"tests.audit.right:{style}", STYLES[style])
    assert (failed(report), report.differences, report.obstacle, report.exit_code) == ([], (), None, 0)
    assert [finding.check for finding in report.findings if finding.status != "pass"] == []
    assert len(report.findings) == 23


def test_every_right_layer_is_tested():
    assert STYLES.keys() == {n for n, kind in vars(right).items() if isinstance(kind, type)}


def test_our_own_layer_conforms():
    report = audited("aabench.layers:AAConv2d", load_adapter(ADAPTERS / "aabench.toml"))
    assert {finding.status for finding in report.findings} == {"pass"}
    assert report.exit_code == 0


def test_without_relative_positions_their_checks_are_not_made():
    content = PLAIN.model_dump(exclude_none=True)
    del content["constructor"]["relative"], content["weights"]["row_table"], content["weights"]["column_table"]
    content["fixed"] = {"relative": False}
    report = audited("tests.audit.right:Plain", Adapter.model_validate(content))
    unchecked = [finding.check for finding in report.findings if finding.status == "not-checked"]
    assert unchecked == [
        "relative tables", "relative offset sign", "row and column tables", "relative logits",
        "scaling of relative logits",
    ]  # fmt: skip
    assert report.exit_code == 0


@pytest.mark.parametrize("kind", wrong.layers(), ids=lambda kind: kind.__name__)
def test_a_wrong_layer_is_named_by_its_fault_only(kind):
    report = audited(f"tests.audit.wrong:{kind.__name__}", ADAPTED.get(kind.__name__, PLAIN))
    assert report.differences == (kind.expected,)
    assert report.exit_code == 1


@pytest.mark.parametrize(
    ("name", "check", "says"),
    [
        ("ReshapedOutput", "output layout", "output reshaped without transpose: positions and channels scrambled"),
        ("SignFlipped", "relative offset sign", "the offset is query minus key; the paper's is key minus query"),
        ("WideProjection", "1x1 projections", "q, k, v come from a 3x3 convolution"),
        ("TablesStartAtTheirDeviation", "position-table init", "the deviation was added as a mean"),
        ("SquareOnly", "non-square maps", "square maps only: forward on a 3x5 map fails with AssertionError"),
        ("FrozenTable", "gradient flow", "row_table gets no gradient"),
        # 1 of F_in F_out k^2 + F_in (2 dk + (1 - k^2) dv) + dv^2 + tables = 2160 - 600 + 144 + 84.
        ("LearnedGain", "parameter count", "1,789 against the paper's 1,788: 1 in gain"),
        ("WithBiases", "parameter count", "1,860 against the paper's 1,788: 72 in biases"),
        ("SquashedValues", "attention output", "by an unknown cause"),
        ("TransposedOutput", "non-square maps", "on a 3x5 map its attention is (2, 12, 5, 3), not (2, 12, 3, 5)"),
        ("WideConvolution", "convolution and output", "conv.weight is 12x10x5x5, not 12x10x3x3"),
        ("ProjectionOfAnotherWidth", "convolution and output", "out.weight is 15x12, not 12x12"),
        ("ProjectionOfAnotherWidth", "output projection", "it is not square"),
    ],
)
def test_the_reason_says_what_differs(name, check, says):
    report = audited(f"tests.audit.wrong:{name}")
    assert says in next(finding.reason for finding in report.findings if finding.check == check)


def test_two_faults_are_both_named():
    report = audited("tests.audit.test_layers:TwoFaults")
    assert report.differences == ("output-scrambled", "relative-unscaled")


class SquashedAndLow(wrong.SquashedValues):
    """What it computes is not known, and it does not run on every map."""

    def forward(self, x):
        assert x.shape[2] <= x.shape[3]
        return super().forward(x)


def test_maps_that_are_not_square_are_all_tried():
    report = audited("tests.audit.test_layers:SquashedAndLow")
    assert report.differences == ("unknown-cause", "square-only")
    assert "forward on a 5x3 map fails" in report.findings[-3].reason


class Silenced(right.Plain):
    """Attention with a gain of 0, as some layers start with."""

    def project(self, o):
        return 0 * self.out(o)


def test_attention_of_nothing_leaks_no_position():
    report = audited("tests.audit.test_layers:Silenced")
    assert report.differences == ("unknown-cause", "no-gradient")
    reasons = [finding.reason for finding in report.findings]
    assert not any("inf%" in reason for reason in reasons)
    assert "it runs on 3x5 and 5x3; what it computes is not known" in reasons


@pytest.mark.parametrize(
    ("out", "reference", "expected"),
    [
        ([0.0, 0.0], [0.0, 0.0], 0.0),
        ([1.0, 3.0], [2.0, 4.0], 0.25),
        ([0.0, 1.0], [0.0, 0.0], float("inf")),
        ([0.0, float("nan")], [0.0, 1.0], float("inf")),
        ([float("inf"), 0.0], [float("inf"), 1.0], float("inf")),
    ],
)
def test_distance(out, reference, expected):
    assert distance(torch.tensor(out), torch.tensor(reference)) == expected


def test_a_wide_key_projection_alone_is_named():
    report = audited("tests.audit.test_layers:WideKeys", STYLES["Apart"])
    assert (report.differences, report.obstacle) == (("projection-kernel",), None)


class WideKeys(right.Apart):
    def __init__(self, *, in_channels, dk, **options):
        super().__init__(in_channels=in_channels, dk=dk, **options)
        self.to_k = nn.Conv2d(in_channels, dk, 3, padding=1, bias=False)


class TwoFaults(wrong.ReshapedOutput, wrong.RelativeUnscaled):
    """A layer that the audit has to take apart."""


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("size", [(4, 4), (3, 5)])
def test_the_formula_is_the_papers_layer(size, relative):
    subject = make_subject(right.Plain, PLAIN, size, relative=relative)
    paper = papers_layer(subject)
    x = subject.images()
    with torch.no_grad():
        torch.testing.assert_close(attend(x, subject.values, 3), paper.attend(x), rtol=0, atol=1e-12)


def test_no_two_faults_look_alike():
    """Otherwise a layer could be called by another one's fault."""
    subject = make_subject(right.Plain, PLAIN, (4, 4), relative=True)
    x = subject.images()
    outs = {(): attend(x, subject.values, 3)}
    for fault in applicable(subject.values):
        assert fits(subject.values, (4, 4), form_of((fault,)))
        outs[fault] = attend(x, subject.values, 3, form_of((fault,)))
    alike = [(a, b) for i, a in enumerate(outs) for b in list(outs)[:i] if not distance(outs[a], outs[b]) > 1e-2]
    assert alike == []
    assert len(outs) == 28


def test_timms_attention_lacks_the_output_projection_only():
    adapter = load_adapter(ADAPTERS / "timm-bottleneck.toml")
    report = audited("timm.layers.bottleneck_attn:BottleneckAttn", adapter)
    assert report.differences == ("no-output-projection",)
    unscaled = adapter.model_copy(update={"fixed": {"scale_pos_embed": False}})
    report = audited("timm.layers.bottleneck_attn:BottleneckAttn", unscaled)
    assert report.differences == ("relative-unscaled", "no-output-projection")


@pytest.mark.parametrize("path", sorted(ADAPTERS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_adapter_can_be_read(path):
    assert load_adapter(path).constructor
