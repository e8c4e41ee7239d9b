"""Random reductions, products and windows."""

# Written as users write kernels, without types for lambdas.
# pyright: basic

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from oxegg.fuzz.fitting import alike, bounded, row

REDUCTIONS = (
    np.sum, np.max, np.min, np.sum, np.any, np.all, np.mean, np.argmax, np.prod, np.argmin,
    np.count_nonzero, np.ptp, np.var, np.std,
)  # fmt: skip
ACCUMULATED = (np.add, np.multiply, np.maximum, np.minimum, np.bitwise_xor, np.logical_or)


def reduced(x: Any, y: Any, a: int, b: int) -> Any:
    del y
    function = REDUCTIONS[a % len(REDUCTIONS)]
    axis: Any = None if x.ndim == 0 else [None, *range(x.ndim)][b % (x.ndim + 1)]
    if x.ndim > 1 and b & 32 and function not in (np.argmax, np.argmin):
        axis = (0, x.ndim - 1)
    return function(bounded(x), axis=axis, keepdims=bool(a & 16))


def normalized(x: Any, y: Any, a: int, b: int) -> Any:
    """A reduction and its operand together: softmax, norms, deviations."""
    del y
    if x.ndim == 0:
        return x
    x = bounded(x)
    kept = REDUCTIONS[a % 4](x, axis=b % x.ndim, keepdims=True)
    return np.subtract(x, kept) if x.dtype.kind != "b" else np.equal(x, kept)


def accumulated(x: Any, y: Any, a: int, b: int) -> Any:
    del y
    if x.ndim == 0:
        return x
    x, axis = bounded(x), b % x.ndim
    if a & 8:
        return np.diff(x, axis=axis) if x.shape[axis] > 1 else x
    return ACCUMULATED[a % len(ACCUMULATED)].accumulate(x, axis=axis)


def product(x: Any, y: Any, a: int, b: int) -> Any:
    x, y = (v if v.ndim else v[None] for v in (x, y))
    n = min(x.shape[-1], y.shape[0 if y.ndim == 1 else -2])
    x = bounded(x[..., :n])
    y = bounded(y[:n] if y.ndim == 1 else y[..., :n, :])
    while x.ndim > 2 and y.ndim > 2:
        y = y[0]
    if b & 4 and x.ndim == y.ndim == 2:
        return np.einsum("ij,jk->ki" if a & 1 else "ij,jk->i", x, y)
    return x @ y if b & 1 else np.matmul(x, y) + 1


def combined(x: Any, y: Any, a: int, b: int) -> Any:
    x, y = bounded(x), bounded(y)
    match a % 6:
        case 0:
            return np.outer(row(x, 20), row(y, 20))
        case 1:
            x, y = alike(x, y)
            return np.tensordot(x, y, axes=x.ndim if b & 1 else 0 if x.size < 30 else x.ndim)
        case 2:
            return np.convolve(row(x, 60), row(y, 5), ("full", "same", "valid")[b % 3])
        case 3:
            x, y = alike(x, y)
            return np.einsum("...a,...a->...", x, y) if x.ndim else x
        case 4:
            return np.vdot(row(x, 9), row(y, 9)[: min(x.size, 9)]) if y.size >= 9 else x
        case _:
            return np.trace(x[0] if x.ndim > 2 else x) if x.ndim > 1 else x


def windows(x: Any, y: Any, a: int, b: int) -> Any:
    if x.ndim == 0:
        return x
    axis = a % x.ndim
    size = min(x.shape[axis], b % 4 + 1)
    windows = sliding_window_view(bounded(x), size, axis=axis)
    if a & 4 and y.ndim and y.shape[-1] >= size:
        return windows @ bounded(y).reshape(-1)[:size]
    return (np.max, np.sum, np.min)[b % 3](windows, axis=-1) if a & 8 else windows
