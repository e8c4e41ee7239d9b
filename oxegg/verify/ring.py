"""Sums and products: errors in a form that holds for every order of evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.ir import Term
from oxegg.verify.enclosure import Enclosure, is_zero, smallest_normal, underflow

Array = npt.NDArray[Any]


def add(left: Enclosure, right: Enclosure, sign: int = 1) -> Enclosure:
    """left + sign * right: errors add, the sum may be formed in any order."""
    return Enclosure(
        left.value + sign * right.value,
        left.magnitude + right.magnitude,
        left.carried + right.carried,
        left.defined & right.defined,
        left.unit,
        max(left.roundings, right.roundings),
        left.addends + right.addends,
    )


def multiply(term: Term, left: Enclosure, right: Enclosure) -> Enclosure:
    """left * right: |ab - a'b'| <= |a| eb + ea |b| + ea eb, half a subnormal step if it is tiny."""
    magnitude = _magnitude(left.magnitude, right.magnitude)
    return Enclosure(
        left.value * right.value,
        magnitude,
        cross_errors(left, right, np.multiply) + underflows(term, magnitude),
        left.defined & right.defined,
        left.unit,
        left.depth + right.depth + 1,
        1,
        left.highest * right.highest,
    )


def _magnitude(left: Array, right: Array | float) -> Array:
    """A product of magnitudes that isn't rounded to zero: what underflows leaves a trace."""
    product = left * right
    if product.size and product.min() > 0:
        return product
    return np.where((product == 0) & (left > 0) & (np.asarray(right) > 0), 5e-324, product)


def cross_errors(
    left: Enclosure, right: Enclosure, product: Callable[[Array, Array], Array]
) -> Array:
    """Carried error of a bilinear ``product``."""
    if is_zero(left.carried) and is_zero(right.carried):
        return np.zeros((1,) * left.carried.ndim)
    onto_right = product(left.carried, right.magnitude + right.carried)
    if is_zero(right.carried):
        return onto_right
    return onto_right + product(left.magnitude, right.carried)


def underflows(term: Term, magnitude: Array) -> Array:
    """Half a subnormal step where a rounded result may be subnormal, 0 elsewhere."""
    tiny = smallest_normal(term.type)
    if not magnitude.size or float(magnitude.min()) >= tiny:
        return np.zeros((1,) * magnitude.ndim)
    return np.where((magnitude > 0) & (magnitude < tiny), underflow(term.type), 0.0)


def scale(enclosure: Enclosure, factor: float) -> Enclosure:
    """Product with a power of two: no rounding, no change to the order of sums."""
    size = abs(factor)
    return replace(
        enclosure,
        value=enclosure.value * enclosure.value.dtype.type(factor),
        magnitude=_magnitude(enclosure.magnitude, size),
        carried=enclosure.carried * size,
        peak=enclosure.highest * max(size, 1.0),
    )
