"""The scalar engine: every operation of :mod:`oxegg.rules.scalar_engine` as RV64GC code.

Integers are kept sign-extended (signed types) or zero-extended (unsigned types) in their
64-bit registers; ``normalize`` restores that after operations that may leave it.
"""

from __future__ import annotations

from collections.abc import Callable

from oxegg.emit.lowering.emitter import Emitter
from oxegg.emit.program import ZERO, Register
from oxegg.errors import EmitError
from oxegg.ir.types import BOOL, F32, TYPES, ElementType

ROUND_TO_ZERO = 1
_FLOAT_SUFFIX = {"f16": "h", "bf16": "h", "f32": "s", "f64": "d"}
_LOADS = {
    "f16": "flh", "bf16": "flh", "f32": "flw", "f64": "fld", "bool": "lbu", "i8": "lb",
    "u8": "lbu", "i16": "lh", "u16": "lhu", "i32": "lw", "u32": "lwu", "i64": "ld", "u64": "ld",
}  # fmt: skip
_STORES = {"f16": "fsh", "bf16": "fsh", "f32": "fsw", "f64": "fsd"}
_MOVES = {16: ("fmv.x.h", "fmv.h.x"), 32: ("fmv.x.w", "fmv.w.x"), 64: ("fmv.x.d", "fmv.d.x")}

_FLOAT_BINARY = {
    "add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv", "minnum": "fmin",
    "maxnum": "fmax", "copysign": "fsgnj",
}  # fmt: skip
_FLOAT_TERNARY = {"fma": "fmadd", "fms": "fmsub", "fnma": "fnmsub"}
_FLOAT_UNARY = {"neg": "fsgnjn", "abs": "fsgnjx"}
_WORD = {"add": "addw", "sub": "subw", "mul": "mulw"}


def bank(type_: ElementType) -> str:
    return "f" if type_.is_float else "x"


def load(emitter: Emitter, type_: ElementType) -> str:
    del emitter
    if type_.name not in _LOADS:
        raise EmitError(f"the scalar engine can't load {type_}")
    return _LOADS[type_.name]


def store(type_: ElementType) -> str:
    return _STORES.get(type_.name) or {1: "sb", 2: "sh", 4: "sw", 8: "sd"}[type_.bytes]


def fresh(emitter: Emitter, type_: ElementType) -> Register:
    return emitter.new("f" if type_.is_float else "x")


def move(emitter: Emitter, target: Register, source: Register, type_: ElementType) -> None:
    if type_.is_float:
        emitter.emit(f"fsgnj.{_FLOAT_SUFFIX[type_.name]}", target, source, source)
    else:
        emitter.emit("addi", target, source, 0)


def normalize(emitter: Emitter, value: Register, type_: ElementType) -> Register:
    """Restore the extension of a ``type_`` value whose upper bits may be wrong."""
    if type_.bits >= 64 or type_ is BOOL:
        return value
    target = emitter.new("x")
    if type_.name == "u8":
        emitter.emit("andi", target, value, 255)
    elif type_.name == "i32":
        emitter.emit("addiw", target, value, 0)
    else:
        shifted = emitter.new("x")
        emitter.emit("slli", shifted, value, 64 - type_.bits)
        emitter.emit("srai" if type_.is_signed else "srli", target, shifted, 64 - type_.bits)
    return target


def apply(emitter: Emitter, form: str, operands: list[Register]) -> Register:
    """Emit the operation named by an operator key (``add.f32``, ``convert.i8.f32``)."""
    name, of, *rest = form.split(".")
    type_ = TYPES[of]
    if name in ("convert", "to_int", "bitcast"):
        return _convert(emitter, name, type_, TYPES[rest[0]], operands[0])
    if name == "select":
        return _select(emitter, type_, *operands)
    if type_.is_float:
        return _float(emitter, name, type_, operands)
    handler = _BOOLEANS.get(name) if type_ is BOOL else None
    return (handler or _INTEGERS[name])(emitter, type_, operands)


def _float(emitter: Emitter, name: str, type_: ElementType, operands: list[Register]) -> Register:
    suffix = _FLOAT_SUFFIX[type_.name]
    if name in ("eq", "ne", "lt", "le"):
        target = emitter.new("x")
        emitter.emit(f"f{'eq' if name == 'ne' else name}.{suffix}", target, *operands)
        return _invert(emitter, target) if name == "ne" else target
    target = emitter.new("f")
    if name == "reciprocal":
        one = emitter.float_constant(_one_bits(type_), type_)
        emitter.emit(f"fdiv.{suffix}", target, one, operands[0])
    elif name in _FLOAT_UNARY:
        emitter.emit(f"{_FLOAT_UNARY[name]}.{suffix}", target, operands[0], operands[0])
    elif name == "sqrt":
        emitter.emit(f"fsqrt.{suffix}", target, operands[0])
    else:
        table = _FLOAT_BINARY if name in _FLOAT_BINARY else _FLOAT_TERNARY
        emitter.emit(f"{table[name]}.{suffix}", target, *operands)
    return target


def _one_bits(type_: ElementType) -> int:
    return type_.max_exponent << (type_.precision - 1)


def _invert(emitter: Emitter, truth: Register) -> Register:
    target = emitter.new("x")
    emitter.emit("xori", target, truth, 1)
    return target


def _arithmetic(name: str) -> Callable[[Emitter, ElementType, list[Register]], Register]:
    def emit(emitter: Emitter, type_: ElementType, operands: list[Register]) -> Register:
        target = emitter.new("x")
        word = type_.name == "i32"
        emitter.emit(_WORD[name] if word else name, target, *operands)
        return target if word else normalize(emitter, target, type_)

    return emit


def _plain(signed: str, unsigned: str, *, wraps: bool = False) -> Callable[..., Register]:
    def emit(emitter: Emitter, type_: ElementType, operands: list[Register]) -> Register:
        target = emitter.new("x")
        emitter.emit(signed if type_.is_signed else unsigned, target, *operands)
        return normalize(emitter, target, type_) if wraps else target

    return emit


def _shift(left: bool) -> Callable[[Emitter, ElementType, list[Register]], Register]:
    def emit(emitter: Emitter, type_: ElementType, operands: list[Register]) -> Register:
        amount, target = emitter.new("x"), emitter.new("x")
        emitter.emit("andi", amount, operands[1], type_.bits - 1)
        name = "sll" if left else "sra" if type_.is_signed else "srl"
        emitter.emit(name, target, operands[0], amount)
        return normalize(emitter, target, type_) if left else target

    return emit


def _less(swap: bool, negate: bool) -> Callable[[Emitter, ElementType, list[Register]], Register]:
    def emit(emitter: Emitter, type_: ElementType, operands: list[Register]) -> Register:
        target = emitter.new("x")
        ordered = operands[::-1] if swap else operands
        emitter.emit("slt" if type_.is_signed else "sltu", target, *ordered)
        return _invert(emitter, target) if negate else target

    return emit


def _equal(negate: bool) -> Callable[[Emitter, ElementType, list[Register]], Register]:
    def emit(emitter: Emitter, type_: ElementType, operands: list[Register]) -> Register:
        del type_
        difference, target = emitter.new("x"), emitter.new("x")
        emitter.emit("xor", difference, *operands)
        if negate:
            emitter.emit("sltu", target, ZERO, difference)
        else:
            emitter.emit("sltiu", target, difference, 1)
        return target

    return emit


def _negate(emitter: Emitter, type_: ElementType, operands: list[Register]) -> Register:
    return _INTEGERS["sub"](emitter, type_, [ZERO, operands[0]])


def _not(emitter: Emitter, type_: ElementType, operands: list[Register]) -> Register:
    target = emitter.new("x")
    emitter.emit("xori", target, operands[0], -1)
    return normalize(emitter, target, type_)


_INTEGERS: dict[str, Callable[[Emitter, ElementType, list[Register]], Register]] = {
    "add": _arithmetic("add"),
    "sub": _arithmetic("sub"),
    "mul": _arithmetic("mul"),
    "neg": _negate,
    "not": _not,
    "and": _plain("and", "and"),
    "or": _plain("or", "or"),
    "xor": _plain("xor", "xor"),
    "min": _plain("min", "minu"),
    "max": _plain("max", "maxu"),
    "shl": _shift(True),
    "shr": _shift(False),
    "quotient": _plain("div", "divu", wraps=True),
    "remainder": _plain("rem", "remu"),
    "eq": _equal(False),
    "ne": _equal(True),
    "lt": _less(False, False),
    "le": _less(True, True),
}
_BOOLEANS: dict[str, Callable[[Emitter, ElementType, list[Register]], Register]] = {
    "not": lambda emitter, _, operands: _invert(emitter, operands[0]),
    "ne": _plain("xor", "xor"),
    "eq": lambda emitter, type_, operands: _invert(
        emitter, _INTEGERS["xor"](emitter, type_, operands)
    ),
}


def _select(
    emitter: Emitter, type_: ElementType, condition: Register, yes: Register, no: Register
) -> Register:
    """no ^ ((yes ^ no) & -condition), on the bits."""
    if type_.is_float:
        to_x, to_f = _MOVES[type_.bits]
        raw: list[Register] = []
        for value in (yes, no):
            raw.append(emitter.new("x"))
            emitter.emit(to_x, raw[-1], value)
        picked, target = _blend(emitter, condition, *raw), emitter.new("f")
        emitter.emit(to_f, target, picked)
        return target
    return _blend(emitter, condition, yes, no)


def _blend(emitter: Emitter, condition: Register, yes: Register, no: Register) -> Register:
    mask, change, kept, target = (emitter.new("x") for _ in range(4))
    emitter.emit("sub", mask, ZERO, condition)
    emitter.emit("xor", change, yes, no)
    emitter.emit("and", kept, change, mask)
    emitter.emit("xor", target, no, kept)
    return target


def _convert(
    emitter: Emitter, name: str, of: ElementType, to: ElementType, value: Register
) -> Register:
    if name == "bitcast":
        return _bitcast(emitter, of, to, value)
    if of.name == "bf16":
        return _widen_bfloat(emitter, value)
    if to.name == "bf16":
        return _round_to_bfloat(emitter, value)
    if of.is_float and to.is_float:
        target = emitter.new("f")
        emitter.emit(f"fcvt.{_FLOAT_SUFFIX[to.name]}.{_FLOAT_SUFFIX[of.name]}", target, value)
        return target
    if of.is_float:
        return _float_to_integer(emitter, name, of, to, value)
    if to.is_float:
        target = emitter.new("f")
        width = "lu" if of.name == "u64" else "l"
        emitter.emit(f"fcvt.{_FLOAT_SUFFIX[to.name]}.{width}", target, value)
        return target
    if to is BOOL:
        target = emitter.new("x")
        emitter.emit("sltu", target, ZERO, value)
        return target
    contained = of is BOOL or (of.bits < to.bits and (to.is_signed or not of.is_signed))
    return value if contained else normalize(emitter, value, to)


def _widen_bfloat(emitter: Emitter, value: Register) -> Register:
    """bfloat16 is the upper half of float32."""
    raw, shifted, target = emitter.new("x"), emitter.new("x"), emitter.new("f")
    emitter.emit("fmv.x.h", raw, value)
    emitter.emit("slli", shifted, raw, 16)
    emitter.emit("fmv.w.x", target, shifted)
    return target


def _round_to_bfloat(emitter: Emitter, value: Register) -> Register:
    """Nearest even: add just under half of the last place kept, one more if that place is odd."""
    quiet = emitter.new("f")
    zero = emitter.float_constant(1 << 31, F32)
    emitter.emit("fadd.s", quiet, value, zero)  # x + -0 = x; NaNs become the canonical one
    raw, upper, odd, bias, total, rounded = (emitter.new("x") for _ in range(6))
    emitter.emit("fmv.x.w", raw, quiet)
    emitter.emit("srli", upper, raw, 16)
    emitter.emit("andi", odd, upper, 1)
    emitter.emit("add", bias, odd, emitter.integer(0x7FFF))
    emitter.emit("add", total, raw, bias)
    emitter.emit("srli", rounded, total, 16)
    target = emitter.new("f")
    emitter.emit("fmv.h.x", target, rounded)
    return target


def _float_to_integer(
    emitter: Emitter, name: str, of: ElementType, to: ElementType, value: Register
) -> Register:
    suffix = _FLOAT_SUFFIX[of.name]
    target = emitter.new("x")
    if to is BOOL:
        emitter.emit(f"feq.{suffix}", target, value, emitter.float_constant(0, of))
        return _invert(emitter, target)
    width = {"u64": "lu", "i64": "l", "u32": "wu"}.get(to.name, "w")
    if name == "convert":
        emitter.emit(f"fcvt.{width}.{suffix}", target, value, ROUND_TO_ZERO)
    else:
        emitter.emit(f"fcvt.{width}.{suffix}", target, value)
        if to.bits < 32:
            return _clamp(emitter, target, to)
    return target if width == "w" and to.bits == 32 else normalize(emitter, target, to)


def _clamp(emitter: Emitter, value: Register, to: ElementType) -> Register:
    """Rounding saturates: into the range of a type that is narrower than any conversion's."""
    below, inside = emitter.new("x"), emitter.new("x")
    emitter.emit("min", below, value, emitter.integer(to.maximum))
    emitter.emit("max", inside, below, emitter.integer(to.minimum))
    return inside


def _bitcast(emitter: Emitter, of: ElementType, to: ElementType, value: Register) -> Register:
    to_x, to_f = _MOVES.get(of.bits, ("", ""))
    if of.is_float and to.is_float:
        return value
    target = emitter.new("f" if to.is_float else "x")
    if of.is_float:
        emitter.emit(to_x, target, value)
        return normalize(emitter, target, to)
    if to.is_float:
        emitter.emit(to_f, target, value)
        return target
    return normalize(emitter, value, to)
