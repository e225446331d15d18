"""Where an interval lies to a printed number: "12 %" prints what is from 11.5 on and below 12.5."""

import pytest

from aabench.catalog import Quantity
from aabench.verify.place import place_value
from aabench.verify.statistics import Interval


@pytest.mark.parametrize(
    ("low", "high", "status"),
    [
        (12.0, 13.0, "verified"),
        (9.5, 14.5, "verified"),  # 2 beyond either end
        (9.4, 14.0, "consistent"),
        (12.0, 14.6, "consistent"),
        (5.0, 11.5, "consistent"),  # the lower end prints as 12
        (12.5, 20.0, "contradicted"),  # the upper end as 13
        (5.0, 11.4, "contradicted"),
    ],
)
def test_where_an_interval_lies(low: float, high: float, status: str) -> None:
    claimed = Quantity.model_validate("12 %")
    assert claimed.interval == (11.5, 12.5)
    assert place_value(claimed, Interval((low + high) / 2, low, high), 2.0)[0] == status
