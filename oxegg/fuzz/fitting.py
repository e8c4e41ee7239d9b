"""Making random arrays fit for an operation."""

from __future__ import annotations

from typing import Any

import numpy as np


def bounded(x: Any) -> Any:
    """Keep floating-point numbers where products of several stay finite."""
    return np.minimum(np.maximum(x, -9), 9) if x.dtype.kind in "fV" else x


def fitted(x: Any, y: Any) -> tuple[Any, Any]:
    """Slices of both that broadcast together."""
    for axis in range(-min(x.ndim, y.ndim), 0):
        m, n = x.shape[axis], y.shape[axis]
        if 1 not in (m, n) and m != n:
            keep = (..., slice(0, min(m, n)), *[slice(None)] * (-axis - 1))
            x, y = x[keep], y[keep]
    return x, y


def alike(x: Any, y: Any, free: int | None = None) -> tuple[Any, Any]:
    """Slices of both that have one shape, except along the axis ``free``."""
    while y.ndim < x.ndim:
        y = y[None]
    while x.ndim < y.ndim:
        x = x[None]
    ends = [min(m, n) for m, n in zip(x.shape, y.shape, strict=True)]
    key = tuple(slice(None) if i == free else slice(0, n) for i, n in enumerate(ends))
    return x[key], y[key]


def row(x: Any, length: int) -> Any:
    """The first elements as a vector."""
    return x.reshape(-1)[:length]
