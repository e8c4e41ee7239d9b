"""Random changes of shape and place, and counted loops."""

# Written as users write kernels, without types for lambdas.
# pyright: basic

from __future__ import annotations

from typing import Any

import numpy as np

from oxegg.frontend import fori
from oxegg.fuzz.fitting import alike, bounded


def reshaped(x: Any, y: Any, a: int, b: int) -> Any:
    del y
    rows = max(d for d in range(1, a % 7 + 2) if x.size % d == 0)
    rest = x.size // rows
    columns = max(d for d in range(1, b % 5 + 2) if rest % d == 0)
    return x.reshape(rows, columns, rest // columns)


def sliced(x: Any, y: Any, a: int, b: int) -> Any:
    del y
    if x.ndim == 0:
        return x[None]
    axis, n = a % x.ndim, x.shape[a % x.ndim]
    keys: list[Any] = [slice(None)] * x.ndim
    step = (1, 2, -1, -2, 3)[b % 5]
    keys[axis] = slice(None, None, step) if b & 8 else (b % n if b & 16 else slice(b % n, None))
    return x[tuple(keys)]


def rearranged(x: Any, y: Any, a: int, b: int) -> Any:
    del y
    if x.ndim == 0:
        return np.broadcast_to(x, (b % 4 + 1,))
    matrix = x[0] if x.ndim > 2 else x
    match a % 10:
        case 0:
            return np.transpose(x, np.roll(range(x.ndim), b).tolist())
        case 1:
            return np.flip(x, axis=None if b & 1 else b % x.ndim)
        case 2:
            return np.rot90(matrix, b) if x.ndim > 1 else x[::-1]
        case 3:
            return np.swapaxes(x, 0, -1)
        case 4:
            return np.tril(matrix, b % 3 - 1) if x.ndim > 1 else x[:, None]
        case 5:
            return np.diagonal(matrix) if x.ndim > 1 else x
        case 6:
            return np.tile(x, (a // 10 % 2 + 1, b % 2 + 1))
        case 7:
            return np.roll(x, b % 5, axis=None if b & 8 else b % x.ndim)
        case 8:
            return np.repeat(x, b // 8 % 2 + 1, axis=b % x.ndim)
        case _:
            return np.broadcast_to(x, (b % 3 + 1, *x.shape))


def joined(x: Any, y: Any, a: int, b: int) -> Any:
    if x.ndim + y.ndim == 0:
        return np.stack([x, y])
    if a & 8:
        x, y = alike(x, y)
        return np.stack([x, y, x][: b % 3 + 1], axis=a % (x.ndim + 1))
    axis = a % max(x.ndim, y.ndim)
    x, y = alike(x, y, axis)
    return np.concatenate([x, y] if b & 1 else [y, x, y], axis=axis)


def padded(x: Any, y: Any, a: int, b: int) -> Any:
    del y
    mode = ("constant", "edge", "reflect", "wrap", "symmetric")[b % 5]
    width = a % 3 if mode == "constant" else min([a % 3, *(n - 1 for n in x.shape)])
    return np.pad(x, width, mode=mode)


def stored(x: Any, y: Any, a: int, b: int) -> Any:
    if x.ndim == 0:
        return x
    out = x.copy()
    axis, n = a % x.ndim, x.shape[a % x.ndim]
    key = (*[slice(None)] * axis, [slice(b % n, None), slice(None, None, 2), b % n][a % 3])
    region = out[key]
    number = y[(0,) * y.ndim]
    out[key] = number if b & 8 else region + 1 if region.dtype.kind != "b" else ~region
    return out


def taken(x: Any, y: Any, a: int, b: int) -> Any:
    if x.ndim == 0 or y.dtype.kind not in "iu":
        return x
    axis = a % x.ndim
    index = y.astype(np.int64) % x.shape[axis]
    if a & 8:
        return np.take_along_axis(x, np.argmax(bounded(x), axis=axis, keepdims=True), axis=axis)
    if a & 4 and x.ndim > 1:
        index = index.reshape(-1)[:5]
        return x[index % x.shape[0], index % x.shape[1]]
    index = index.reshape(-1)[:4] if b & 1 else index[(0,) * y.ndim]
    return np.take(x, index, axis=axis)


def folded(x: Any, y: Any, a: int, b: int) -> Any:
    """oxegg.fori with one state or two, over the whole array or row by row."""
    x, y, steps, type_ = bounded(x), bounded(y).astype(x.dtype), a % 6, x.dtype
    half = 0.5 if type_.kind in "fV" else 3
    match b % 7:
        case 0:
            return fori(steps, lambda _, s: (s * half + x).astype(type_), x)
        case 1 if x.ndim:
            return fori(x.shape[0], lambda i, s: np.maximum(s, x[i]), np.zeros_like(x[0]))
        case 2:
            x, y = (v.copy() for v in alike(x, y))
            return fori(steps, lambda _, s, t: (t, s + t), (x, y))[a & 1]
        case 3:
            return fori(steps, lambda i, s: np.where(s > i, s, s + x), x)
        case 4 if x.ndim:
            n = x.shape[0] - 1
            return fori(n + 1, lambda i, s, k: (s + x[n - i], k + 1), (x[0], 0))[0]
        case 5:

            def inner(i: Any, s: Any) -> Any:
                return fori(steps, lambda j, t: (t + x * (i + j)).astype(type_), s)

            return fori(2, inner, x)
        case _:
            return fori(steps, lambda i, s: (s * s * half + i).astype(type_), x)
