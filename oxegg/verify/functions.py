"""Elementary functions: how an error of the argument spreads to the result.

``b`` bounds the error of the argument x, y is f(x); each row bounds |f(x + d) - f(x)| over all
|d| <= b. An infinite or NaN spread means that f may leave its domain: the point is excluded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.ir.elementary import FUNCTIONS

Array = npt.NDArray[Any]


def _result(x: Array, y: Array) -> Array:
    del x
    return np.abs(y)


def _argument(x: Array, y: Array) -> Array:
    del y
    return np.abs(x)


@dataclass(frozen=True, slots=True)
class Function:
    """``spread(x, y, b)`` as above; ``scale(x, y)`` is what relative accuracy is relative to.

    ``reduced``: implementations multiply or shift the argument first (x * log2 e, x mod 2 pi),
    which costs one more rounding of it. ``flushes``: of a result below the smallest normal number
    they may make anything between 0 and that.
    """

    evaluate: Callable[[Array], Array]
    spread: Callable[[Array, Array, Array], Array]
    scale: Callable[[Array, Array], Array] = _result
    reduced: bool = False
    flushes: bool = False


def _relative(b: Array, x: Array) -> Array:
    """b / |x|, infinite from 1 on: the argument may be zero or change its sign."""
    ratio = np.where(b == 0, 0.0, b / np.abs(x))
    return np.where(ratio < 1, ratio, np.inf)


def _nearest_zero(x: Array, b: Array) -> Array:
    """Smallest |argument| within reach: where a derivative that falls with |x| is largest."""
    return np.maximum(np.abs(x) - b, 0)


def _sqrt_spread(x: Array, y: Array, b: Array) -> Array:
    return np.where(b == 0, 0.0, b / (y + np.sqrt(x - b)))


def _reciprocal_spread(x: Array, y: Array, b: Array) -> Array:
    ratio = _relative(b, x)
    return np.where(ratio == 0, 0.0, np.abs(y) * ratio / (1 - ratio))


def _rsqrt_spread(x: Array, y: Array, b: Array) -> Array:
    return y * np.expm1(-0.5 * np.log1p(-_relative(b, x)))


def _sigmoid_spread(x: Array, y: Array, b: Array) -> Array:
    small = np.exp(-_nearest_zero(x, b))
    return b * small / (1 + small) ** 2


def _gelu_spread(x: Array, y: Array, b: Array) -> Array:
    """|f'| b + max|f''| b^2 / 2 with f' = Phi(x) + x phi(x) and |f''| <= 2 phi(0) < 0.8."""
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    cumulative = np.where(x == 0, 0.5, y / np.where(x == 0, 1, x))
    return np.abs(cumulative + x * density) * b + 0.4 * b * b


def _row(
    name: str,
    spread: Callable[[Array, Array, Array], Array],
    scale: Callable[[Array, Array], Array] = _result,
    reduced: bool = False,
    flushes: bool = False,
) -> tuple[str, Function]:
    return name, Function(FUNCTIONS[name], spread, scale, reduced, flushes)


_LN2 = math.log(2)

TABLE: dict[str, Function] = dict(
    [
        ("sqrt", Function(np.sqrt, _sqrt_spread)),
        ("reciprocal", Function(np.reciprocal, _reciprocal_spread)),
        _row("rsqrt", _rsqrt_spread),
        _row("exp", lambda x, y, b: y * np.expm1(b), reduced=True, flushes=True),
        _row("exp2", lambda x, y, b: y * np.expm1(b * _LN2), reduced=True, flushes=True),
        _row("expm1", lambda x, y, b: (y + 1) * np.expm1(b)),
        _row("log", lambda x, y, b: -np.log1p(-_relative(b, x))),
        _row("log2", lambda x, y, b: -np.log1p(-_relative(b, x)) / _LN2),
        _row("log1p", lambda x, y, b: -np.log1p(-_relative(b, 1 + x))),
        _row("sin", lambda x, y, b: np.minimum(b, 2), lambda x, y: np.minimum(np.abs(x), 1), True),
        _row("cos", lambda x, y, b: np.minimum(b, 2), lambda x, y: np.ones_like(y), True),
        _row("tanh", lambda x, y, b: b / np.cosh(_nearest_zero(x, b)) ** 2, reduced=True),
        _row(
            "erf", lambda x, y, b: b * np.exp(-(_nearest_zero(x, b) ** 2)) * 2 / math.sqrt(math.pi)
        ),
        _row("sigmoid", _sigmoid_spread, reduced=True, flushes=True),
        # x * (1 + erf(x / sqrt 2)) / 2 cancels for negative x: accurate relative to |x|
        _row("gelu", _gelu_spread, _argument, True),
    ]
)
