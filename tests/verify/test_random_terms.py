"""Random terms: what ``ir.evaluate`` computes is always within the bound."""

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from oxegg.ir import (
    TYPES,
    Affine,
    Axis,
    ElementType,
    Kernel,
    Output,
    Term,
    at,
    const,
    evaluate,
    input_,
    pointwise,
    reduce,
    scan,
)
from oxegg.verify import analyse, input_sets

Array = npt.NDArray[Any]
ROW, COLUMN = Axis("i", 5), Axis("j", 3)
UNARY = ["neg", "abs", "sqrt", "rsqrt", "exp", "log", "tanh", "erf", "sigmoid", "gelu", "sin"]
UNARY += ["cos", "expm1", "log1p", "exp2", "log2", "reciprocal", "floor", "ceil", "trunc", "rint"]
BINARY = ["add", "sub", "mul", "div", "min", "max", "minnum", "maxnum", "copysign"]
TERNARY = ["fma", "fms", "fnma", "select"]
STRUCTURE = ["reduce add", "reduce mul", "reduce max", "reduce min", "scan add", "scan mul"]
STRUCTURE += ["scan max", "reverse", "narrow", "dot"]
CHOICES = [*UNARY, *BINARY * 3, *TERNARY * 2, *STRUCTURE * 2]


def node(draw: st.DrawFn, pool: list[Term], type_: ElementType) -> Term:
    what = draw(st.sampled_from(CHOICES))
    a, b, c = (draw(st.sampled_from(pool)) for _ in range(3))
    if what in UNARY:
        return pointwise(what, a)
    if what in BINARY:
        return pointwise(what, a, b)
    if what == "select":
        return pointwise("select", pointwise("le", a, b), b, c)
    if what in TERNARY:
        return pointwise(what, a, b, c)
    if what == "narrow":
        return pointwise("convert", pointwise("convert", a, to=TYPES["bf16"]), to=type_)
    if not a.axes:
        return pointwise("add", a, b)
    axis = draw(st.sampled_from(a.axes))
    if what == "reverse":
        return at(a, {axis: Affine.of(axis.size - 1, {axis: -1})})
    if what == "dot":
        return reduce("add", axis, pointwise("mul", a, b))
    kind, operator = what.split()
    return (reduce if kind == "reduce" else scan)(operator, axis, a)


@st.composite
def kernels(draw: st.DrawFn) -> Kernel:
    type_ = TYPES[draw(st.sampled_from(["f32", "f32", "f32", "f64", "f16"]))]
    inputs = [
        input_("x", type_, (ROW,)),
        input_("y", type_, (COLUMN,)),
        input_("z", type_, (COLUMN, ROW)),
    ]
    pool = [*inputs, const(0.7, type_), const(-2, type_)]
    for _ in range(draw(st.integers(1, 9))):
        pool.append(node(draw, pool, type_))
    outputs = [Output(f"o{n}", term, term.axes) for n, term in enumerate(pool[5:])]
    return Kernel("random", tuple(inputs), tuple(outputs))


@given(kernels(), st.integers(0, 1000))
@settings(max_examples=300)
def test_source_order_is_within_the_bound(kernel: Kernel, seed: int) -> None:
    sets = input_sets(kernel, seed=seed)
    chosen = sets[seed % len(sets)]
    roots = [out.value for out in kernel.outputs]
    got = evaluate(roots, chosen.arrays)
    for mine, bounds in zip(got, analyse(roots, chosen.arrays), strict=True):
        wide = mine.astype(bounds.value.dtype)
        with np.errstate(all="ignore"):
            inside = np.abs(wide - bounds.value) <= bounds.error
        assert (inside | ~bounds.defined).all()
