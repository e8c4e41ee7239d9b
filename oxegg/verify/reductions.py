"""Sums, products and extrema along an axis, and contractions without their cube of products."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.ir import Axis, ElementType, Term
from oxegg.verify.enclosure import (
    Enclosure,
    discrete,
    is_zero,
    join,
    nothing,
    seal,
    smallest_normal,
    underflow,
)
from oxegg.verify.ring import cross_errors, multiply

Array = npt.NDArray[Any]

_DISCRETE: dict[str, np.ufunc] = {
    "add": np.add,
    "mul": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}


def reduce(term: Term, child: Enclosure) -> Enclosure:
    """``child`` has the axes of ``term.children[0]``; the reduced one is dropped."""
    operator, axis = term.attributes
    where = term.children[0].axes.index(axis)
    if not term.type.is_float:
        spread = _spread(child, where, axis.size)
        ufunc = _DISCRETE[operator]
        return discrete(
            np.asarray(ufunc.reduce(spread.value, axis=where, dtype=term.type.numpy)),
            np.asarray(spread.defined.all(axis=where)),
        )
    if operator == "add":
        return seal(term.type, _sum(child, where, axis.size))
    if operator == "mul":
        return _running_products(term, _spread(child, where, axis.size), where)[-1]
    sign = 1 if operator in ("max", "maxnum") else -1
    return _extremum(_spread(child, where, axis.size), where, sign)


def scan(term: Term, child: Enclosure) -> Enclosure:
    """Running results along the axis, which stays."""
    operator, axis = term.attributes
    where = term.children[0].axes.index(axis)
    spread = _spread(child, where, axis.size)
    if not term.type.is_float:
        value = _DISCRETE[operator].accumulate(spread.value, axis=where, dtype=term.type.numpy)
        return discrete(value, np.logical_and.accumulate(spread.defined, axis=where))
    if operator == "add":
        return seal(term.type, _running_sums(spread, where))
    if operator == "mul":
        rows = _running_products(term, spread, where)
        return join([r.map(lambda x: np.expand_dims(x, where)) for r in rows], where)
    sign = 1 if operator in ("max", "maxnum") else -1
    return _running_extrema(spread, where, sign)


def _spread(child: Enclosure, where: int, size: int) -> Enclosure:
    """All arrays at full size along one dimension."""

    def full(x: Array) -> Array:
        return np.broadcast_to(x, (*x.shape[:where], size, *x.shape[where + 1 :]))

    return child.map(full)


def _sum(child: Enclosure, where: int, size: int) -> Enclosure:
    def total(x: Array) -> Array:
        repeats = size // x.shape[where]
        return np.asarray(x.sum(axis=where) * repeats)

    return replace(
        child,
        value=total(child.value),
        magnitude=total(child.magnitude),
        carried=total(child.carried),
        defined=np.asarray(child.defined.all(axis=where)),
        addends=child.addends * size,
        peak=None,
    )


def _running_sums(child: Enclosure, where: int) -> Enclosure:
    """Each prefix has a bound for its own length, so the result is settled."""
    magnitude = child.magnitude.cumsum(axis=where)
    shape = [1] * magnitude.ndim
    shape[where] = magnitude.shape[where]
    length = np.arange(1, shape[where] + 1, dtype=np.float64).reshape(shape) * child.addends
    gamma = np.expm1(child.roundings * np.log1p(child.unit) + np.log1p((length - 1) * child.unit))
    carried = gamma * magnitude + (1 + gamma) * child.carried.cumsum(axis=where)
    return Enclosure(
        child.value.cumsum(axis=where),
        magnitude,
        carried,
        np.logical_and.accumulate(child.defined, axis=where),
        child.unit,
    )


def _running_products(term: Term, child: Enclosure, where: int) -> list[Enclosure]:
    """One enclosure for each prefix, without the axis."""

    def row(i: int) -> Enclosure:
        return child.map(lambda x: np.take(x, i, axis=where))

    rows = [row(0)]
    for i in range(1, child.value.shape[where]):
        rows.append(seal(term.type, multiply(term, rows[-1], row(i))))
    return rows


def _extremum(child: Enclosure, where: int, sign: int) -> Enclosure:
    """The winner's error, or how far any loser may rise above the winner."""
    error = np.broadcast_to(child.error, child.value.shape)
    winner = np.expand_dims((sign * child.value).argmax(axis=where), where)
    value = np.take_along_axis(child.value, winner, axis=where)
    own = np.take_along_axis(error, winner, axis=where)
    rise = (error - np.abs(child.value - value)).max(axis=where)
    value = value.squeeze(where)
    return Enclosure(
        value,
        np.abs(value).astype(np.float64),
        np.maximum(own.squeeze(where), rise).astype(np.float64),
        np.asarray(child.defined.all(axis=where)),
        child.unit,
    )


def _running_extrema(child: Enclosure, where: int, sign: int) -> Enclosure:
    error = child.error
    value = sign * np.maximum.accumulate(sign * child.value, axis=where)
    # the error of everything seen so far bounds the error of the extremum of it
    carried = np.maximum.accumulate(np.broadcast_to(error, value.shape), axis=where)
    return Enclosure(
        value,
        np.abs(value).astype(np.float64),
        carried.astype(np.float64),
        np.logical_and.accumulate(child.defined, axis=where),
        child.unit,
    )


def contract(
    term: Term, summed: Sequence[Axis], product: Term, left: Enclosure, right: Enclosure
) -> Enclosure:
    """``term``, the sum over ``summed`` of ``product``, without the products themselves.

    Values, magnitudes and errors are matrix products of those of the two factors.
    """
    type_, out = term.type, term.axes
    length = math.prod(axis.size for axis in summed)
    axes = (product.children[0].axes, product.children[1].axes)
    sizes = _sizes(summed, axes, (left, right))
    one, two = (_full(e, a, sizes) for e, a in zip((left, right), axes, strict=True))
    einsum = _einsum(axes[0], axes[1], out)
    if is_zero(left.carried) and is_zero(right.carried):
        carried = nothing(len(out))
    else:
        carried = cross_errors(one, two, einsum)
    raw = Enclosure(
        einsum(one.value, two.value),
        einsum(one.magnitude, two.magnitude),
        carried + length * _least_product_underflow(type_, left.magnitude, right.magnitude),
        _all_defined(one, two, einsum, len(out)),
        left.unit,
        left.depth + right.depth + 1,
        length,
    )
    return seal(type_, raw)


def _sizes(
    summed: Sequence[Axis], axes: Sequence[Sequence[Axis]], operands: Sequence[Enclosure]
) -> dict[Axis, int]:
    """Extent of each axis: full if summed, otherwise what the arrays have (1 if constant)."""
    sizes = dict.fromkeys((a for own in axes for a in own), 1)
    for own, operand in zip(axes, operands, strict=True):
        for part in (operand.value, operand.magnitude, operand.carried, operand.defined):
            sizes.update({a: max(sizes[a], n) for a, n in zip(own, part.shape, strict=True)})
    return sizes | {a: a.size for a in summed}


def _full(enclosure: Enclosure, axes: Sequence[Axis], sizes: Mapping[Axis, int]) -> Enclosure:
    shape = [sizes[a] for a in axes]
    return enclosure.map(lambda x: np.broadcast_to(x, shape))


def _einsum(
    left: Sequence[Axis], right: Sequence[Axis], out: Sequence[Axis]
) -> Callable[[Array, Array], Array]:
    axes = sorted({*left, *right, *out}, key=lambda a: a.name)
    number = {axis: i for i, axis in enumerate(axes)}
    a, b, c = ([number[x] for x in part] for part in (left, right, out))
    return lambda x, y: np.asarray(np.einsum(x, a, y, b, c, optimize=True))


def _least_product_underflow(type_: ElementType, left: Array, right: Array) -> float:
    """Half a subnormal step when some product may be subnormal."""
    floors = [x[x > 0].min(initial=np.inf) for x in (left, right)]
    return underflow(type_) if float(floors[0]) * float(floors[1]) < smallest_normal(type_) else 0.0


def _all_defined(
    left: Enclosure, right: Enclosure, einsum: Callable[[Array, Array], Array], ndim: int
) -> Array:
    if left.defined.all() and right.defined.all():
        return np.ones((1,) * ndim, np.bool_)
    holes = [(~e.defined).astype(np.float64) for e in (left, right)]
    count = einsum(holes[0], np.ones_like(holes[1])) + einsum(np.ones_like(holes[0]), holes[1])
    return count == 0
