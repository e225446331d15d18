import pytest
from pydantic import ValidationError

from aabench.record import Measurement, Value


def test_a_missing_value_owes_a_reason() -> None:
    with pytest.raises(ValidationError, match="memory: either a value, or the reason why there is none"):
        Value(metric="memory", value=None, unit="bytes")
    with pytest.raises(ValidationError, match="either a value, or the reason"):
        Value(metric="memory", value=0, unit="bytes", reason="no device")


def test_a_value_is_finite() -> None:
    with pytest.raises(ValidationError, match="finite"):
        Value(metric="loss", value=float("nan"), unit="nats")


def test_get_finds_a_value_by_metric_and_convention() -> None:
    last = Value(metric="top1", value=81.0, unit="%", convention="last")
    best = Value(metric="top1", value=81.4, unit="%", convention="best")
    row = Measurement(id="1", time="", task="a", level="train", status="ok", values=(last, best))
    assert row.get("top1") is last
    assert row.get("top1", "best") is best
    assert row.get("top1", "ema") is None
    assert row.get("top5") is None
