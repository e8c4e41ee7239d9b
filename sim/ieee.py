"""IEEE 754 arithmetic on bit patterns, exact by integer arithmetic: slow, and never wrong.

Finite values are ``mantissa * 2^exponent`` with Python integers; every operation computes the exact
result (or enough of it and a sticky bit) and rounds once. The simulator uses these functions where
no host operation gives the RISC-V result; the tests use them as the oracle for the fast paths.

All functions take a ``Format`` first and bit patterns of that format, and round by ``mode``. Those
that can raise IEEE exceptions take ``Flags`` last and accrue them there. Tininess is detected after
rounding, as RISC-V demands.
"""

from dataclasses import dataclass
from math import isqrt

NEAREST_EVEN, TOWARDS_ZERO, DOWN, UP, NEAREST_AWAY, ODD = 0, 1, 2, 3, 4, 5
# Bits of fflags.
INEXACT, UNDERFLOW, OVERFLOW, DIVIDE_BY_ZERO, INVALID = 1, 2, 4, 8, 16


@dataclass
class Flags:
    """Accrued exceptions, as the bits of fflags."""

    raised: int = 0

    def accrue(self, exceptions: int) -> None:
        """Raise ``exceptions`` as well."""
        self.raised |= exceptions


@dataclass(frozen=True)
class Format:
    """A binary interchange format: ``width`` bits, ``precision`` of them significant."""

    width: int
    precision: int

    @property
    def bias(self) -> int:
        return (1 << (self.width - self.precision - 1)) - 1

    @property
    def sign(self) -> int:
        return 1 << (self.width - 1)

    @property
    def infinity(self) -> int:
        """Bit pattern of +inf; patterns above it, without the sign, are NaN."""
        return (1 << (self.width - 1)) - (1 << (self.precision - 1))

    @property
    def nan(self) -> int:
        """The canonical NaN."""
        return self.infinity | 1 << (self.precision - 2)

    def is_nan(self, bits: int) -> bool:
        return bits & (self.sign - 1) > self.infinity

    def is_signaling(self, bits: int) -> bool:
        """Whether the pattern is a NaN whose use is invalid."""
        return self.is_nan(bits) and not bits >> (self.precision - 2) & 1

    def is_infinite(self, bits: int) -> bool:
        return bits & (self.sign - 1) == self.infinity


HALF, SINGLE, DOUBLE, BFLOAT16 = Format(16, 11), Format(32, 24), Format(64, 53), Format(16, 8)
FORMATS = {16: HALF, 32: SINGLE, 64: DOUBLE}


def split(form: Format, bits: int) -> tuple[int, int]:
    """Signed mantissa and exponent of a finite value."""
    fraction = bits & ((1 << (form.precision - 1)) - 1)
    field = (bits & (form.sign - 1)) >> (form.precision - 1)
    mantissa = fraction | (1 << (form.precision - 1)) if field else fraction
    exponent = max(field, 1) - form.bias - form.precision + 1
    return (-mantissa if bits & form.sign else mantissa), exponent


def _nan(form: Format, flags: Flags | None, *operands: int) -> int:
    """The canonical NaN, and INVALID if an operand is a signaling NaN."""
    if flags is not None and any(map(form.is_signaling, operands)):
        flags.accrue(INVALID)
    return form.nan


def _invalid(form: Format, flags: Flags | None) -> int:
    """The canonical NaN of an operation that has no result."""
    if flags is not None:
        flags.accrue(INVALID)
    return form.nan


def pack(
    form: Format,
    negative: bool,
    magnitude: int,
    exponent: int,
    mode: int,
    flags: Flags | None = None,
) -> int:
    """Bit pattern of ``magnitude * 2^exponent``, rounded once by ``mode``."""
    sign = form.sign if negative else 0
    if magnitude == 0:
        return sign
    top = form.precision
    normal = exponent + magnitude.bit_length() - top
    last = max(normal, 2 - form.bias - top)
    rounded = _shift_round(magnitude, last - exponent, negative, mode)
    if flags is not None and last > exponent and magnitude & ((1 << (last - exponent)) - 1):
        # With unbounded exponents, would the rounded value still lie below the normal numbers?
        tiny = last > normal + 1 or (
            last > normal and not _shift_round(magnitude, normal - exponent, negative, mode) >> top
        )
        flags.accrue(INEXACT | UNDERFLOW if tiny else INEXACT)
    if rounded >> top:
        rounded >>= 1
        last += 1
    field = last + top - 1 + form.bias if rounded >> (top - 1) else 0
    largest = form.infinity >> (top - 1)
    if field >= largest:
        if flags is not None:
            flags.accrue(OVERFLOW | INEXACT)
        return sign | overflowed(form, negative, mode)
    return sign | field << (top - 1) | rounded & ((1 << (top - 1)) - 1)


def overflowed(form: Format, negative: bool, mode: int) -> int:
    """Magnitude of what a too large result rounds to: infinity or the largest number."""
    to_infinity = mode in (NEAREST_EVEN, NEAREST_AWAY) or mode == (DOWN if negative else UP)
    return form.infinity if to_infinity else form.infinity - 1


def _shift_round(magnitude: int, shift: int, negative: bool, mode: int) -> int:
    """``magnitude / 2^shift`` as an integer, rounded by ``mode``."""
    if shift <= 0:
        return magnitude << -shift
    rest, half = magnitude & ((1 << shift) - 1), 1 << (shift - 1)
    whole = magnitude >> shift
    if mode == ODD:
        return whole | (rest != 0)
    away = {
        NEAREST_EVEN: rest > half or (rest == half and whole & 1 == 1),
        NEAREST_AWAY: rest >= half,
        TOWARDS_ZERO: False,
        DOWN: rest != 0 and negative,
        UP: rest != 0 and not negative,
    }
    return whole + away[mode]


def canonical(form: Format, a: int, flags: Flags | None = None) -> int:
    """``a``, or the canonical NaN for any NaN."""
    return _nan(form, flags, a) if form.is_nan(a) else a


def fadd(form: Format, a: int, b: int, mode: int, flags: Flags | None = None) -> int:
    """a + b."""
    return fma(form, a, form.bias << (form.precision - 1), b, mode, flags)


def fsub(form: Format, a: int, b: int, mode: int, flags: Flags | None = None) -> int:
    """a - b."""
    return fadd(form, a, b ^ form.sign, mode, flags)


def fma(form: Format, a: int, b: int, c: int, mode: int, flags: Flags | None = None) -> int:
    """a * b + c with one rounding."""
    negative_product = (a ^ b) & form.sign != 0
    infinite_product = form.is_infinite(a) or form.is_infinite(b)
    a_nan, b_nan, c_nan = form.is_nan(a), form.is_nan(b), form.is_nan(c)
    if infinite_product and not (a_nan or b_nan):
        zero = (a & (form.sign - 1)) == 0 or (b & (form.sign - 1)) == 0
        opposite = form.is_infinite(c) and (c & form.sign != 0) != negative_product
        # Infinity times zero is invalid even if a quiet NaN is added.
        if zero or opposite:
            return _invalid(form, flags)
        if not c_nan:
            return form.infinity | (form.sign if negative_product else 0)
    if a_nan or b_nan or c_nan:
        return _nan(form, flags, a, b, c)
    if form.is_infinite(c):
        return c
    (ma, ea), (mb, eb), (mc, ec) = split(form, a), split(form, b), split(form, c)
    product, exponent = ma * mb, ea + eb
    low = min(exponent, ec)
    total = (product << (exponent - low)) + (mc << (ec - low))
    both_negative = negative_product and c & form.sign != 0
    cancelled = negative_product != (c & form.sign != 0)
    zero_sign = both_negative or (cancelled and mode == DOWN)
    return pack(form, total < 0 if total else zero_sign, abs(total), low, mode, flags)


def fmul(form: Format, a: int, b: int, mode: int, flags: Flags | None = None) -> int:
    """a * b."""
    # Adding a zero of the product's sign keeps the sign of a zero product.
    return fma(form, a, b, (a ^ b) & form.sign, mode, flags)


def fdiv(form: Format, a: int, b: int, mode: int, flags: Flags | None = None) -> int:
    """a / b."""
    sign = (a ^ b) & form.sign
    if form.is_nan(a) or form.is_nan(b):
        return _nan(form, flags, a, b)
    (ma, ea), (mb, eb) = split(form, a), split(form, b)
    a_infinite, b_infinite = form.is_infinite(a), form.is_infinite(b)
    if (a_infinite and b_infinite) or (ma == mb == 0):
        return _invalid(form, flags)
    if a_infinite:
        return sign | form.infinity
    if mb == 0:
        if flags is not None:
            flags.accrue(DIVIDE_BY_ZERO)
        return sign | form.infinity
    if b_infinite or ma == 0:
        return sign
    extra = 2 * form.precision + 2
    quotient, rest = divmod(abs(ma) << extra, abs(mb))
    exponent = ea - eb - extra - 1
    return pack(form, sign != 0, quotient << 1 | (rest != 0), exponent, mode, flags)


def fsqrt(form: Format, a: int, mode: int, flags: Flags | None = None) -> int:
    """Square root."""
    if a & (form.sign - 1) == 0 or a == form.infinity:
        return a
    if form.is_nan(a):
        return _nan(form, flags, a)
    if a & form.sign:
        return _invalid(form, flags)
    mantissa, exponent = split(form, a)
    shift = 2 * form.precision + 2 + (exponent & 1)
    root = isqrt(mantissa << shift)
    inexact = root * root != mantissa << shift
    return pack(form, False, root << 1 | inexact, (exponent - shift) // 2 - 1, mode, flags)


def fcvt(form: Format, source: Format, a: int, mode: int, flags: Flags | None = None) -> int:
    """A value of format ``source`` in ``form``."""
    if source.is_nan(a):
        _nan(source, flags, a)
        return form.nan
    sign = form.sign if a & source.sign else 0
    if source.is_infinite(a):
        return sign | form.infinity
    mantissa, exponent = split(source, a)
    return pack(form, sign != 0, abs(mantissa), exponent, mode, flags)


def from_int(form: Format, value: int, mode: int, flags: Flags | None = None) -> int:
    """An integer in ``form``."""
    return pack(form, value < 0, abs(value), 0, mode, flags)


def to_int(
    form: Format, a: int, bits: int, signed: bool, mode: int, flags: Flags | None = None
) -> int:
    """The integer that a value rounds to, saturated to ``bits``; NaN gives the largest."""
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if form.is_nan(a) or form.is_infinite(a):
        _invalid(form, flags)
        return low if form.is_infinite(a) and a & form.sign else high
    mantissa, exponent = split(form, a)
    rounded = _shift_round(abs(mantissa), -exponent, mantissa < 0, mode)
    rounded = -rounded if mantissa < 0 else rounded
    if flags is not None:
        if not low <= rounded <= high:
            flags.accrue(INVALID)
        elif exponent < 0 and mantissa & ((1 << -exponent) - 1):
            flags.accrue(INEXACT)
    return min(max(rounded, low), high)


def order(form: Format, a: int) -> int:
    """Integer that orders all values that aren't NaN, -0 before +0."""
    return a if not a & form.sign else -(a & (form.sign - 1)) - 1


def fmin(form: Format, a: int, b: int, flags: Flags | None = None) -> int:
    """IEEE 754-2019 minimumNumber."""
    if form.is_nan(a) or form.is_nan(b):
        _nan(form, flags, a, b)
        return form.nan if form.is_nan(a) and form.is_nan(b) else b if form.is_nan(a) else a
    return min(a, b, key=lambda bits: order(form, bits))


def fmax(form: Format, a: int, b: int, flags: Flags | None = None) -> int:
    """IEEE 754-2019 maximumNumber."""
    if form.is_nan(a) or form.is_nan(b):
        _nan(form, flags, a, b)
        return form.nan if form.is_nan(a) and form.is_nan(b) else b if form.is_nan(a) else a
    return max(a, b, key=lambda bits: order(form, bits))


def flt(form: Format, a: int, b: int, flags: Flags | None = None) -> int:
    """1 when a < b; any NaN is invalid."""
    if form.is_nan(a) or form.is_nan(b):
        _invalid(form, flags)
        return 0
    return int((a | b) & (form.sign - 1) != 0 and order(form, a) < order(form, b))


def feq(form: Format, a: int, b: int, flags: Flags | None = None) -> int:
    """1 when a == b; only a signaling NaN is invalid."""
    if form.is_nan(a) or form.is_nan(b):
        _nan(form, flags, a, b)
        return 0
    return int(a == b or (a | b) & (form.sign - 1) == 0)


def fle(form: Format, a: int, b: int, flags: Flags | None = None) -> int:
    """1 when a <= b; any NaN is invalid."""
    return flt(form, a, b, flags) | feq(form, a, b)


def fclass(form: Format, a: int) -> int:
    """The one-hot class mask of FCLASS."""
    magnitude, negative = a & (form.sign - 1), a & form.sign != 0
    if magnitude > form.infinity:
        return 1 << (9 if magnitude >> (form.precision - 2) & 1 else 8)
    normal = 1 << (form.precision - 1)
    step = 3 if magnitude == form.infinity else 2 if magnitude >= normal else magnitude != 0
    return 1 << (3 - step if negative else 4 + step)
