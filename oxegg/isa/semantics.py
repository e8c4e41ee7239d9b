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
* ``rd[i < m, j < n] = e`` holds for every i and j in the ranges. Of a tile that is written so, all
  elements outside the ranges become zero; a subscript without a range picks that row, and the other
  rows stay. ``each(i < m, e)`` is the same for effects. Row i of a near-memory operand is register
  number operand + i, modulo 8.
* ``fold(k < n, e)`` computes ``e`` for ascending k, each time with the value so far in place of
  the target's element.
* In tile and near-memory statements floats round to nearest even and raise no flags.

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


@dataclass(frozen=True)
class Index:
    """An element ``name[i, j]`` of a tile or of a near-memory register."""

    name: str
    subscripts: tuple["Expression", ...]


@dataclass(frozen=True)
class Range:
    """``variable < count``: the variable takes the values 0 to count - 1, ascending."""

    variable: str
    count: "Expression"


@dataclass(frozen=True)
class Fold:
    """``fold(range, body)``; the body reads the value so far as the statement's target."""

    range: Range
    body: "Expression"


Expression = Name | Const | Apply | Index | Fold


@dataclass(frozen=True)
class Statement:
    """``target = value``, or a value with an effect (a store, a jump) when ``target`` is None.

    ``subscripts`` are those of a target element, or the ranges of ``each``.
    """

    target: str | None
    value: Expression
    subscripts: tuple[Range | Expression, ...] = ()


FIXED_NAMES = frozenset(
    {
        "pc", "next", "sew", "v0",
        "tm", "tn", "tk", "R",  # tile shape (elements, elements, bytes), rows of a full tile
        "g", "h", "s", "W",     # near-memory registers by number, bytes of one of them
    }
)  # fmt: skip

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
    "e4m3_widen": 1, "e5m2_widen": 1,   # from the 8-bit formats of OCP OFP8 to binary32
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
    "trap_return": 1,  # from a handler that runs in privilege mode n
    "wait_for_interrupt": 0, "translation_fence": 2,
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
NEAR_MEMORY = {
    # Arithmetic of the element type that ox.nm.on chose; lane_count(): elements in W bytes.
    # Float results are binary32 until lane_round() makes them elements.
    "lane_count": 0, "lane_add": 2, "lane_mul": 2, "lane_max": 2, "lane_round": 1,
    "lane_mac": 3,    # lane_mac(a, b, c) = a * b + c with one rounding
    "lane_sum": 1,    # of the lanes of a register, ascending from lane 0: binary32 or int32
    "bank": 2,        # element l of the W bytes at an address of each unit's bank
    "bank_store": 3,  # bank_store(address, l, element)
    "spm": 2, "spm_store": 3,  # the same in the scratchpad
    "unit": 0,        # number of the near-memory unit: a statement holds for each
}  # fmt: skip
ENGINE = {
    "tile_release": 0,  # all tiles zero, the shape that of a full tile
    "row_bytes": 0,     # tk where the target is an input tile, 4 * tn for an accumulator
    "near_memory_on": 2, "near_memory_off": 0, "near_memory_wait": 0,
    "copy_start": 2, "copy_wait": 1, "order": 0,
    "thread_mask": 1, "spawn": 2, "split": 2, "join": 1, "barrier": 2, "predicate": 3,
    "vote_all": 1, "vote_any": 1, "vote_uniform": 1, "ballot": 1,
    "shuffle_up": 2, "shuffle_down": 2, "shuffle_butterfly": 2, "shuffle_index": 2,
}  # fmt: skip
OPERATIONS: dict[str, int] = (
    INTEGER | FLOAT | MEMORY | CONTROL | WHOLE_VECTOR | NEAR_MEMORY | ENGINE
)
"""Operation name to number of arguments."""

BINARY: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and", ast.BitOr: "or",
    ast.BitXor: "xor", ast.FloorDiv: "div", ast.LShift: "shl", ast.RShift: "shr", ast.Eq: "eq",
    ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.USub: "neg",
    ast.Invert: "not",
}  # fmt: skip


@cache
def parse(text: str) -> tuple[Statement, ...]:
    """Expression trees of a semantics text; raises ``OxeggError`` for anything unknown."""
    return tuple(_statement(node, text) for node in ast.parse(text).body)


def _statement(node: ast.stmt, text: str) -> Statement:
    match node:
        case ast.Assign(targets=[ast.Name(id=target)], value=value):
            return Statement(target, _expression(value, text))
        case ast.Assign(targets=[ast.Subscript(ast.Name(id=target), place)], value=value):
            return Statement(target, _expression(value, text), _subscripts(place, text))
        case ast.Expr(value=ast.Call(func=ast.Name(id="each"), args=[*ranges, value])):
            return Statement(None, _expression(value, text), _ranges(ranges, text))
        case ast.Expr(value=value):
            return Statement(None, _expression(value, text))
        case _:
            raise OxeggError(f"not a statement of the semantics language: {text!r}")


def _subscripts(place: ast.expr, text: str) -> tuple[Range | Expression, ...]:
    return _ranges(place.elts if isinstance(place, ast.Tuple) else [place], text)


def _ranges(nodes: list[ast.expr], text: str) -> tuple[Range | Expression, ...]:
    return tuple(_range(node, text) for node in nodes)


def _range(node: ast.expr, text: str) -> Range | Expression:
    match node:
        case ast.Compare(left=ast.Name(id=variable), ops=[ast.Lt()], comparators=[count]):
            return Range(variable, _expression(count, text))
        case _:
            return _expression(node, text)


def _expression(node: ast.expr, text: str) -> Expression:
    match node:
        case ast.Subscript(value=ast.Name(id=name), slice=place):
            nodes = place.elts if isinstance(place, ast.Tuple) else [place]
            return Index(name, tuple(_expression(part, text) for part in nodes))
        case ast.Call(func=ast.Name(id="fold"), args=[over, body]):
            steps = _range(over, text)
            if not isinstance(steps, Range):
                raise OxeggError(f"a fold needs a range: {text!r}")
            return Fold(steps, _expression(body, text))
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


def names(expression: Expression | Range) -> Iterator[str]:
    """Every name that an expression reads, in order, with repeats; not its own loop variables."""
    match expression:
        case Name(name):
            yield name
        case Index(name, subscripts):
            yield name
            yield from (found for part in subscripts for found in names(part))
        case Range(_, count):
            yield from names(count)
        case Fold(steps, body):
            yield from names(steps)
            yield from (found for found in names(body) if found != steps.variable)
        case Apply(_, arguments):
            yield from (found for part in arguments for found in names(part))
        case Const():
            pass


def statement_names(statement: Statement) -> Iterator[str]:
    """Every name that a statement reads: of its value, its subscripts and its ranges."""
    bound = {part.variable for part in statement.subscripts if isinstance(part, Range)}
    for part in (*statement.subscripts, statement.value):
        yield from (found for found in names(part) if found not in bound)


def operations(expression: Expression) -> Iterator[str]:
    """Every operation that an expression applies, outermost first, with repeats."""
    match expression:
        case Apply(operation, arguments):
            yield operation
            yield from (found for part in arguments for found in operations(part))
        case Index(_, subscripts):
            yield from (found for part in subscripts for found in operations(part))
        case Fold(steps, body):
            yield from operations(steps.count)
            yield from operations(body)
        case Name() | Const():
            pass
