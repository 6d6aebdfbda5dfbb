"""How much longer something took, from pairs of runs taken in turns, and how sure that is."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from math import comb

from workbench.proof.trials.model import SLOWER, Ratio, StatementOutcome

RESOLUTION_MS = 0.02  # what is less apart than this is not told apart
_CONFIDENCE = 0.9
_BY_CHANCE = 0.01


def ratio(without_ms: Sequence[float], with_ms: Sequence[float]) -> Ratio | None:
    """The median of the pairs' ratios with its interval by order statistics; None where there is no pair.

    The interval of a median holds whatever the distribution of the times is: it is what the sign test does
    not reject (W. R. Thompson 1936; David and Nagaraja, Order Statistics, 7.1). The narrowest one of at
    least 90 % is given, or the whole range with what it has (5 pairs: 93.75 %). Where all times of one side
    are below all of the other's, the rank sum test says more (Mann and Whitney 1947; 3 pairs: 90 %).
    """
    ratios = sorted(
        _floored(after) / _floored(before) for before, after in zip(without_ms, with_ms, strict=True)
    )
    if not ratios:
        return None
    count = len(ratios)
    outer = next(
        (each for each in reversed(range(1, count // 2 + 1)) if _covered(count, each) >= _CONFIDENCE), 1
    )
    covered = _covered(count, outer) if count > 1 else 0.0
    if max(with_ms) < min(without_ms) or max(without_ms) < min(with_ms):
        covered = max(covered, 1.0 - 2.0 / comb(2 * count, count))
    return Ratio(statistics.median(ratios), ratios[outer - 1], ratios[-outer], covered, count)


def _floored(elapsed_ms: float) -> float:
    """A time of nothing is the clock's resolution."""
    return max(elapsed_ms, 0.001)


def _covered(count: int, outer: int) -> float:
    """The probability that the median of *count* lies between the *outer*-th from both ends."""
    return 1.0 - 2.0 * sum(comb(count, each) for each in range(outer)) / 2.0**count


def surely_slower(without_ms: Sequence[float], with_ms: Sequence[float]) -> bool:
    """Whether such pairs come about by chance less than once in a hundred where nothing is slower.

    By the sign test (8 pairs of 8, 11 of 12, 16 of 20), or where the times do not overlap by the rank sum
    test (5 of each): among many statements some are slower in most of five runs for no reason.
    """
    count = len(with_ms)
    slower = sum(after > before for before, after in zip(without_ms, with_ms, strict=True))
    by_signs = sum(comb(count, each) for each in range(slower, count + 1)) / 2.0**count
    apart = bool(count) and min(with_ms) > max(without_ms)
    return min(by_signs, 1.0 / comb(2 * count, count) if apart else 1.0) <= _BY_CHANCE


def outcome(found: Ratio, without_ms: Sequence[float], with_ms: Sequence[float]) -> StatementOutcome:
    """What the pairs of runs say: slower only where the ratio is 1.2 at least, and not by chance."""
    apart = statistics.median(with_ms) - statistics.median(without_ms)
    if abs(apart) < RESOLUTION_MS:
        return "no difference"
    if found.value >= SLOWER:
        return "slower" if surely_slower(without_ms, with_ms) else "perhaps slower"
    if found.value < 1 and found.high < 1 and found.confidence >= _CONFIDENCE:
        return "faster"
    return "no difference"


def undecided(found: Ratio, without_ms: Sequence[float], with_ms: Sequence[float]) -> bool:
    """Whether more runs could tell: the ratio is off by a tenth or more, and not surely."""
    apart = abs(statistics.median(with_ms) - statistics.median(without_ms))
    if apart < RESOLUTION_MS or 0.9 < found.value < 1.1:
        return False
    if found.value >= SLOWER:
        return not surely_slower(without_ms, with_ms)
    return found.low <= 1 <= found.high or found.confidence < _CONFIDENCE
