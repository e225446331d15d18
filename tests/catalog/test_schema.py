"""Quantities, claims and recipes: what is accepted, and how a fault reads."""

import pytest
from pydantic import ValidationError

from aabench.catalog.schema import Claim, Quantity


def quantity(text):
    return Quantity.model_validate(text)


@pytest.mark.parametrize(
    ("text", "value", "precision", "interval"),
    [
        ("25.8 M", 25.8e6, 1e5, (25.75e6, 25.85e6)),
        ("8.0 GFLOPs", 8e9, 1e8, (7.95e9, 8.05e9)),
        ("77.7 %", 77.7, 0.1, (77.65, 77.75)),
        ("+1.3 points", 1.3, 0.1, (1.25, 1.35)),
        ("-0.4 points", -0.4, 0.1, (-0.45, -0.35)),
        ("9173 images", 9173, 1, (9172.5, 9173.5)),
        ("182 GFLOPs", 182e9, 1e9, (181.5e9, 182.5e9)),
    ],
)
def test_a_printed_number_carries_its_precision(text, value, precision, interval):
    number = quantity(text)
    assert str(number) == text
    assert number.value == pytest.approx(value)
    assert number.precision == pytest.approx(precision)
    assert number.interval == pytest.approx(interval)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (25.8, "value without precision"),
        (25, "value without precision"),
        ("25.8", "missing unit"),
        ("25.8 MB", "unknown unit 'MB'"),
        ("about 26 M", "not a printed number"),
    ],
)
def test_a_number_without_precision_or_unit_is_refused(given, message):
    with pytest.raises(ValidationError, match=message):
        quantity(given)


def test_measured_values_are_shown_in_the_claims_unit():
    assert quantity("25.8 M").format(25_809_392) == "25.809 M"
    assert quantity("9173 images").format(9172.0) == "9172 images"
    assert quantity("77.7 %").format(77.57) == "77.57 %"


def claim(**changes):
    content = {
        "id": "p/t/a/top1", "paper": "p", "table": "t", "row": "r", "tag": "printed", "task": "a",
        "metric": "top1", "value": "77.7 %",
    }  # fmt: skip
    return Claim.model_validate(content | changes)


ORDINAL = {"kind": "ordinal", "value": None, "baseline": "b"}
LATENCY = {"metric": "latency_ms", "kind": "delta", "value": "+12 %", "baseline": "b", "sweep": "s"}
UP_TO = {"kind": "delta", "value": "+0.57 points", "baseline": "b", "up_to": True}


@pytest.mark.parametrize(
    ("changes", "measure", "saying"),
    [
        ({}, "top1", "77.7 %"),
        ({"kind": "delta", "value": "+1.3 points", "baseline": "b"}, "top1", "+1.3 points over b"),
        (UP_TO, "top1", "up to +0.57 points over b"),
        (ORDINAL, "top1", "above b"),
        ({**ORDINAL, "metric": "memory", "sweep": "s"}, "memory (s)", "below b"),
        ({**ORDINAL, "metric": "params"}, "params", "below b"),
        ({"convention": "best"}, "top1 (best epoch)", "77.7 %"),
        ({"value": None, "unspecified": True}, "top1", "unspecified"),
        ({"kind": "delta", "value": None, "unspecified": True, "baseline": "b"}, "top1", "unspecified over b"),
        ({**ORDINAL, "kind": "growth", "metric": "flops", "sweep": "s"}, "flops (s)", "grows slower than b"),
        (LATENCY, "latency_ms (s)", "+12 % over b"),
        ({**LATENCY, "kind": "ordinal", "value": None}, "latency_ms (s)", "below b"),
    ],
)
def test_what_a_claim_says(changes, measure, saying):
    assert (claim(**changes).measure, claim(**changes).saying) == (measure, saying)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "delta", "value": "+1.3 points"}, "needs a baseline"),
        ({"baseline": "b"}, "has no baseline"),
        ({"kind": "ordinal", "baseline": "b"}, "takes no value"),
        ({"value": None}, 'needs a value, or "unspecified" for it'),
        ({"unspecified": True}, 'needs a value, or "unspecified" for it'),
        ({**ORDINAL, "unspecified": True}, "takes no value"),
        ({"value": "25.8 M"}, "top1 is given in % or points, not M"),
        ({"value": "+1.3 points"}, "'absolute' is not given in points"),
        ({"tag": "guessed"}, "printed"),
        ({"colour": "red"}, "Extra inputs"),
        (
            {"kind": "growth", "value": None, "baseline": "b"},
            "on top1 is of kind absolute or delta or ordinal, not",
        ),
        ({"metric": "memory", "value": None}, "on memory is of kind ordinal or growth, not absolute"),
        ({"metric": "latency_ms", "value": "12 %"}, "on latency_ms is of kind delta or ordinal, not absolute"),
        ({"metric": "memory", **ORDINAL}, "needs a sweep"),
        ({"metric": "flops", **ORDINAL, "kind": "growth"}, "needs a sweep"),
        ({**ORDINAL, "sweep": "s"}, "takes no sweep"),
        ({"up_to": True}, "up_to goes with kind 'delta' and a value in points"),
        ({**ORDINAL, "up_to": True}, "up_to goes with kind 'delta'"),
        ({**UP_TO, "value": None, "unspecified": True}, "up_to goes with kind 'delta' and a value"),
        ({**LATENCY, "value": "+12 %", "up_to": True}, "up_to goes with kind 'delta' and a value in points"),
        ({"metric": "memory", **ORDINAL, "value": "+1 %", "sweep": "s"}, "takes no value"),
        ({**LATENCY, "value": "+12 points"}, "latency_ms is given in %, not points"),
        ({**LATENCY, "value": None}, "needs a value"),
        ({**LATENCY, "baseline": None}, "needs a baseline"),
        ({**LATENCY, "kind": "ordinal"}, "takes no value"),
        ({**LATENCY, "kind": "ordinal", "value": None, "sweep": None}, "needs a sweep"),
    ],
)
def test_inconsistent_claims_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        claim(**changes)


def test_records_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        claim().row = "other"
