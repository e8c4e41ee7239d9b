"""Formats: bfloat16 by way of float32, conversions in steps, rounding to whole numbers.

All rows are exact. They stand in the first phase, because without them kernels with such
operations have no instructions at all.
"""

from oxegg.ir.types import (
    BF16,
    BOOL,
    F16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    INTEGERS,
    TYPES,
    U8,
    U16,
    U32,
    U64,
    ElementType,
)
from oxegg.rules.integers import WIDER
from oxegg.rules.pattern import (
    Apply,
    Family,
    Kind,
    Pattern,
    apply,
    constant,
    convert,
    variables,
)

FAMILY = Family("formats")
x, y, c = variables("x y c")


def _rule(
    name: str, left: Pattern, right: Pattern, type_: ElementType, doc: str, kind: Kind = "exact"
) -> None:
    FAMILY.rule(name, left, right, kind=kind, types=(type_,), doc=doc, phase="elementary")


def _wide(value: Pattern) -> Pattern:
    return convert(value, BF16, F32)


def _narrow(value: Pattern) -> Pattern:
    return convert(value, F32, BF16)


def _bfloat16() -> None:
    """bf16 has no arithmetic of its own; every bf16 number is a float32."""
    for name in ("neg", "abs", "floor", "ceil", "trunc", "rint"):
        _rule(f"{name}-bf16", apply(name, x), _narrow(apply(name, _wide(x), of=F32)), BF16,
              "the result is a bf16 number, or rounded once")  # fmt: skip
    for name in ("eq", "ne", "lt", "le"):
        _rule(f"{name}-bf16", apply(name, x, y), apply(name, _wide(x), _wide(y), of=F32), BF16,
              "the same numbers compare alike")  # fmt: skip
    sign = apply("copysign", _wide(x), _wide(y), of=F32)
    _rule("copysign-bf16", apply("copysign", x, y), _narrow(sign), BF16, "only the sign changes")
    for name in ("min", "max", "minnum", "maxnum", "add", "mul"):
        kind: Kind = "real" if name in ("add", "mul") else "exact"
        _rule(f"reduce-{name}-bf16", _reduce(name, x, BF16), _narrow(_reduce(name, _wide(x), F32)),
              BF16, "in float32, rounded once at the end", kind)  # fmt: skip
    for other in (F16, F64, *INTEGERS):
        _rule(f"convert-bf16-{other}", convert(x, BF16, other),
              convert(_wide(x), F32, other), other, "every bf16 number is a float32")  # fmt: skip
        _rule(f"convert-{other}-bf16", convert(x, other, BF16),
              _narrow(convert(x, other, F32)), BF16, "ml_dtypes converts through float32 too")  # fmt: skip
    number = apply("select", c, constant(1.0), constant(0.0), of=BF16)
    _rule("convert-bool-bf16", convert(c, BOOL, BF16), number, BF16, "a truth value as a number")


def _reduce(name: str, child: Pattern, type_: ElementType) -> Pattern:
    return Apply(f"reduce.{name}", (child,), type_, type_, "k")


def _steps() -> None:
    """Vector conversions change the width by a factor of two at most."""
    _rule("convert-f16-f64", convert(x, F16, F64), convert(convert(x, F16, F32), F32, F64), F64,
          "through float32")  # fmt: skip
    for of in INTEGERS:
        middle = WIDER.get(of)
        for to in (F32, F64):
            if middle is None or to.bits < 4 * of.bits:
                continue
            _rule(f"convert-{of}-{to}", convert(x, of, to),
                  convert(convert(x, of, middle), middle, to), to, "through a wider integer")  # fmt: skip


def _float_to_integer() -> None:
    """Floats become 8 and 16 bits by way of int32, as NumPy does it.

    A clip to the narrow range makes shorter ways the same. A NaN stays one in a clip and takes the
    long way; where only real numbers count, rounding saturates and needs no clip.
    """
    for of in (F16, F32, F64):
        nearest = apply("rint", x, of=of)
        for to in (I32, U32, I64, U64):
            _rule(f"nearest-{of}-{to}", convert(nearest, of, to), convert(x, of, to, "to_int"), to,
                  "rounds once")  # fmt: skip
        for to in (I8, U8, I16, U16):
            _rule(f"nearest-{of}-{to}", convert(nearest, of, to),
                  convert(convert(x, of, I32, "to_int"), I32, to), to, "rounds once")  # fmt: skip
            if of.bits > 2 * to.bits:
                _rule(f"convert-{of}-{to}", convert(x, of, to), convert(convert(x, of, I32), I32, to),
                      to, "through int32")  # fmt: skip
                middle = TYPES[f"{to.name[0]}{of.bits // 2}"]
                _rule(f"saturate-{of}-{to}", convert(x, of, to, "to_int"),
                      convert(_clip(convert(x, of, middle, "to_int"), middle, to), middle, to), to,
                      "saturates in two steps")  # fmt: skip
            if to.bits > of.precision:
                continue  # the limits are no numbers of the format
            for name, clipped in (("clip-nearest", _clip(nearest, of, to)),
                                  ("nearest-clip", apply("rint", _clip(x, of, to), of=of))):  # fmt: skip
                _rule(f"{name}-{of}-{to}", convert(clipped, of, to),
                      convert(x, of, to, "to_int"), to, "rounding saturates", "real")  # fmt: skip


def _clip(value: Pattern, of: ElementType, to: ElementType) -> Pattern:
    """``value``, a number of type ``of``, in the range of the integer type ``to``."""
    kind = float if of.is_float else int
    low, high = constant(kind(to.minimum), of), constant(kind(to.maximum), of)
    return apply("min", apply("max", value, low, of=of), high, of=of)


def _truth() -> None:
    """Truth values of numbers."""
    for type_ in TYPES.values():
        if type_ is not BOOL:
            zero = constant(0.0 if type_.is_float else 0)
            nonzero = apply("ne", x, zero, of=type_)
            _rule(f"convert-{type_}-bool", convert(x, type_, BOOL), nonzero, BOOL, "x is not 0")
    either = apply("and", c, x, of=BOOL), apply("and", apply("not", c, of=BOOL), y, of=BOOL)
    _rule("select-bool", apply("select", c, x, y), apply("or", *either, of=BOOL), BOOL,
          "masks have no merge: c and x, or not c and y")  # fmt: skip


def _rounding() -> None:
    """Numbers of 2^(precision - 1) and above are whole already; the sign of a zero stays."""
    for type_, integer in ((F16, I16), (F32, I32), (F64, I64)):
        small = apply("lt", apply("abs", x), constant(2.0 ** (type_.precision - 1)))
        for name, conversion in (("rint", "to_int"), ("trunc", "convert")):
            whole = convert(convert(x, type_, integer, conversion), integer, type_)
            _rule(f"{name}-{type_}", apply(name, x),
                  apply("select", small, apply("copysign", whole, x), x), type_,
                  "to an integer and back")  # fmt: skip
        nearest = apply("rint", x)
        below = apply("select", apply("lt", x, nearest), nearest - constant(1.0), nearest)
        above = apply("select", apply("lt", nearest, x), nearest + constant(1.0), nearest)
        _rule(f"floor-{type_}", apply("floor", x), below, type_, "the nearest or one less")
        _rule(f"ceil-{type_}", apply("ceil", x), apply("copysign", above, x), type_,
              "the nearest or one more")  # fmt: skip


_bfloat16()
_steps()
_float_to_integer()
_truth()
_rounding()
