"""Elementary functions as range reduction and polynomials, each with a stated error.

The stated error is in units in the last place of the result; tests hold it over the function's
whole domain (all 2^16 inputs of the 16-bit formats, dense samples of the others).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oxegg.ir.types import BF16, F16, F32, F64, I32, I64, ElementType
from oxegg.rules.approximation import LN2 as LN2_DIGITS
from oxegg.rules.approximation import PI as PI_DIGITS
from oxegg.rules.approximation import horner, split
from oxegg.rules.fits import ERF_BORDER, ERF_TOP, TANH_BORDER, coefficients
from oxegg.rules.pattern import (
    Family,
    Pattern,
    apply,
    constant,
    convert,
    variables,
)

FAMILY = Family("elementary")
(x,) = variables("x")
one, two, half, zero = constant(1.0), constant(2.0), constant(0.5), constant(0.0)
LN2 = float(LN2_DIGITS)


@dataclass(frozen=True)
class Format:
    """What a polynomial needs to know about a float format."""

    type: ElementType
    integer: ElementType

    @property
    def fraction_bits(self) -> int:
        return self.type.precision - 1


FORMATS = (Format(F32, I32), Format(F64, I64))


def fma(a: Pattern, b: Pattern, c: Pattern) -> Pattern:
    return apply("fma", a, b, c)


def fnma(a: Pattern, b: Pattern, c: Pattern) -> Pattern:
    return apply("fnma", a, b, c)


def integer(format_: Format, name: str, *children: Pattern) -> Pattern:
    return apply(name, *children, of=format_.integer)


def bits(format_: Format, value: Pattern) -> Pattern:
    return convert(value, format_.type, format_.integer, "bitcast")


def from_bits(format_: Format, value: Pattern) -> Pattern:
    return convert(value, format_.integer, format_.type, "bitcast")


def nearest(format_: Format, value: Pattern) -> tuple[Pattern, Pattern]:
    """The nearest integer, as an integer and as a float."""
    whole = convert(value, format_.type, format_.integer, "to_int")
    return whole, convert(whole, format_.integer, format_.type)


def exponential(format_: Format, value: Pattern, log2_base: float = 1 / LN2) -> Pattern:
    """e^x (or 2^x: ``log2_base`` 1) = 2^n e^r, |r| <= ln(2)/2; 2^n is added to the exponent field.

    Below the smallest normal number the result is some number between 0 and it.
    """
    low = (1 - format_.type.max_exponent) / log2_base - 0.0001
    power, r = _reduced_exponent(format_, value, low, log2_base)
    polynomial = horner(r, [1.0, *coefficients(f"exp.{format_.type}")])
    return from_bits(format_, integer(format_, "add", bits(format_, polynomial), power))


def _reduced_exponent(
    format_: Format, value: Pattern, low: float, log2_base: float
) -> tuple[Pattern, Pattern]:
    """n, shifted to where a float has its exponent, and r; ``value`` is clamped below at ``low``."""
    high = largest_argument(format_, log2_base)
    clamped = apply("maxnum", apply("minnum", value, constant(high)), constant(low))
    # Adding 1.5 * 2^fraction_bits leaves the nearest integer in the low bits of the sum.
    magic = constant(1.5 * 2.0**format_.fraction_bits)
    shifted_n = clamped + magic if log2_base == 1 else fma(clamped, constant(log2_base), magic)
    n, n_float = bits(format_, shifted_n), shifted_n - magic
    upper, lower = split(LN2_DIGITS, 2, format_.type.precision - 12)
    if log2_base == 1:
        r = (clamped - n_float) * constant(LN2)
    else:
        r = fnma(n_float, lower, fnma(n_float, upper, clamped))
    return integer(format_, "shl", n, constant(format_.fraction_bits)), r


def largest_argument(format_: Format, log2_base: float) -> float:
    """Where b^x leaves the range of the format; ``log2_base`` is log2 b."""
    kind = format_.type.numpy.type
    return float(np.nextafter(kind((format_.type.max_exponent + 1) / log2_base), kind(0)))


def exponential_minus_one(format_: Format, value: Pattern) -> Pattern:
    """e^x - 1 = 2^n (e^r - 1) + (2^n - 1), in halves so that n = emax + 1 doesn't overflow."""
    low = -(format_.type.precision + 1) * LN2  # the result is -1 from there on
    power, r = _reduced_exponent(format_, value, low, 1 / LN2)
    grown = fma(r * r, horner(r, coefficients(f"expm1.{format_.type}")), r)
    scale = from_bits(format_, integer(format_, "add", bits(format_, half), power))
    return two * fma(scale, grown, scale - half)


def logarithm_plus_one(value: Pattern) -> Pattern:
    """log(1 + x) = log(u) x / (u - 1) with u = 1 + x rounded: the errors of u cancel (Kahan)."""
    above = one + value
    back = above - one
    ratio = apply("select", apply("eq", back, value), one, value / back)
    return apply("select", apply("eq", back, zero), value, apply("log", above) * ratio)


def logarithm(format_: Format, value: Pattern) -> Pattern:
    """log x = e ln 2 + log(1 + f), sqrt(1/2) <= 1 + f < sqrt(2); subnormals are scaled first."""
    t = format_
    smallest = constant(2.0 ** (1 - t.type.max_exponent))
    scale = t.fraction_bits + 2
    tiny = apply("lt", value, smallest)
    scaled = apply("select", tiny, value * constant(2.0**scale), value)
    raw = bits(t, scaled)
    root = int(np.sqrt(np.array(0.5, t.type.numpy)).view(t.integer.numpy))
    exponent = integer(t, "shr", integer(t, "sub", raw, constant(root)), constant(t.fraction_bits))
    mantissa = from_bits(
        t, integer(t, "sub", raw, integer(t, "shl", exponent, constant(t.fraction_bits)))
    )
    e_float = convert(exponent, t.integer, t.type)
    e = apply("select", tiny, e_float - constant(float(scale)), e_float)
    f = mantissa - one
    polynomial = horner(f, coefficients(f"log.{t.type}"))
    square = f * f
    upper, lower = split(LN2_DIGITS, 2, t.type.precision - 12)
    small = fma(e, lower, fma(square * f, polynomial, -(half * square)))
    finite = fma(e, upper, f + small)
    infinite = constant(float("inf"))
    at_zero = apply("select", apply("eq", value, zero), constant(float("-inf")), finite)
    return apply("select", apply("eq", value, infinite), infinite, at_zero)


def sine(format_: Format, value: Pattern, quarter_turns: int) -> Pattern:
    """sin(x + quarter_turns pi/2): reduction to |r| <= pi/4 in three parts, for |x| <= 1e4.

    Beyond that r loses digits as x itself has none to give; it is kept where sines are sines.
    """
    t = format_
    n, n_float = nearest(t, value * constant(2 / np.pi))
    parts = _split_half_pi(t)
    r = value
    for part in parts:
        r = fnma(n_float, part, r)
    r = apply("maxnum", apply("minnum", r, one), constant(-1.0))
    quadrant = integer(t, "add", n, constant(quarter_turns)) if quarter_turns else n
    square = r * r
    sine_ = fma(r * square, horner(square, coefficients(f"sin.{t.type}")), r)
    tail = horner(square, coefficients(f"cos.{t.type}"))
    cosine = fma(square * square, tail, fnma(half, square, one))
    odd = apply("ne", integer(t, "and", quadrant, constant(1)), constant(0), of=t.integer)
    picked = apply("select", odd, cosine, sine_)
    negative = apply("ne", integer(t, "and", quadrant, constant(2)), constant(0), of=t.integer)
    return apply("select", negative, -picked, picked)


def _split_half_pi(format_: Format) -> list[Pattern]:
    return list(split(PI_DIGITS / 2, 3, format_.type.precision - 14))


def hyperbolic_tangent(format_: Format, value: Pattern) -> Pattern:
    """tanh x: odd polynomial near 0, 1 - 2/(e^2|x| + 1) with the sign put back elsewhere."""
    magnitude = apply("abs", value)
    border = TANH_BORDER[format_.type.name]
    square = value * value
    tail = horner(square, coefficients(f"tanh.{format_.type}"))
    small = fma(value * square, tail, value)
    large = one - two / (apply("exp", magnitude + magnitude) + one)
    return apply(
        "select", apply("lt", magnitude, constant(border)), small, apply("copysign", large, value)
    )


def error_function(value: Pattern) -> Pattern:
    """erf x: odd polynomial for |x| < 0.9, 1 - e^p(|x|) with p fitted to log erfc elsewhere."""
    square = value * value
    small = value * horner(square, coefficients("erf-near.f32"))
    magnitude = apply("abs", value)
    capped = apply("minnum", magnitude, constant(ERF_TOP))
    exponent = horner(capped, coefficients("erf-far.f32"))
    large = apply("copysign", one - apply("exp", exponent), value)
    return apply("select", apply("lt", magnitude, constant(ERF_BORDER)), small, large)


def estimate_reciprocal(format_: Format) -> Pattern:
    """1/x from the 7-bit estimate by Newton's iteration y + y (1 - x y)."""
    y: Pattern = apply("reciprocal_estimate", x)
    for _ in range(_newton_steps(format_)):
        y = fma(y, fnma(x, y, one), y)
    return y


def estimate_rsqrt(format_: Format) -> Pattern:
    """1/sqrt(x) from the 7-bit estimate by y + y (1 - x y^2) / 2."""
    y: Pattern = apply("rsqrt_estimate", x)
    for _ in range(_newton_steps(format_)):
        y = fma(half * y, fnma(x * y, y, one), y)
    return y


def _newton_steps(format_: Format) -> int:
    """Each step doubles the seven good bits."""
    return 2 if format_.type is F32 else 3


def _rows() -> None:
    for t in FORMATS:

        def rule(name: str, right: Pattern, doc: str, error: float, t: Format = t) -> None:
            FAMILY.rule(f"{name}-{t.type}", apply(name, x), right, kind="real", types=(t.type,),
                        doc=doc, error_ulps=error, phase="elementary")  # fmt: skip

        rule("exp", exponential(t, x), "2^n times a polynomial", 3)
        rule("exp2", exponential(t, x, 1.0), "2^n times a polynomial", 3)
        rule("expm1", exponential_minus_one(t, x), "2^n times a polynomial, and 2^n - 1", 2)
        rule("log", logarithm(t, x), "e ln 2 plus a polynomial", 2)
        rule("log1p", logarithm_plus_one(x), "log(1 + x), corrected for the rounding of 1 + x", 3)
        rule("log2", apply("log", x) * constant(1 / LN2), "log2 x = log x / ln 2", 4)
        rule("sin", sine(t, x, 0), "quadrant and polynomial", 2)
        rule("cos", sine(t, x, 1), "quadrant and polynomial", 2)
        rule("tanh", hyperbolic_tangent(t, x), "polynomial near 0, exponential elsewhere", 8)
        if t.type is F32:  # no fit to log erfc was good enough for f64
            rule("erf", error_function(x), "polynomial near 0, exponential elsewhere", 4)
        sigmoid = apply("reciprocal", one + apply("exp", -x))
        rule("sigmoid", sigmoid, "1 / (1 + e^-x)", 6)
        FAMILY.rule(f"reciprocal-newton-{t.type}", apply("reciprocal", x), estimate_reciprocal(t),
                    kind="approx", types=(t.type,), error_ulps=2, phase="elementary",
                    doc="7-bit estimate and Newton; wrong at 0 and infinity")  # fmt: skip
        FAMILY.rule(f"rsqrt-newton-{t.type}", apply("rsqrt", x), estimate_rsqrt(t), kind="approx",
                    types=(t.type,), error_ulps=3, phase="elementary",
                    doc="7-bit estimate and Newton; wrong at 0 and infinity")  # fmt: skip
    functions = (
        "exp", "exp2", "expm1", "log", "log2", "log1p", "sin", "cos", "tanh", "erf", "sigmoid",
        "rsqrt",
    )  # fmt: skip
    for narrow in (F16, BF16):
        for name in (*functions, *(("sqrt", "reciprocal") if narrow is F16 else ())):
            FAMILY.rule(f"{name}-{narrow}-in-f32", apply(name, x), _in_single(name, narrow, x),
                        kind="real", types=(narrow,), error_ulps=1, phase="elementary",
                        doc="in f32, rounded once more")  # fmt: skip
    (y,) = variables("y")
    two_operands = ("add", "sub", "mul", "div", "min", "max", "minnum", "maxnum")
    for name, operands in [
        *((name, (x, y)) for name in two_operands),
        *((name, (x,)) for name in ("sqrt", "reciprocal")),
    ]:
        FAMILY.rule(f"{name}-bf16-in-f32", apply(name, *operands), _in_single(name, BF16, *operands),
                    kind="exact", types=(BF16,), phase="elementary",
                    doc="24 >= 2 * 8 + 2 bits: the second rounding is harmless")  # fmt: skip


def _in_single(name: str, narrow: ElementType, *operands: Pattern) -> Pattern:
    """An operation on a 16-bit format as one on f32."""
    wide = apply(name, *(convert(operand, narrow, F32) for operand in operands), of=F32)
    return convert(wide, F32, narrow)


_rows()
