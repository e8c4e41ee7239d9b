"""Random operations element by element."""

# Written as users write kernels, without types for lambdas.
# pyright: basic

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oxegg.fuzz.fitting import bounded, fitted

UNARY = (
    np.negative, np.abs, np.square, np.sign, np.invert, np.logical_not, np.positive, np.signbit,
    np.isnan, np.isfinite, np.isinf, np.bitwise_count, np.nan_to_num, np.fabs,
)  # fmt: skip
BINARY = (
    np.add, np.subtract, np.multiply, np.maximum, np.minimum, np.fmax, np.fmin, np.less, np.equal,
    np.not_equal, np.greater_equal, np.greater, np.less_equal, np.bitwise_and, np.bitwise_or,
    np.bitwise_xor, np.logical_or, np.logical_and, np.logical_xor, np.copysign, np.heaviside,
)  # fmt: skip


def _up_to(limit: int) -> Callable[[Any], Any]:
    return lambda x: np.minimum(x, limit)


def _positive(x: Any) -> Any:
    return np.abs(x) + 1


def _tame(x: Any) -> Any:
    return x


FUNCTIONS: tuple[tuple[Callable[..., Any], Callable[[Any], Any]], ...] = (
    (np.exp, _up_to(8)), (np.exp2, _up_to(8)), (np.tanh, _tame), (np.sin, _tame), (np.cos, _tame),
    (np.sqrt, np.abs), (np.log, _positive), (np.log2, _positive), (np.log10, _positive),
    (np.reciprocal, _positive), (np.floor, _tame), (np.ceil, _tame), (np.trunc, _tame),
    (np.rint, _tame), (np.deg2rad, _tame), (np.degrees, _tame), (np.cosh, _tame),
    (lambda x: x**3, _tame), (lambda x: x**1.5, _positive), (np.sinh, _tame), (np.expm1, _tame),
    (np.log1p, np.abs), (np.tan, _tame), (np.square, _tame),
    (lambda x: np.round(x, 1), _tame), (lambda x: 1 / (1 + np.exp(-x)), _tame),
    (lambda x: 0.5 * x * (1 + np.tanh(0.8 * x)), _tame), (lambda x: 1 / np.sqrt(x), _positive),
)  # fmt: skip


def unary(x: Any, y: Any, a: int, b: int) -> Any:
    del y, b
    return UNARY[a % len(UNARY)](bounded(x))


def binary(x: Any, y: Any, a: int, b: int) -> Any:
    x, y = fitted(x, y) if b & 3 else fitted(x[..., None], y)
    return BINARY[a % len(BINARY)](bounded(x), bounded(y))


def with_number(x: Any, y: Any, a: int, b: int) -> Any:
    del y
    number = b % 7 if b & 1 or x.dtype.kind != "f" else 0.5 - b
    return BINARY[a % len(BINARY)](bounded(x), number)


def with_positions(x: Any, y: Any, a: int, b: int) -> Any:
    del y
    if x.ndim == 0:
        return x
    made = (np.arange(x.shape[-1]) - b % 3, np.linspace(0, b % 5, x.shape[-1]), np.ones(1))[a % 3]
    return BINARY[b % len(BINARY)](bounded(x), made.astype(x.dtype) if a & 4 else made)


def chosen(x: Any, y: Any, a: int, b: int) -> Any:
    x, y = fitted(x, y)
    if a & 4:
        return np.select([x > b % 5, y > 1], [x, y], b % 3)
    return np.where(x > b % 5, x if a & 2 else y, y if a & 1 else 1)


def function(x: Any, y: Any, a: int, b: int) -> Any:
    del y, b
    function, domain = FUNCTIONS[a % len(FUNCTIONS)]
    return function(domain(bounded(x)))


def clipped(x: Any, y: Any, a: int, b: int) -> Any:
    x, y = fitted(x, y)
    return np.clip(x, -(a % 7), b % 9) if a & 1 else np.clip(x, y, None) if a & 2 else x.clip(0, y)


def shifted(x: Any, y: Any, a: int, b: int) -> Any:
    if x.dtype.kind not in "iu":
        return x
    if a & 4 and y.dtype == x.dtype:
        x, y = fitted(x, y)
        return np.left_shift(x, y) if a & 1 else np.right_shift(x, y & 7)
    return x << (b % 4) if a & 1 else x >> (b % 4)


def divided(x: Any, y: Any, a: int, b: int) -> Any:
    x, y = fitted(bounded(x), bounded(y))
    if "b" in (x.dtype.kind, y.dtype.kind):
        return x
    operation = (np.floor_divide, np.remainder, np.fmod, np.divide)[a % 4]
    whole = x.dtype.kind in "iu" and y.dtype.kind in "iu" and operation is not np.divide
    if b & 8:
        return operation(x, b % 6 + 1)
    return operation(x, y if whole else np.abs(y) + 1)


CASTS = ("f4", "i2", "u1", "f8", "?", "i8", "i4", "u4", "f2", "i1", "u2", "u8")


def cast(x: Any, y: Any, a: int, b: int) -> Any:
    """Of numbers that every type holds, or of any number (which wraps, or is left open)."""
    if b & 1 and x.dtype.itemsize == y.dtype.itemsize and "b" not in (x.dtype.kind, y.dtype.kind):
        return x.view(y.dtype)
    return (x if b & 2 else np.clip(x, -100, 100)).astype(CASTS[a % len(CASTS)])
