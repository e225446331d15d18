"""Crossings of laws that are known to cross."""

import numpy as np
import pytest

from aabench.errors import AABenchError
from aabench.profile.crossing import changes_of_order, crossing
from aabench.profile.scaling import Law, fit

SIDES = (32, 64, 96, 128, 192, 224, 256, 384, 512)


def law(**by_exponent: float) -> Law:
    """law(c0=5, c2=1) is 5 + s^2, fitted without noise."""
    terms = {int(name[1:]): c for name, c in by_exponent.items()}
    return fit(SIDES, [sum(c * s**e for e, c in terms.items()) for s in SIDES], tuple(terms))


def test_a_known_crossing() -> None:
    found = crossing(law(c0=40_000, c2=1), law(c0=1, c2=2))  # s^2 = 39,999
    assert found.side == pytest.approx(39_999**0.5)
    assert not found.extrapolated
    assert found.low is not None
    assert found.high is not None
    assert found.side - 1e-6 < found.low <= found.side <= found.high < found.side + 1e-6
    assert crossing(law(c0=1, c2=2), law(c0=40_000, c2=1)).side == pytest.approx(found.side)


def test_a_crossing_beyond_the_points_is_marked_and_looked_for_no_further_than_said() -> None:
    first, second = law(c2=1e6), law(c4=1.0)  # s = 1000
    found = crossing(first, second)
    assert found.side == pytest.approx(1000)
    assert found.extrapolated
    assert crossing(first, second, beyond=1.9).reason == "they do not cross between sides 32 and 973"
    with pytest.raises(AABenchError, match="1 or more times"):
        crossing(first, second, beyond=0.5)


def test_the_first_of_several_crossings() -> None:
    # s^2 against 4 s^4 / 10^6 + 60,000 / ... : 1e-6 s^4 - s^2 / 10 + 900 = 0 at s^2 = 10,000 and 90,000
    found = crossing(law(c2=1e-1), law(c0=900, c4=1e-6))
    assert found.side == pytest.approx(100)


def test_intervals_hold_the_true_crossing_in_about_95_of_100() -> None:
    first = np.array([20 + 1e-3 * s**2 for s in SIDES])
    second = np.array([5 + 2e-3 * s**2 for s in SIDES])  # s^2 = 15,000
    hits = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        laws = [fit(SIDES, list(y * (1 + random.normal(0, 0.02, len(SIDES)))), (0, 2)) for y in (first, second)]
        found = crossing(*laws, draws=300)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 15_000**0.5 <= found.high
    assert 180 <= hits <= 199  # 190 are expected, with a deviation of 3.1


def test_an_interval_is_open_where_the_draws_reach_its_end() -> None:
    random = np.random.default_rng(3)
    noisy = [fit(SIDES, [c * s**2 * (1 + random.normal(0, 0.03)) + 1 for s in SIDES], (0, 2)) for c in (1.0, 1.0)]
    found = crossing(*noisy)
    assert found.side is None or found.low is None or found.high is None


def test_noise_alone_makes_no_crossing() -> None:
    """The true curves are one; the fitted ones cross somewhere."""
    random = np.random.default_rng(2)
    noisy = [fit(SIDES, [(1e6 + s**2) * (1 + random.normal(0, 0.03)) for s in SIDES], (0, 2)) for _ in range(2)]
    found = crossing(*noisy)
    assert found.side is None
    assert found.reason == "the laws cross at 215, but so loosely that it may be anywhere, or nowhere"


def test_the_same_seed_gives_the_same_interval() -> None:
    random = np.random.default_rng(0)
    laws = [
        fit(SIDES, [(a + b * s**2) * (1 + random.normal(0, 0.02)) for s in SIDES], (0, 2))
        for a, b in ((20, 1e-3), (5, 2e-3))
    ]
    assert crossing(*laws) == crossing(*laws)
    assert crossing(*laws).low != crossing(*laws, seed=1).low


def test_no_crossing_has_its_reason() -> None:
    assert crossing(law(c2=1), law(c2=2)).reason == "they do not cross between sides 32 and 2048"
    assert crossing(law(c2=1), law(c2=1)).reason == "the laws are equal"
    too_few = fit([32, 64], [1.0, 2.0])
    assert (crossing(law(c2=1), too_few).reason or "").startswith(
        "the law of the second does not hold: 2 sides for 3 terms"
    )
    elsewhere = fit([1024, 2048, 4096], [1.0, 4.0, 16.0], (2,))
    assert crossing(law(c2=1), elsewhere).reason == "they were fitted to sides that do not overlap"


def test_a_law_that_falls_to_0_ends_the_search() -> None:
    # 4 % above and below s^2 in turn, and below it at the last two sides: bent down, but within the noise.
    bent = fit(SIDES, [s**2 * (1.04 if s in (32, 96, 192, 256) else 0.96) for s in SIDES], (2, 4))
    assert bent.holds
    falls_at = (bent.coefficients[0].value / -bent.coefficients[1].value) ** 0.5
    assert 512 < falls_at < 10 * 512
    reason = crossing(bent, law(c2=2), beyond=10).reason
    assert reason is not None
    start, _, end = reason.rpartition(" ")
    assert start == "they do not cross between sides 32 and"
    assert 0.98 * falls_at < float(end) < falls_at


def test_changes_of_order_by_the_points() -> None:
    assert changes_of_order([32, 64, 96, 128], [1, 2, 3, 9], [2, 2, 2, 3]) == ((32, 96),)
    assert changes_of_order([32, 64, 96], [1, 5, 1], [2, 2, 2]) == ((32, 64), (64, 96))
    assert changes_of_order([32, 64], [1, 1], [1, 1]) == ()
