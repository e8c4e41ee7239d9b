"""IEEE 754 arithmetic on bit patterns, exact by integer arithmetic: slow, and never wrong.

Finite values are ``mantissa * 2^exponent`` with Python integers; every operation computes the exact
result (or enough of it and a sticky bit) and rounds once. The simulator uses these functions where
no host operation gives the RISC-V result; the tests use them as the oracle for the fast paths.

All functions take a ``Format`` first and bit patterns of that format, and round by ``mode``.
"""

from dataclasses import dataclass
from math import isqrt

NEAREST_EVEN, TOWARDS_ZERO, DOWN, UP, NEAREST_AWAY, ODD = 0, 1, 2, 3, 4, 5


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


def pack(form: Format, negative: bool, magnitude: int, exponent: int, mode: int) -> int:
    """Bit pattern of ``magnitude * 2^exponent``, rounded once by ``mode``."""
    sign = form.sign if negative else 0
    if magnitude == 0:
        return sign
    top = form.precision
    last = max(exponent + magnitude.bit_length() - top, 2 - form.bias - top)
    magnitude = _shift_round(magnitude, last - exponent, negative, mode)
    if magnitude >> top:
        magnitude >>= 1
        last += 1
    field = last + top - 1 + form.bias if magnitude >> (top - 1) else 0
    largest = form.infinity >> (top - 1)
    if field >= largest:
        to_infinity = mode in (NEAREST_EVEN, NEAREST_AWAY) or mode == (DOWN if negative else UP)
        return sign | (form.infinity if to_infinity else form.infinity - 1)
    return sign | field << (top - 1) | magnitude & ((1 << (top - 1)) - 1)


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


def _pack_signed(form: Format, value: int, exponent: int, zero_sign: bool, mode: int) -> int:
    negative = value < 0 if value else zero_sign
    return pack(form, negative, abs(value), exponent, mode)


def fadd(form: Format, a: int, b: int, mode: int) -> int:
    """a + b."""
    return fma(form, a, form.bias << (form.precision - 1), b, mode)


def fsub(form: Format, a: int, b: int, mode: int) -> int:
    """a - b."""
    return fadd(form, a, b ^ form.sign, mode)


def fma(form: Format, a: int, b: int, c: int, mode: int) -> int:
    """a * b + c with one rounding."""
    negative_product = (a ^ b) & form.sign != 0
    if form.is_nan(a) or form.is_nan(b) or form.is_nan(c):
        return form.nan
    if form.is_infinite(a) or form.is_infinite(b):
        zero = (a & (form.sign - 1)) == 0 or (b & (form.sign - 1)) == 0
        opposite = form.is_infinite(c) and (c & form.sign != 0) != negative_product
        signed = form.infinity | (form.sign if negative_product else 0)
        return form.nan if zero or opposite else signed
    if form.is_infinite(c):
        return c
    (ma, ea), (mb, eb), (mc, ec) = split(form, a), split(form, b), split(form, c)
    product, exponent = ma * mb, ea + eb
    low = min(exponent, ec)
    total = (product << (exponent - low)) + (mc << (ec - low))
    both_negative = negative_product and c & form.sign != 0
    cancelled = negative_product != (c & form.sign != 0)
    return _pack_signed(form, total, low, both_negative or (cancelled and mode == DOWN), mode)


def fmul(form: Format, a: int, b: int, mode: int) -> int:
    """a * b."""
    # Adding a zero of the product's sign keeps the sign of a zero product.
    return fma(form, a, b, (a ^ b) & form.sign, mode)


def fdiv(form: Format, a: int, b: int, mode: int) -> int:
    """a / b."""
    sign = (a ^ b) & form.sign
    (ma, ea), (mb, eb) = split(form, a), split(form, b)
    a_infinite, b_infinite = form.is_infinite(a), form.is_infinite(b)
    if form.is_nan(a) or form.is_nan(b) or (a_infinite and b_infinite):
        return form.nan
    if a_infinite or (mb == 0 and ma != 0 and not b_infinite):
        return sign | form.infinity
    if b_infinite or ma == 0:
        return form.nan if mb == 0 and not b_infinite else sign
    extra = 2 * form.precision + 2
    quotient, rest = divmod(abs(ma) << extra, abs(mb))
    return pack(form, sign != 0, quotient << 1 | (rest != 0), ea - eb - extra - 1, mode)


def fsqrt(form: Format, a: int, mode: int) -> int:
    """Square root."""
    if a & (form.sign - 1) == 0 or a == form.infinity:
        return a
    if form.is_nan(a) or a & form.sign:
        return form.nan
    mantissa, exponent = split(form, a)
    shift = 2 * form.precision + 2 + (exponent & 1)
    root = isqrt(mantissa << shift)
    inexact = root * root != mantissa << shift
    return pack(form, False, root << 1 | inexact, (exponent - shift) // 2 - 1, mode)


def fcvt(form: Format, source: Format, a: int, mode: int) -> int:
    """A value of format ``source`` in ``form``."""
    if source.is_nan(a):
        return form.nan
    sign = form.sign if a & source.sign else 0
    if source.is_infinite(a):
        return sign | form.infinity
    mantissa, exponent = split(source, a)
    return pack(form, sign != 0, abs(mantissa), exponent, mode)


def from_int(form: Format, value: int, mode: int) -> int:
    """An integer in ``form``."""
    return pack(form, value < 0, abs(value), 0, mode)


def to_int(form: Format, a: int, bits: int, signed: bool, mode: int) -> int:
    """The integer that a value rounds to, saturated to ``bits``; NaN gives the largest."""
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if form.is_nan(a):
        return high
    if form.is_infinite(a):
        return low if a & form.sign else high
    mantissa, exponent = split(form, a)
    rounded = _shift_round(abs(mantissa), -exponent, mantissa < 0, mode)
    return min(max(-rounded if mantissa < 0 else rounded, low), high)


def order(form: Format, a: int) -> int:
    """Integer that orders all values that aren't NaN, -0 before +0."""
    return a if not a & form.sign else -(a & (form.sign - 1)) - 1


def fmin(form: Format, a: int, b: int) -> int:
    """IEEE 754-2019 minimumNumber."""
    if form.is_nan(a) or form.is_nan(b):
        return form.nan if form.is_nan(a) and form.is_nan(b) else b if form.is_nan(a) else a
    return min(a, b, key=lambda bits: order(form, bits))


def fmax(form: Format, a: int, b: int) -> int:
    """IEEE 754-2019 maximumNumber."""
    if form.is_nan(a) or form.is_nan(b):
        return form.nan if form.is_nan(a) and form.is_nan(b) else b if form.is_nan(a) else a
    return max(a, b, key=lambda bits: order(form, bits))


def flt(form: Format, a: int, b: int) -> int:
    """1 when a < b."""
    if form.is_nan(a) or form.is_nan(b) or (a | b) & (form.sign - 1) == 0:
        return 0
    return int(order(form, a) < order(form, b))


def feq(form: Format, a: int, b: int) -> int:
    """1 when a == b."""
    if form.is_nan(a) or form.is_nan(b):
        return 0
    return int(a == b or (a | b) & (form.sign - 1) == 0)


def fle(form: Format, a: int, b: int) -> int:
    """1 when a <= b."""
    return flt(form, a, b) | feq(form, a, b)


def fclass(form: Format, a: int) -> int:
    """The one-hot class mask of FCLASS."""
    magnitude, negative = a & (form.sign - 1), a & form.sign != 0
    if magnitude > form.infinity:
        return 1 << (9 if magnitude >> (form.precision - 2) & 1 else 8)
    normal = 1 << (form.precision - 1)
    step = 3 if magnitude == form.infinity else 2 if magnitude >= normal else magnitude != 0
    return 1 << (3 - step if negative else 4 + step)
