"""What each NumPy ufunc means: one row each, from operands of its loop's types to a term."""

from __future__ import annotations

import math
from collections.abc import Callable

from oxegg.errors import LoweringError
from oxegg.frontend.dtypes import cast
from oxegg.ir import ElementType, Term, const, pointwise
from oxegg.ir.types import BOOL, F32, TYPES, U8, U64

Build = Callable[..., Term]


def like(number: float | int, term: Term) -> Term:
    """A constant of the type of ``term``."""
    return const(number, term.type)


def truth(x: Term) -> Term:
    """x != 0."""
    return x if x.type is BOOL else pointwise("ne", x, like(0, x))


def _op(name: str, boolean: str | None = None) -> Build:
    """One operation of the table; ``boolean`` names what NumPy runs on truth values instead."""

    def build(*operands: Term) -> Term:
        chosen = boolean if boolean and operands[0].type is BOOL else name
        return pointwise(chosen, *operands)

    return build


def _float_only(name: str) -> Build:
    """Rounding functions leave integers as they are."""

    def build(x: Term) -> Term:
        return pointwise(name, x) if x.type.is_float else x

    return build


def _number(name: str, without_nan: Build) -> Build:
    """fmax and fmin: for integers there is no NaN to lose."""

    def build(a: Term, b: Term) -> Term:
        return pointwise(name, a, b) if a.type.is_float else without_nan(a, b)

    return build


def _swapped(build: Build) -> Build:
    def swapped(a: Term, b: Term) -> Term:
        return build(b, a)

    return swapped


def _same(x: Term) -> Term:
    return x


def _logical(name: str) -> Build:
    return lambda *operands: pointwise(name, *map(truth, operands))


def _compared(name: str) -> Build:
    """A comparison; int64 with uint64 without a type that holds both, as NumPy does it."""

    def build(a: Term, b: Term) -> Term:
        if a.type is b.type:
            return pointwise(name, a, b)
        signed = a if a.type.is_signed else b
        negative = pointwise("lt", signed, like(0, signed))
        rest = pointwise(name, cast(a, U64), cast(b, U64))
        if name == "ne" or (name != "eq" and signed is a):  # what a negative number gives
            return pointwise("or", negative, rest)
        return pointwise("and", pointwise("not", negative), rest)

    return build


def _less(strict: bool) -> Build:
    """Order of numbers and of truth values: False < True."""
    compare = _compared("lt" if strict else "le")

    def build(a: Term, b: Term) -> Term:
        if a.type is not BOOL:
            return compare(a, b)
        below = pointwise("not", a)
        return pointwise("and" if strict else "or", below, b)

    return build


def _absolute(x: Term) -> Term:
    return x if x.type.kind in ("uint", "bool") else pointwise("abs", x)


def _sign(x: Term) -> Term:
    zero, one = like(0, x), like(1, x)
    positive = pointwise("lt", zero, x)
    if x.type.kind == "uint":
        return pointwise("select", positive, one, zero)
    rest = x if x.type.is_float else zero  # NaN and zeros stay what they are
    negative = pointwise("select", pointwise("lt", x, zero), like(-1, x), rest)
    return pointwise("select", positive, one, negative)


def _square(x: Term) -> Term:
    return pointwise("and", x, x) if x.type is BOOL else pointwise("mul", x, x)


def _reciprocal(x: Term) -> Term:
    return pointwise("reciprocal", x) if x.type.is_float else pointwise("quotient", like(1, x), x)


def _floor_divide(a: Term, b: Term) -> Term:
    return _float_division(a, b)[0] if a.type.is_float else pointwise("floor_divide", a, b)


def _remainder(a: Term, b: Term) -> Term:
    return _float_division(a, b)[1] if a.type.is_float else pointwise("modulo", a, b)


def _float_division(a: Term, b: Term) -> tuple[Term, Term]:
    """Floored quotient and remainder; one fused step each, corrected by one where a / b rounded.

    Exact while the quotient is an integer of the format.
    """
    quotient = pointwise("floor", pointwise("div", a, b))
    zero, one = like(0, a), like(1, a)
    rest = pointwise("fnma", quotient, b, a)
    wrong_sign = pointwise("lt", pointwise("mul", rest, b), zero)
    too_long = pointwise("le", pointwise("abs", b), pointwise("abs", rest))
    down = pointwise("select", wrong_sign, pointwise("sub", quotient, one), quotient)
    quotient = pointwise("select", too_long, pointwise("add", quotient, one), down)
    quotient = pointwise("select", wrong_sign, down, quotient)
    return quotient, pointwise("fnma", quotient, b, a)


def _fmod(a: Term, b: Term) -> Term:
    if a.type.is_float:
        quotient = pointwise("trunc", pointwise("div", a, b))
        return pointwise("fnma", quotient, b, a)
    zero = like(0, b)
    rest = pointwise("remainder", a, b)
    return pointwise("select", pointwise("eq", b, zero), zero, rest)


def _shift(name: str) -> Build:
    """NumPy shifts by the width or more clear (or sign-fill) the value."""

    def build(value: Term, amount: Term) -> Term:
        bits = value.type.bits
        known = amount.constant
        if known is not None and 0 <= known < bits:
            return pointwise(name, value, amount)
        unsigned = TYPES[f"u{bits}"]
        inside = pointwise("lt", _reinterpret(amount, unsigned), const(bits, unsigned))
        filled = name == "shr" and value.type.is_signed
        beyond = pointwise("shr", value, like(bits - 1, value)) if filled else like(0, value)
        return pointwise("select", inside, pointwise(name, value, amount), beyond)

    return build


def _reinterpret(x: Term, type_: ElementType) -> Term:
    return x if x.type is type_ else pointwise("bitcast", x, to=type_)


def _infinite(x: Term) -> Term:
    if not x.type.is_float:
        return const(False, BOOL)
    return pointwise("eq", pointwise("abs", x), like(math.inf, x))


def _finite(x: Term) -> Term:
    if not x.type.is_float:
        return const(True, BOOL)
    return pointwise("lt", pointwise("abs", x), like(math.inf, x))


def _nan(x: Term) -> Term:
    return pointwise("ne", x, x) if x.type.is_float else const(False, BOOL)


def _signbit(x: Term) -> Term:
    bits = _reinterpret(x, TYPES[f"i{x.type.bits}"])
    return pointwise("lt", bits, like(0, bits))


def _scaled(factor: float) -> Build:
    def build(x: Term) -> Term:
        return pointwise("mul", x, like(factor, x))

    return build


def _log10(x: Term) -> Term:
    return pointwise("mul", pointwise("log", x), like(1 / math.log(10), x))


def _tan(x: Term) -> Term:
    return pointwise("div", pointwise("sin", x), pointwise("cos", x))


def _sinh(x: Term) -> Term:
    """With e = exp(|x|) - 1: e (1 + 1 / (e + 1)) / 2, which neither cancels nor gives inf / inf."""
    grown = pointwise("expm1", pointwise("abs", x))
    shrunk = pointwise("reciprocal", pointwise("add", grown, like(1, x)))
    half = pointwise("mul", grown, like(0.5, x))
    size = pointwise("mul", half, pointwise("add", shrunk, like(1, x)))
    return pointwise("copysign", size, x)


def _cosh(x: Term) -> Term:
    both = pointwise("add", pointwise("exp", x), pointwise("exp", pointwise("neg", x)))
    return pointwise("mul", both, like(0.5, x))


def _heaviside(x: Term, middle: Term) -> Term:
    zero = like(0, x)
    at_most = pointwise("select", pointwise("eq", x, zero), middle, x)
    below = pointwise("select", pointwise("lt", x, zero), zero, at_most)
    return pointwise("select", pointwise("lt", zero, x), like(1, x), below)


def _bitwise_count(x: Term) -> Term:
    """Ones among the bits of |x|, by sums of ever wider fields."""
    bits = x.type.bits
    value = _reinterpret(_absolute(x), TYPES[f"u{bits}"])
    width = 1
    while width < bits:
        mask = like(sum(((1 << width) - 1) << at for at in range(0, bits, 2 * width)), value)
        high = pointwise("and", pointwise("shr", value, like(width, value)), mask)
        value = pointwise("add", pointwise("and", value, mask), high)
        width *= 2
    return cast(value, U8)


def _logaddexp(a: Term, b: Term) -> Term:
    gap = pointwise("neg", pointwise("abs", pointwise("sub", a, b)))
    rest = pointwise("log1p", pointwise("exp", gap))
    return pointwise("add", pointwise("max", a, b), rest)


def _clip(x: Term, low: Term, high: Term) -> Term:
    return pointwise("min", pointwise("max", x, low), high)


def _in_single(build: Build) -> Build:
    """Several operations on a 16-bit format round once, as NumPy does it."""

    def wide(*operands: Term) -> Term:
        type_ = operands[0].type
        if not type_.is_float or type_.bits > 16:
            return build(*operands)
        return cast(build(*(cast(o, F32) for o in operands)), type_)

    return wide


ELEMENTWISE: dict[str, Build] = {
    **{name: _op(name) for name in ("sqrt", "exp", "exp2", "expm1", "log", "log2", "log1p")},
    **{name: _op(name) for name in ("sin", "cos", "tanh", "erf", "copysign")},
    **{name: _float_only(name) for name in ("floor", "ceil", "trunc", "rint")},
    "expit": _op("sigmoid"),
    "log10": _in_single(_log10),
    "tan": _in_single(_tan),
    "sinh": _in_single(_sinh),
    "cosh": _in_single(_cosh),
    "logaddexp": _in_single(_logaddexp),
    "deg2rad": _in_single(_scaled(math.pi / 180)),
    "radians": _in_single(_scaled(math.pi / 180)),
    "rad2deg": _in_single(_scaled(180 / math.pi)),
    "degrees": _in_single(_scaled(180 / math.pi)),
    "add": _op("add", "or"),
    "subtract": _op("sub"),
    "multiply": _op("mul", "and"),
    "divide": _op("div"),
    "negative": _op("neg"),
    "positive": _same,
    "conjugate": _same,
    "absolute": _absolute,
    "fabs": _absolute,
    "square": _square,
    "reciprocal": _reciprocal,
    "sign": _sign,
    "heaviside": _heaviside,
    "floor_divide": _in_single(_floor_divide),
    "remainder": _in_single(_remainder),
    "fmod": _in_single(_fmod),
    "maximum": _op("max", "or"),
    "minimum": _op("min", "and"),
    "fmax": _number("maxnum", _op("max", "or")),
    "fmin": _number("minnum", _op("min", "and")),
    "clip": _clip,
    "equal": _compared("eq"),
    "not_equal": _compared("ne"),
    "less": _less(strict=True),
    "less_equal": _less(strict=False),
    "greater": _swapped(_less(strict=True)),
    "greater_equal": _swapped(_less(strict=False)),
    "logical_and": _logical("and"),
    "logical_or": _logical("or"),
    "logical_xor": _logical("xor"),
    "logical_not": _logical("not"),
    "bitwise_and": _op("and"),
    "bitwise_or": _op("or"),
    "bitwise_xor": _op("xor"),
    "invert": _op("not"),
    "left_shift": _shift("shl"),
    "right_shift": _shift("shr"),
    "bitwise_count": _bitwise_count,
    "isnan": _nan,
    "isinf": _infinite,
    "isfinite": _finite,
    "signbit": _signbit,
}
COMPARISONS = {"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"}


def power(base: Term, exponent: float | int) -> Term:
    """``base`` to a constant power: products for integers, a square root for halves."""
    if exponent == 0:
        return like(1, base)
    if exponent < 0:
        return _reciprocal(power(base, -exponent))
    whole = int(exponent)
    if exponent - whole not in (0, 0.5) or whole > 64:
        raise LoweringError(
            f"power {exponent} is neither a small integer nor a half",
            hint="for positive x write np.exp(p * np.log(x))",
        )
    product = _repeated_product(base, whole) if whole else None
    if exponent == whole:
        assert product is not None
        return product
    root = pointwise("sqrt", base)
    return root if product is None else pointwise("mul", product, root)


def _repeated_product(base: Term, count: int) -> Term:
    """Square and multiply."""
    if count == 1:
        return base
    half = _repeated_product(base, count // 2)
    squared = pointwise("mul", half, half)
    return pointwise("mul", squared, base) if count % 2 else squared
