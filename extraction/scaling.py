"""Integer costs: all proofs are done in exact integer arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from oxegg.extraction.problem import IntArray, Problem

_DECIMALS = (1, 10, 100, 1000, 10**4, 10**5, 10**6)
_LARGEST = 2**46  # the incumbent's cost as an integer; ten thousand roundings stay below 1e-9 of it


@dataclass(frozen=True)
class IntegerCosts:
    """``costs / scale`` rounded down (N x K); a bound on integer costs / scale is a true bound.

    Rows of nodes that can't be in a choice cheaper than the incumbent are clipped: their value
    only says "too dear".
    """

    costs: IntArray
    scale: Fraction

    def bound(self, value: int) -> float:
        """The float just at or below ``value / scale``."""
        exact = Fraction(value) / self.scale
        rounded = float(exact)
        return rounded if Fraction(rounded) <= exact else float(np.nextafter(rounded, -np.inf))


def integer_costs(problem: Problem, incumbent: float) -> IntegerCosts:
    """Costs as integers: exact when they have few decimals, else at the finest safe scale.

    ``incumbent`` is the cost of a known choice; the largest integer in play is about 2^46.
    """
    costs = problem.costs
    finite = costs[np.isfinite(costs) & (np.abs(costs) <= max(1.0, abs(incumbent)))]
    largest = max(abs(incumbent), float(np.abs(finite).max(initial=0.0)), 1e-300)
    for power in _DECIMALS:
        scaled = finite * power
        nearest = np.rint(scaled)
        if largest * power > _LARGEST:
            break
        if bool((np.abs(scaled - nearest) <= 4e-16 * np.abs(scaled)).all()):
            # The decimal text was meant: 0.1 is one tenth although the double is a bit more.
            return IntegerCosts(_clipped(np.rint(costs * power), 2.0 * _LARGEST), Fraction(power))
    scale = 2.0 ** np.floor(np.log2(_LARGEST / largest))
    return IntegerCosts(_clipped(np.floor(costs * scale), 2.0 * _LARGEST), Fraction(float(scale)))


def _clipped(values: np.ndarray, limit: float) -> IntArray:
    return np.clip(values, -limit, limit).astype(np.int64)
