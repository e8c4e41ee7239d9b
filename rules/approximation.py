"""Polynomials close to the best possible, computed rather than listed.

A least-squares fit on Chebyshev nodes, iteratively reweighted (Lawson's method), lands within a
few percent of the minimax polynomial; coefficients are then rounded to the target format.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

from oxegg.rules.pattern import Constant, Pattern, apply, constant

Array = npt.NDArray[np.float64]


def fit(
    function: Callable[[Array], Array], low: float, high: float, powers: tuple[int, ...]
) -> list[float]:
    """Coefficients c with sum c_i x^powers_i close to ``function`` on [low, high].

    The maximum *absolute* error is made small: divide the function (and lower the powers) first
    where the relative error matters.
    """
    nodes = 60 * len(powers)
    angles = (np.arange(nodes) + 0.5) * np.pi / nodes
    x = (low + high) / 2 + (high - low) / 2 * np.cos(angles)
    scale = max(abs(low), abs(high))
    basis = np.stack([(x / scale) ** p for p in powers], axis=1)
    target = function(x)
    weights = np.ones(nodes)
    solution = np.zeros(len(powers))
    for _ in range(40):
        root = np.sqrt(weights)[:, None]
        solution = np.linalg.lstsq(basis * root, target * root[:, 0], rcond=None)[0]
        error = np.abs(basis @ solution - target)
        if error.max() == 0:
            break
        weights *= error / error.max() + 1e-3
        weights /= weights.sum()
    return [float(c / scale**p) for c, p in zip(solution, powers, strict=True)]


def horner(x: Pattern, coefficients: list[float]) -> Pattern:
    """c0 + c1 x + c2 x^2 ... by fused multiply-adds, lowest power first in the list."""
    value: Pattern = constant(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = apply("fma", value, x, constant(coefficient))
    return value


def split(value: float, parts: int, kept_bits: int) -> list[Constant]:
    """``value`` as a sum of constants, each but the last with ``kept_bits`` significant bits.

    Products of such a part with a small integer are exact (Cody and Waite's range reduction).
    """
    constants: list[Constant] = []
    rest = value
    for _ in range(parts - 1):
        exponent = np.floor(np.log2(abs(rest)))
        unit = 2.0 ** (exponent - kept_bits + 1)
        head = round(rest / float(unit)) * float(unit)
        constants.append(constant(head))
        rest -= head
    return [*constants, constant(rest)]


@cache
def exp_coefficients(degree: int) -> tuple[float, ...]:
    """e^r on |r| <= ln(2)/2 as 1 + r + r^2 (c2 + c3 r + ...): the c's."""
    half = float(np.log(2) / 2) * 1.001

    def tail(r: Array) -> Array:
        wide = r.astype(np.longdouble)
        series = np.zeros_like(wide) + np.longdouble(1) / 2
        term = np.longdouble(1) / 2 * np.ones_like(wide)
        for k in range(3, 24):
            term = term * wide / k
            series = series + term
        return series.astype(np.float64)

    return tuple(fit(tail, -half, half, tuple(range(degree - 1))))
