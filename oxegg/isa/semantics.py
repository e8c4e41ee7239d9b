"""What an instruction computes, as expression trees.

A record's semantics is a short text such as ``rd = rs1 + imm12`` or
``vd = sat_s(s(vs2) + s(vs1))``. Its meaning:

* Statements are separated by ``;`` and simultaneous: all reads happen before all writes.
* A name is an operand of the record, or ``pc``, ``next`` (the following instruction), ``sew``,
  ``v0`` (this element's mask bit).
* Integers are mathematical integers. Reading a register of ``w`` bits gives ``0 .. 2^w - 1``;
  ``s(e)`` is the same bits read as two's complement; writing keeps the low bits. So ``+ - * << >>``
  never overflow, and ``>>`` is floor division by a power of two.
* Comparisons give 0 or 1; ``a if c else b`` chooses.
* A statement over vector operands holds for each active element below ``vl``; a scalar operand is
  cut to the element width. Functions of the *whole vector* group are exceptions, see there.
* Float functions take and give bit patterns in the format that the operands have, round by the
  instruction's ``rm`` (the vector unit's by ``frm``) and give the canonical NaN.

So one text serves an interpreter, generated code, SMT bit vectors, and (reading the float functions
as field operations) exact rational or finite-field evaluation.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from oxegg.errors import OxeggError


@dataclass(frozen=True)
class Name:
    """An operand or one of the fixed names."""

    name: str


@dataclass(frozen=True)
class Const:
    """An integer constant."""

    value: int


@dataclass(frozen=True)
class Apply:
    """An operation of ``OPERATIONS`` applied to arguments."""

    operation: str
    arguments: tuple["Expression", ...]


Expression = Name | Const | Apply


@dataclass(frozen=True)
class Statement:
    """``target = value``, or a value with an effect (a store, a jump) when ``target`` is None."""

    target: str | None
    value: Expression


FIXED_NAMES = frozenset({"pc", "next", "sew", "v0"})

INTEGER = {
    "add": 2, "sub": 2, "mul": 2, "and": 2, "or": 2, "xor": 2, "shl": 2, "shr": 2, "neg": 1,
    "not": 1, "eq": 2, "ne": 2, "lt": 2, "le": 2, "gt": 2, "ge": 2, "select": 3,
    "s": 1,        # the operand's own bits as two's complement
    "sext": 2,     # the low n bits as two's complement
    "low": 2,      # the low n bits
    "div": 2,      # quotient rounded towards zero; the divisor is not 0
    "rem": 2,      # remainder with the sign of the dividend; the divisor is not 0
    "min": 2, "max": 2,
    "clz": 2, "ctz": 2, "popcount": 2,  # of the low n bits
    "byte_reverse": 1, "byte_or": 1,    # rev8 and orc.b on 64 bits
    "clmul": 2,    # carry-less product
    "round_shift": 2,        # a / 2^n rounded by vxrm
    "sat_s": 1, "sat_u": 1,  # clamped to the destination's signed or unsigned range; sets vxsat
}  # fmt: skip
FLOAT = {
    "fadd": 2, "fsub": 2, "fmul": 2, "fdiv": 2, "fsqrt": 1, "fma": 3,  # fma(a, b, c) = a * b + c
    "fneg": 1, "fsgnj": 2, "fsgnjn": 2, "fsgnjx": 2, "fmin": 2, "fmax": 2,
    "feq": 2, "flt": 2, "fle": 2, "fclass": 1, "frec7": 1, "frsqrt7": 1,
    "fcvt": 1,         # to the destination's format
    "fcvt_odd": 1,     # the same, rounded to odd
    "widen": 1,        # exact, to twice the width
    "bf16_widen": 1, "bf16_narrow": 1,  # between bfloat16 and binary32
    "f_to_s": 2, "f_to_u": 2,           # saturating, to n bits
    "f_to_s_rtz": 2, "f_to_u_rtz": 2,   # the same, always towards zero
    "s_to_f": 1, "u_to_f": 1,
    "raw": 1,          # bits without NaN-box check
}  # fmt: skip
MEMORY = {
    "load": 2, "store": 3,   # load(address, bits), store(address, value, bits)
    "reserve": 1, "store_conditional": 3, "fence": 0, "fence_i": 0,
    "load_unit": 1, "load_fault_first": 1, "load_strided": 2, "load_indexed": 2,
    "load_mask": 1, "load_whole": 1,
    "store_unit": 2, "store_strided": 3, "store_indexed": 3, "store_mask": 2, "store_whole": 2,
}  # fmt: skip
CONTROL = {
    "jump": 1, "branch": 2,  # branch(condition, target)
    "system_call": 0, "breakpoint": 0,
    "csr_swap": 2, "csr_set": 2, "csr_clear": 2,  # give the old value
    "set_vl": 2, "set_vl_immediate": 2, "set_vl_register": 2,
}  # fmt: skip
WHOLE_VECTOR = {
    # Folds start from element 0 of the first argument and take the active elements in order.
    "reduce_add": 2, "reduce_and": 2, "reduce_or": 2, "reduce_xor": 2, "reduce_min": 2,
    "reduce_max": 2, "reduce_fadd": 2, "reduce_fadd_ordered": 2, "reduce_fmin": 2,
    "reduce_fmax": 2,
    "slide_up": 2, "slide_down": 2, "slide1_up": 2, "slide1_down": 2,
    "gather": 2, "compress": 2, "iota": 1, "index": 0, "copy": 1,
    "mask_popcount": 1, "mask_first": 1, "mask_before": 1, "mask_including": 1, "mask_only": 1,
    "element0": 1, "insert0": 1,
}  # fmt: skip
OPERATIONS: dict[str, int] = INTEGER | FLOAT | MEMORY | CONTROL | WHOLE_VECTOR
"""Operation name to number of arguments."""

BINARY: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and", ast.BitOr: "or",
    ast.BitXor: "xor", ast.LShift: "shl", ast.RShift: "shr", ast.Eq: "eq", ast.NotEq: "ne",
    ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.USub: "neg", ast.Invert: "not",
}  # fmt: skip


@cache
def parse(text: str) -> tuple[Statement, ...]:
    """Expression trees of a semantics text; raises ``OxeggError`` for anything unknown."""
    return tuple(_statement(node, text) for node in ast.parse(text).body)


def _statement(node: ast.stmt, text: str) -> Statement:
    match node:
        case ast.Assign(targets=[ast.Name(id=target)], value=value):
            return Statement(target, _expression(value, text))
        case ast.Expr(value=value):
            return Statement(None, _expression(value, text))
        case _:
            raise OxeggError(f"not a statement of the semantics language: {text!r}")


def _expression(node: ast.expr, text: str) -> Expression:
    match node:
        case ast.Name(id=name):
            return Name(name)
        case ast.Constant(value=int(value)):
            return Const(value)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            return _apply(BINARY[type(op)], [left, right], text)
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in BINARY:
            return _apply(BINARY[type(op)], [left, right], text)
        case ast.UnaryOp(op=op, operand=operand) if type(op) in BINARY:
            return _apply(BINARY[type(op)], [operand], text)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _apply("select", [test, body, orelse], text)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            return _apply(name, arguments, text)
        case _:
            raise OxeggError(f"not an expression of the semantics language: {text!r}")


def _apply(operation: str, arguments: list[ast.expr], text: str) -> Apply:
    if OPERATIONS.get(operation) != len(arguments):
        raise OxeggError(f"no operation {operation} of {len(arguments)} arguments: {text!r}")
    return Apply(operation, tuple(_expression(argument, text) for argument in arguments))


def names(expression: Expression) -> Iterator[str]:
    """Every name that an expression reads, in order, with repeats."""
    match expression:
        case Name(name):
            yield name
        case Apply(_, arguments):
            for argument in arguments:
                yield from names(argument)
        case Const():
            pass


def operations(expression: Expression) -> Iterator[str]:
    """Every operation that an expression applies, outermost first, with repeats."""
    if isinstance(expression, Apply):
        yield expression.operation
        for argument in expression.arguments:
            yield from operations(argument)
