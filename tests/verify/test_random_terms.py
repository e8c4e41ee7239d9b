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
    topological,
)
from oxegg.verify import analyse, check, input_sets

Array = npt.NDArray[Any]
ROW, COLUMN = Axis("i", 5), Axis("j", 3)
UNARY = [
    "neg",
    "abs",
    "sqrt",
    "rsqrt",
    "exp",
    "log",
    "tanh",
    "erf",
    "sigmoid",
    "gelu",
    "sin",
    "cos",
    "expm1",
    "log1p",
    "exp2",
    "log2",
    "reciprocal",
    "floor",
    "ceil",
    "trunc",
    "rint",
]
BINARY = ["add", "sub", "mul", "div", "min", "max", "minnum", "maxnum", "copysign"]
TERNARY = ["fma", "fms", "fnma", "select"]
STRUCTURE = [f"{kind} {op}" for kind in ("reduce", "scan") for op in ("add", "mul", "max", "min")]
CHOICES = [*UNARY, *BINARY * 3, *TERNARY * 2, *STRUCTURE * 2, *["reverse", "narrow", "dot"] * 2]


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


def rearranged(roots: list[Term], choose: np.random.Generator) -> list[Term]:
    """Other terms with the same values over the reals."""
    made: dict[int, Term] = {}
    for term in topological(roots):
        children = [made[id(c)] for c in term.children]
        made[id(term)] = rearrange(term, children, int(choose.integers(4)))
    return [made[id(root)] for root in roots]


def rearrange(term: Term, children: list[Term], choice: int) -> Term:
    operator = term.operator
    if operator == "div" and choice:
        return pointwise("mul", children[0], pointwise("reciprocal", children[1]))
    if operator in ("add", "sub") and choice and children[0].operator == "mul":
        fused = "fma" if operator == "add" else "fms"
        return pointwise(fused, *children[0].children, children[1])
    if operator == "add" and choice and children[1].operator == "add":
        inner = children[1].children
        return pointwise("add", pointwise("add", children[0], inner[0]), inner[1])
    if operator == "mul" and choice and children[1].operator in ("add", "sub"):
        products = [pointwise("mul", children[0], c) for c in children[1].children]
        return pointwise(children[1].operator, *products)
    if operator == "reduce" and choice:
        return backwards(term, children[0])
    return rebuilt(term, children)


def backwards(term: Term, child: Term) -> Term:
    operator, axis = term.attributes
    return reduce(operator, axis, at(child, {axis: Affine.of(axis.size - 1, {axis: -1})}))


def rebuilt(term: Term, children: list[Term]) -> Term:
    if term.operator in ("reduce", "scan"):
        operator, axis = term.attributes
        return (reduce if term.operator == "reduce" else scan)(operator, axis, children[0])
    if term.operator == "at":
        return at(children[0], dict(term.attributes))
    if not children:
        return term
    to = term.type if term.operator == "convert" else None
    return pointwise(term.operator, *children, to=to)


@given(kernels(), st.integers(0, 1000))
@settings(max_examples=150)
def test_a_rearranged_kernel_passes_its_check(kernel: Kernel, seed: int) -> None:
    roots = rearranged([out.value for out in kernel.outputs], np.random.default_rng(seed))
    names = [term.attributes[0] for term in kernel.inputs]
    shapes = [[axis.size for axis in out.layout] for out in kernel.outputs]

    def run(arrays: list[Array]) -> list[Array]:
        values = evaluate(roots, dict(zip(names, arrays, strict=True)))
        return [np.broadcast_to(v, s) for v, s in zip(values, shapes, strict=True)]

    verdict = check(kernel, run, mode="real", seed=seed)
    assert not verdict.failures, "\n".join(map(str, verdict.failures))
