"""Two meanings of each operation, NumPy's and the solver's, on corner and random values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from oxegg.ir import Axis, evaluate, input_, pointwise
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.types import BF16, BOOL, F16, F32, F64, I8, I16, I64, U8, U32, ElementType
from oxegg.rule_lab import smt
from oxegg.rule_lab.instances import random_values
from oxegg.rule_lab.selection_proof import prove_lane_reductions
from oxegg.rule_lab.solver import z3

TYPES = (BOOL, I8, I64, U8, U32, F16, BF16, F32, F64)
TARGETS = (BOOL, I8, I16, U32, F16, BF16, F64)
UNKNOWN = ("exp", "exp2", "expm1", "log", "log2", "log1p", "sin", "cos", "tanh", "erf", "sigmoid",
           "gelu", "rsqrt", "reciprocal_estimate", "rsqrt_estimate")  # fmt: skip
POINTS = Axis("p", 60)


def forms() -> Iterator[Any]:
    for name, row in OPERATIONS.items():
        for of in TYPES:
            bitwise = name in ("and", "or", "xor", "not") and of.is_float
            if name in UNKNOWN or bitwise or not row.accepts(of):
                continue
            targets = [t for t in TARGETS if t is not of]
            if name == "bitcast":
                targets = [t for t in targets if t.bits == of.bits]
            if name == "to_int":
                targets = [I8, I16, U32]
            for to in targets if row.types == "convert" else [of]:
                yield pytest.param(name, of, to, id=f"{name}-{of}-{to}")


def bits(values: Any, number: int) -> int:
    return int.from_bytes(np.asarray(values[number]).tobytes(), "little")


def symbol(values: Any, number: int, type_: ElementType) -> Any:
    if type_ is BOOL:
        return z3.BoolVal(bool(values[number]))
    raw = z3.BitVecVal(bits(values, number), type_.bits)
    return z3.fpBVToFP(raw, smt.sort(type_)) if type_.is_float else raw


def inside(of: ElementType, to: ElementType, value: Any) -> bool:
    return bool(z3.is_true(z3.simplify(smt.fits(of, to, value, smt.TO_ZERO))))


@pytest.mark.parametrize(("name", "of", "to"), list(forms()))
def test_numpy_and_the_solver_agree(name: str, of: ElementType, to: ElementType) -> None:
    row = OPERATIONS[name]
    types = [BOOL, of, of] if row.types == "select" else [of] * row.arity
    inputs = [input_(f"x{i}", t, (POINTS,)) for i, t in enumerate(types)]
    rng = np.random.default_rng(3)
    arrays = [random_values(rng, term, True) for term in inputs]
    term = pointwise(name, *inputs, to=to if row.types == "convert" else None)
    with np.errstate(all="ignore"):
        (wanted,) = evaluate([term], {f"x{i}": a for i, a in enumerate(arrays)})
    for number in range(POINTS.size):
        operands = [symbol(a, number, t) for a, t in zip(arrays, types, strict=True)]
        got = smt.apply(name, of, term.type, operands)
        same = z3.simplify(got == symbol(wanted, number, term.type))
        assert z3.is_true(same), f"{[a[number] for a in arrays]}: NumPy gives {wanted[number]!r}"


def test_instructions_that_fold_lanes() -> None:
    assert all(prove_lane_reductions().values())
