"""Polynomials close to the best possible, computed rather than listed.

A least-squares fit on Chebyshev nodes, iteratively reweighted (Lawson's method), lands within a
few percent of the minimax polynomial; coefficients are then rounded to the target format.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from oxegg.rules.pattern import Constant, Pattern, apply, constant

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """A polynomial to be found: c with sum c_i x^i (i < ``terms``) close to ``function``.

    The maximum of |error| times ``importance`` (of x) on [``low``, ``high``] is made small;
    ``leading`` coefficients of lower powers are given and stand before those found.
    """

    function: Callable[[Array], Array]
    low: float
    high: float
    terms: int
    importance: Callable[[Array], Array] = np.ones_like
    leading: tuple[float, ...] = ()

    def angles(self) -> Array:
        """Of the Chebyshev nodes, 60 to a term; shape (60 * terms,)."""
        nodes = 60 * self.terms
        return (np.arange(nodes) + 0.5) * np.pi / nodes

    def nodes(self) -> Array:
        """The x on which the fit is made; shape (60 * terms,)."""
        return (self.low + self.high) / 2 + (self.high - self.low) / 2 * np.cos(self.angles())

    def coefficients(self) -> list[float]:
        """The leading ones and those found, lowest power first."""
        x, angles = self.nodes(), self.angles()
        factor = self.importance(x)
        basis = np.cos(np.outer(angles, np.arange(self.terms))) * factor[:, None]
        target = self.function(x) * factor
        weights = np.ones(len(x))
        solution = np.zeros(self.terms)
        for _ in range(40):
            root = np.sqrt(weights)[:, None]
            solution = np.linalg.lstsq(basis * root, target * root[:, 0], rcond=None)[0]
            error = np.abs(basis @ solution - target)
            if error.max() < 4 * np.finfo(np.float64).eps * np.abs(target).max():
                break  # rounding noise: reweighting it would only lose digits
            weights *= error / error.max() + 1e-3
            weights /= weights.sum()
        found = _in_powers([float(c) for c in solution], self.low, self.high)
        return [*self.leading, *found]


def _in_powers(chebyshev: list[float], low: float, high: float) -> list[float]:
    """A Chebyshev series on [low, high] as powers of x, converted exactly and rounded once."""
    slope = 2 / (Fraction(high) - Fraction(low))
    shift = -(Fraction(high) + Fraction(low)) / (Fraction(high) - Fraction(low))
    earlier, later = [Fraction(1)], [shift, slope]  # T_0 and T_1 as polynomials in x
    total = [Fraction(0)] * len(chebyshev)
    for coefficient in chebyshev:
        for power, value in enumerate(earlier):
            total[power] += Fraction(coefficient) * value
        following = [Fraction(0)] * (len(later) + 1)
        for power, value in enumerate(later):
            following[power] += 2 * shift * value
            following[power + 1] += 2 * slope * value
        for power, value in enumerate(earlier):
            following[power] -= value
        earlier, later = later, following
    return [float(value) for value in total]


def horner(x: Pattern, coefficients: Sequence[float]) -> Pattern:
    """c0 + c1 x + c2 x^2 ... by fused multiply-adds, lowest power first in the list."""
    value: Pattern = constant(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = apply("fma", value, x, constant(coefficient))
    return value


LN2 = Fraction("0.69314718055994530941723212145817656807550013436026")
PI = Fraction("3.14159265358979323846264338327950288419716939937511")


def split(value: Fraction, parts: int, kept_bits: int) -> list[Constant]:
    """``value`` as a sum of constants, each but the last with ``kept_bits`` significant bits.

    Products of such a part with a small integer are exact (Cody and Waite's range reduction).
    """
    constants: list[Constant] = []
    rest = value
    for _ in range(parts - 1):
        unit = Fraction(2) ** (math.frexp(float(rest))[1] - kept_bits)
        head = round(rest / unit) * unit
        constants.append(constant(float(head)))
        rest -= head
    return [*constants, constant(float(rest))]


def exp_fit(degree: int, exact: int) -> Fit:
    """e^r on |r| <= ln(2)/2 as 1 + c1 r + c2 r^2 + ...: the c's, the first ``exact`` as in Taylor.

    Coefficients that are 1 and 1/2 exactly keep the rounding errors of the rest small (float64);
    where few terms must do, all of them are free.
    """
    half = float(LN2 / 2) * 1.001

    def rest(r: Array) -> Array:  # what the free terms stand for, over r^(exact + 1)
        wide = r.astype(np.longdouble)
        term = np.ones_like(wide) / math.factorial(exact + 1)
        series = term.copy()
        for k in range(exact + 2, 26):
            term = term * wide / k
            series = series + term
        return series.astype(np.float64)

    def weight(r: Array) -> Array:
        return np.abs(r) ** (exact + 1)

    taylor = tuple(1 / math.factorial(k) for k in range(1, exact + 1))
    return Fit(rest, -half, half, degree - exact, weight, taylor)
