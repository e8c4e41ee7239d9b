"""What the source leaves open, so that no result may be held against it.

``numpy.astype`` says nothing about floats that the integer type can't hold, and IEEE 754-2019
(6.3) nothing about the sign of a NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.ir import Kernel, Term, const, pointwise, run_kernel, topological

Array = npt.NDArray[Any]


def settled(kernel: Kernel, inputs: Mapping[str, Array]) -> list[Array]:
    """Per output, in its memory layout: the elements that all readings of the source agree on.

    The readings put the smallest value, the largest and 1 (the signs - and +) in the open places,
    or what NumPy makes of them here.
    """
    first = run_kernel(kernel, inputs)
    agreed = [np.ones(array.shape, np.bool_) for array in first]
    readings = [_reading(kernel, number) for number in range(3)]
    for reading in readings:
        if reading is not kernel:
            again = run_kernel(reading, inputs)
            agreed = [ok & _same(a, b) for ok, a, b in zip(agreed, first, again, strict=True)]
    return agreed


def _same(a: Array, b: Array) -> Array:
    if a.dtype.kind not in "fV":
        return a == b
    return ((a == b) & (np.signbit(a) == np.signbit(b))) | (np.isnan(a) & np.isnan(b))


def _reading(kernel: Kernel, number: int) -> Kernel:
    """The kernel with the open places filled in; the kernel itself where there are none."""
    read: dict[int, Term] = {}
    for term in topological([out.value for out in kernel.outputs]):
        children = tuple(read[id(child)] for child in term.children)
        same = all(new is old for new, old in zip(children, term.children, strict=True))
        read[id(term)] = _filled(term if same else replace(term, children=children), number)
    if all(read[id(out.value)] is out.value for out in kernel.outputs):
        return kernel
    outputs = tuple(replace(out, value=read[id(out.value)]) for out in kernel.outputs)
    return replace(kernel, outputs=outputs)


def _filled(term: Term, number: int) -> Term:
    """A term whose open elements are fixed."""
    whole = term.type.is_integer and term.children and term.children[0].type.is_float
    if term.operator == "copysign":
        size, sign = term.children
        fixed = pointwise("copysign", size, const((-1.0, 1.0, -1.0)[number], size.type))
        return pointwise("select", pointwise("eq", sign, sign), term, fixed)
    if not whole or term.operator not in ("convert", "bitcast"):
        return term
    (x,) = term.children
    known = pointwise("eq", x, x) if term.operator == "bitcast" else _fits(x, term)
    fill = const((term.type.minimum, term.type.maximum, 1)[number], term.type)
    return pointwise("select", known, term, fill)


def _fits(x: Term, term: Term) -> Term:
    """Whether x, rounded towards zero, is a number of the term's type.

    The limits are powers of two, so they are exact, or infinite where x can't reach them.
    """
    cut = pointwise("trunc", x)
    least = const(float(term.type.minimum), x.type)
    above = const(float(term.type.maximum + 1), x.type)
    assert least.constant is not None
    at_least = "le" if math.isfinite(least.constant) else "lt"
    return pointwise("and", pointwise(at_least, least, cut), pointwise("lt", cut, above))
