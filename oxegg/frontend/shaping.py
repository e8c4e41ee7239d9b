"""Reshapes and dimension bookkeeping on values."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from oxegg.errors import LoweringError
from oxegg.frontend.value import Value, flatten, split


def reshape(value: Value, shape: Sequence[int]) -> Value:
    """Row-major reshape: axes are split and merged; a copy only where they would cross."""
    total = prod(value.shape)
    wanted = list(shape)
    if wanted.count(-1) == 1:
        known = prod(n for n in wanted if n != -1)
        wanted[wanted.index(-1)] = total // known if known else 0
    if prod(wanted) != total or min(wanted, default=1) < 1:
        raise LoweringError(f"an array of shape {value.shape} has no shape {tuple(shape)}")
    reshaped = split(value, wanted)
    if reshaped is None:
        merged = flatten(value.with_dims([value.axes]), 0)
        reshaped = split(merged, wanted)
    assert reshaped is not None, "one axis can be split into any factors of its size"
    return reshaped


def transpose(value: Value, order: Sequence[int]) -> Value:
    """Dimensions in another order: the term stays as it is."""
    if sorted(order) != list(range(len(value.dims))):
        raise LoweringError(
            f"axes {tuple(order)} are no permutation of {len(value.dims)} dimensions"
        )
    return value.with_dims([value.dims[i] for i in order])


def at_least(value: Value, rank: int) -> Value:
    """np.atleast_1d, _2d, _3d."""
    dims = list(value.dims)
    if rank == 3 and len(dims) == 2:
        return value.with_dims([*dims, ()])
    if rank == 3 and len(dims) == 1:
        return value.with_dims([(), *dims, ()])
    return value.with_dims([*[()] * (rank - len(dims)), *dims])
