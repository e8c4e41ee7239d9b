"""Random products of matrices: element types, shapes, layouts, batches, what is done afterwards."""

from __future__ import annotations

import random

from oxegg.ir import Axis, Term, input_, pointwise, reduce
from oxegg.ir.term import Kernel, Output, const
from oxegg.ir.types import BF16, F16, F32, I8, I32, U8, U32

SIZES = (1, 3, 4, 7, 8, 12, 16, 17, 20, 32, 33, 64, 100)
FACTORS = (
    (I8, I8, I32), (U8, U8, I32), (U8, U8, U32), (U8, I8, I32), (I8, U8, I32),
    (BF16, BF16, F32), (F16, F16, F32), (F32, F32, F32),
)  # fmt: skip
AFTERWARDS = ("nothing", "bias", "residual", "relu", "bias and relu", "narrow", "scale")


def matrix_product(seed: int) -> Kernel:
    """Σ_k a·b over axes in any order in memory, some of them batched."""
    random_ = random.Random(seed)
    m, n, k = (Axis(name, random_.choice(SIZES)) for name in "mnk")
    left, right, type_ = random_.choice(FACTORS)
    batch = [Axis("b", 2)] if random_.random() < 0.25 else []
    layouts = [random_.choice(((m, k), (k, m))), random_.choice(((n, k), (k, n)))]
    a = input_("a", left, (*batch, *layouts[0]))
    b = input_("b", right, (*(batch if random_.random() < 0.5 else ()), *layouts[1]))
    factors = [x if x.type is type_ else pointwise("convert", x, to=type_) for x in (a, b)]
    random_.shuffle(factors)
    total = reduce("add", k, pointwise("mul", *factors))
    value, inputs = _afterwards(random_.choice(AFTERWARDS), total, (*batch, m, n), [a, b])
    layout = (*batch, m, n) if random_.random() < 0.7 else (*batch, n, m)
    name = f"product_{seed}"
    present = tuple(axis for axis in layout if axis in value.axes)
    return Kernel(name, tuple(inputs), (Output("result", value, present),))


def _afterwards(
    what: str, total: Term, layout: tuple[Axis, ...], inputs: list[Term]
) -> tuple[Term, list[Term]]:
    type_ = total.type
    if what.startswith("bias"):
        inputs = [*inputs, input_("bias", type_, layout[-1:])]
        total = pointwise("add", total, inputs[-1])
    if what == "residual":
        inputs = [*inputs, input_("residual", type_, layout)]
        total = pointwise("add", inputs[-1], total)
    if what.endswith("relu") and type_ is not U32:
        total = pointwise("max", total, const(0, type_))
    if what == "narrow" and type_ is F32:
        total = pointwise("convert", total, to=BF16)
    if what == "scale":
        total = pointwise("mul", total, const(3, type_))
    return total, inputs
