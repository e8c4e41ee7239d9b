"""The pointwise operations: one row each, with its type rule and its meaning.

``evaluate`` takes NumPy arrays of the operand types and returns the result in the result type,
each element computed on its own with one rounding. It is the reference that rules are refuted
against, so it favours being right over being fast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from oxegg.ir import elementary, floating
from oxegg.ir.types import ElementType

Array = npt.NDArray[Any]
TypeRule = Literal["same", "bool", "select", "convert"]
Domain = Literal["float", "integer", "bool", "number", "any"]


@dataclass(frozen=True, slots=True)
class Operation:
    """A pointwise operation.

    ``types``: "same" (operands and result alike), "bool" (alike operands, truth values out),
    "select" (bool, t, t -> t), "convert" (the result type is an attribute of the term).
    """

    name: str
    arity: int
    evaluate: Callable[..., Array]
    types: TypeRule = "same"
    domain: Domain = "number"
    commutative: bool = False

    def accepts(self, type_: ElementType) -> bool:
        """Whether operands (of a select: its values) may have this type."""
        return {
            "float": type_.is_float,
            "integer": type_.is_integer,
            "bool": type_.kind == "bool",
            "number": type_.kind != "bool",
            "any": True,
        }[self.domain]


def _wrap(function: Callable[..., Any]) -> Callable[..., Array]:
    """NumPy function with floating-point and overflow warnings silenced: values are defined."""

    def evaluate(*operands: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(function(*operands), dtype=np.asarray(operands[-1]).dtype)

    return evaluate


def _compare(function: Callable[..., Any]) -> Callable[..., Array]:
    def evaluate(left: Array, right: Array) -> Array:
        with np.errstate(invalid="ignore"):  # ml_dtypes warns about NaN
            return np.asarray(function(left, right), dtype=np.bool_)

    return evaluate


def _shift(function: Callable[..., Any]) -> Callable[..., Array]:
    """Shifts take their amount modulo the width, as RISC-V does."""

    def evaluate(value: Array, amount: Array) -> Array:
        masked = amount & np.asarray(8 * value.dtype.itemsize - 1, amount.dtype)
        return np.asarray(function(value, masked), dtype=value.dtype)

    return evaluate


def _integer_division(kind: str) -> Callable[..., Array]:
    """Exact division, wrapped on overflow; see ``_DIVIDE`` for division by zero."""

    def evaluate(left: Array, right: Array) -> Array:
        a, b = np.broadcast_arrays(np.asarray(left), np.asarray(right))
        wide_a, wide_b = a.astype(object), b.astype(object)
        out = np.frompyfunc(_DIVIDE[kind], 2, 1)(wide_a, wide_b)
        bits = 8 * a.dtype.itemsize
        wrapped = np.frompyfunc(lambda v: int(v) & ((1 << bits) - 1), 1, 1)(out)
        unsigned = np.asarray(wrapped, dtype=object).astype(np.dtype(f"u{a.dtype.itemsize}"))
        return unsigned.view(a.dtype)

    return evaluate


def _truncated_quotient(a: int, b: int) -> int:
    return -1 if b == 0 else (abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1)


# RISC-V: x / 0 = -1, x % 0 = x; NumPy's floored division by zero gives 0.
_DIVIDE: dict[str, Callable[[int, int], int]] = {
    "quotient": _truncated_quotient,
    "remainder": lambda a, b: a if b == 0 else a - b * _truncated_quotient(a, b),
    "floor_divide": lambda a, b: 0 if b == 0 else a // b,
    "modulo": lambda a, b: 0 if b == 0 else a % b,
}


def _high_product(left: Array, right: Array) -> Array:
    a, b = np.broadcast_arrays(left, right)
    bits = 8 * a.dtype.itemsize
    product = np.frompyfunc(lambda x, y: (int(x) * int(y)) >> bits, 2, 1)(
        a.astype(object), b.astype(object)
    )
    return np.asarray(product, dtype=object).astype(a.dtype)


def _select(condition: Array, yes: Array, no: Array) -> Array:
    return np.asarray(np.where(condition, yes, no), dtype=np.asarray(yes).dtype)


def _row(
    name: str,
    arity: int,
    evaluate: Callable[..., Array],
    domain: Domain = "number",
    types: TypeRule = "same",
    commutative: bool = False,
) -> Operation:
    return Operation(name, arity, evaluate, types, domain, commutative)


_ROWS: tuple[Operation, ...] = (
    # ring and order
    _row("neg", 1, _wrap(np.negative)),
    _row("abs", 1, _wrap(np.abs)),
    _row("add", 2, _wrap(np.add), commutative=True),
    _row("sub", 2, _wrap(np.subtract)),
    _row("mul", 2, _wrap(np.multiply), commutative=True),
    _row("min", 2, _wrap(floating.minimum), commutative=True),  # NaN wins, as in numpy.minimum
    _row("max", 2, _wrap(floating.maximum), commutative=True),
    # floating point
    _row("div", 2, _wrap(np.divide), "float"),
    _row("fma", 3, floating.fma, "float"),  # a * b + c, rounded once
    _row("fms", 3, floating.fms, "float"),  # a * b - c
    _row("fnma", 3, floating.fnma, "float"),  # c - a * b
    _row("minnum", 2, floating.minimum_number, "float", commutative=True),  # IEEE minimumNumber
    _row("maxnum", 2, floating.maximum_number, "float", commutative=True),
    _row("sqrt", 1, _wrap(np.sqrt), "float"),
    _row("reciprocal", 1, _wrap(np.reciprocal), "float"),
    _row("rsqrt", 1, elementary.evaluate("rsqrt"), "float"),
    _row("reciprocal_estimate", 1, floating.reciprocal_estimate, "float"),  # RVV vfrec7.v
    _row("rsqrt_estimate", 1, floating.rsqrt_estimate, "float"),  # RVV vfrsqrt7.v
    _row("copysign", 2, floating.copysign, "float"),
    _row("floor", 1, _wrap(np.floor), "float"),
    _row("ceil", 1, _wrap(np.ceil), "float"),
    _row("trunc", 1, _wrap(np.trunc), "float"),
    _row("rint", 1, _wrap(np.rint), "float"),
    *(_row(n, 1, elementary.evaluate(n), "float") for n in elementary.FUNCTIONS if n != "rsqrt"),
    # integers and bits
    _row("mulh", 2, _high_product, "integer", commutative=True),  # high half of the product
    _row("quotient", 2, _integer_division("quotient"), "integer"),  # rounds to zero, as RISC-V
    _row("remainder", 2, _integer_division("remainder"), "integer"),
    _row("floor_divide", 2, _integer_division("floor_divide"), "integer"),  # as Python and NumPy
    _row("modulo", 2, _integer_division("modulo"), "integer"),
    _row("shl", 2, _shift(np.left_shift), "integer"),
    _row("shr", 2, _shift(np.right_shift), "integer"),  # arithmetic for signed types
    _row("and", 2, _wrap(np.bitwise_and), "any", commutative=True),
    _row("or", 2, _wrap(np.bitwise_or), "any", commutative=True),
    _row("xor", 2, _wrap(np.bitwise_xor), "any", commutative=True),
    _row("not", 1, _wrap(np.invert), "any"),
    # truth values
    _row("eq", 2, _compare(np.equal), "any", "bool", commutative=True),
    _row("ne", 2, _compare(np.not_equal), "any", "bool", commutative=True),
    _row("lt", 2, _compare(np.less), "number", "bool"),
    _row("le", 2, _compare(np.less_equal), "number", "bool"),
    _row("select", 3, _select, "any", "select"),
    # formats: the result type is an attribute of the term
    _row("convert", 1, floating.convert, "any", "convert"),  # as numpy.astype
    _row("to_int", 1, floating.round_to_integer, "float", "convert"),  # nearest even, saturating
    _row("bitcast", 1, floating.bitcast, "number", "convert"),  # same bits, same width
)

OPERATIONS: dict[str, Operation] = {row.name: row for row in _ROWS}
REDUCTIONS = ("add", "mul", "min", "max", "minnum", "maxnum", "and", "or", "xor")
