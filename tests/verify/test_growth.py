"""Verdicts on growth: the ratio of two costs from side to side, and the exponents fitted over all."""

from collections.abc import Sequence

import pytest

from aabench.catalog import Claim
from aabench.record import Measurement
from aabench.verify import Verdict, judge
from tests.verify.profiled import catalog, claim, predicted

SIDES = (32, 64, 128, 256)
SQUARES = (1, 4, 16, 64)
FOURTH = (1, 16, 256, 4096)
FLOPS = claim("flops", "growth")


def curve(task: str, costs: Sequence[int]) -> list[Measurement]:
    """The same numbers as bytes of activations and as FLOPs."""
    return [predicted(task, side, cost, cost) for side, cost in zip(SIDES, costs, strict=True)]


def verdict(new: Sequence[int], old: Sequence[int], of: Claim = FLOPS) -> Verdict:
    return judge(of, curve("new", new) + curve("old", old), catalog())


def test_powers_of_the_side() -> None:
    found = verdict(SQUARES, FOURTH)
    assert (found.status, found.unit, found.n, found.n_of) == ("verified", "exponent", 4, "sides")
    assert found.measured == pytest.approx(-2)
    assert found.interval == pytest.approx((-2, -2))
    assert found.reason == (
        "grows slower from 32 to 256; exponent 2.00 ± 0.00 against 4.00 ± 0.00 of old, -2.00 [-2.00, -2.00]; "
        "in the last step 2.00 against 4.00 (counted)"
    )


def test_a_fitted_difference_by_hand() -> None:
    # log2 of the ratio is 0, -1, -1, -2 at x = -1.5, -0.5, 0.5, 1.5: slope -3 / 5 = -0.6, residuals 0.1, -0.3, 0.3,
    # -0.1, so that the slope's error is sqrt(0.2 / 2 / 5) = 0.1414; Student's t with 2 degrees is 4.3027.
    found = verdict((8, 8, 8, 8), (8, 16, 16, 32))
    assert found.measured == pytest.approx(-0.6)
    assert found.interval == pytest.approx((-0.6 - 0.6085, -0.6 + 0.6085), abs=1e-4)
    assert found.status == "consistent"  # never faster, but the interval holds 0
    assert found.reason.startswith("grows slower from 128 to 256, equally from 64 to 128, slower from 32 to 64; ")


@pytest.mark.parametrize(
    ("new", "old", "status", "runs"),
    [
        (FOURTH, FOURTH, "contradicted", "equally from 32 to 256"),
        (FOURTH, SQUARES, "contradicted", "faster from 32 to 256"),
        ((1, 2, 4, 70), SQUARES, "contradicted", "faster from 128 to 256, slower from 32 to 128"),
        ((1, 5, 10, 20), SQUARES, "consistent", "slower from 64 to 256, faster from 32 to 64"),
        ((1, 3, 12, 48), SQUARES, "consistent", "equally from 64 to 256, slower from 32 to 64"),
    ],
)
def test_each_step_is_compared_exactly(new: Sequence[int], old: Sequence[int], status: str, runs: str) -> None:
    found = verdict(new, old)
    assert found.status == status
    assert found.reason.startswith(f"grows {runs}; ")


def test_memory_of_the_weights_is_left_out() -> None:
    found = verdict(SQUARES, FOURTH, claim("memory", "growth"))  # beside 8,440 bytes of weights
    assert found.status == "verified"
    assert found.measured == pytest.approx(-2)
    assert found.reason.endswith(
        "(without the weights' share; predicted: training step, batch 8, fp32, cpu: torch 2.15.0)"
    )


def test_two_sides_are_no_growth_and_three_of_four_not_enough() -> None:
    rows = curve("new", SQUARES) + curve("old", FOURTH)
    assert judge(FLOPS, [row for row in rows if row.settings["input_size"] <= 64], catalog()).status == "not-run"
    found = judge(FLOPS, [row for row in rows if row.settings["input_size"] <= 128], catalog())
    assert (found.status, found.n) == ("underpowered", 3)
    assert "; no points at 256 yet: `aabench profile new old " in found.reason
