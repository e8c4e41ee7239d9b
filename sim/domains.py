"""Number domains: floats read as elements of a finite field, or as exact rationals.

Over a field there is no rounding, so two ways to compute the same polynomial give the same element,
and different polynomials agree at a random point only by rare chance (Schwartz 1980, Zippel 1979).

A register keeps its width. An element that isn't a float's own value is held as a signalling NaN,
which no RISC-V instruction produces: its payload numbers the element, its sign negates it. So
loads, moves, merges, permutations and sign changes need no second implementation, and constants of
the program, which are ordinary floats, stand for their exact values. What has no meaning in a
domain raises ``NoMeaning``, as does an integer operation on an element.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from math import isqrt
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from oxegg.isa import Instruction
from oxegg.isa.semantics import Apply, operations
from oxegg.sim import fp8, ieee
from oxegg.sim.domain import Domain, NoMeaning, Value
from oxegg.sim.lanes import BFLOATS, BYTES, HALVES, SINGLES, Lanes
from oxegg.sim.reference import Context
from oxegg.sim.tile_reference import TileContext

Array = npt.NDArray[Any]
PRIMES: Mapping[int, tuple[int, int]] = {
    64: (4_194_301, 4_194_287),
    32: (4_194_301, 4_194_287),
    16: (509, 503),
    8: (61, 59),
}
"""Two primes by the narrowest format in bits that holds results; 8 stands for bfloat16 too."""


@dataclass(frozen=True)
class PrimeField:
    """GF(p): values are residues from 0 to p - 1."""

    prime: int

    @property
    def name(self) -> str:
        return f"GF({self.prime})"

    def literal(self, value: Fraction) -> int:
        if value.denominator % self.prime == 0:
            raise NoMeaning(f"the constant {value}", self.name)
        return value.numerator * pow(value.denominator, -1, self.prime) % self.prime

    def add(self, a: int, b: int) -> int:
        return (a + b) % self.prime

    def multiply(self, a: int, b: int) -> int:
        return a * b % self.prime

    def divide(self, a: int, b: int) -> int:
        if not b:
            raise NoMeaning("division by zero", self.name)
        return a * pow(b, -1, self.prime) % self.prime

    def negate(self, a: int) -> int:
        return -a % self.prime

    def square_root(self, a: int) -> int:
        raise NoMeaning("a square root", self.name)

    def less(self, a: int, b: int) -> bool:
        raise NoMeaning("a comparison", self.name)

    def to_rational(self, a: int) -> Fraction:
        raise NoMeaning("a conversion to an integer", self.name)

    def number(self, value: int) -> int:
        return value + 1

    def value(self, number: int) -> int:
        return number - 1


@dataclass(frozen=True)
class Rationals:
    """Exact rational numbers; the numbers that stand for them are given out as they appear."""

    _values: list[Fraction] = field(default_factory=list[Fraction])
    _numbers: dict[Fraction, int] = field(default_factory=dict[Fraction, int])

    @property
    def name(self) -> str:
        return "the rationals"

    def literal(self, value: Fraction) -> Fraction:
        return value

    def add(self, a: Fraction, b: Fraction) -> Fraction:
        return Fraction(a + b)

    def multiply(self, a: Fraction, b: Fraction) -> Fraction:
        return Fraction(a * b)

    def divide(self, a: Fraction, b: Fraction) -> Fraction:
        if not b:
            raise NoMeaning("division by zero", self.name)
        return Fraction(a) / b

    def negate(self, a: Fraction) -> Fraction:
        return -a

    def square_root(self, a: Fraction) -> Fraction:
        if a >= 0:
            root = Fraction(isqrt(a.numerator), isqrt(a.denominator))
            if root * root == a:
                return root
        raise NoMeaning(f"the square root of {a}", self.name)

    def less(self, a: Fraction, b: Fraction) -> bool:
        return a < b

    def to_rational(self, a: Fraction) -> Fraction:
        return a

    def number(self, value: Fraction) -> int:
        if value not in self._numbers:
            self._values.append(value)
            self._numbers[value] = len(self._values)
        return self._numbers[value]

    def value(self, number: int) -> Fraction:
        return self._values[number - 1]


# Bit patterns


def capacity(form: ieee.Format) -> int:
    """How many elements a format can hold: the payloads of its signalling NaNs."""
    return (1 << (form.precision - 2)) - 1


def is_element(form: ieee.Format, bits: int) -> bool:
    """Whether a pattern is an element rather than a float."""
    magnitude = bits & (form.sign - 1)
    return form.infinity < magnitude <= form.infinity + capacity(form)


def encode(domain: Domain, form: ieee.Format, value: Value) -> int:
    """The pattern of a value; raises ``NoMeaning`` when the format can't hold that many."""
    number = domain.number(value)
    if number > capacity(form):
        raise NoMeaning(f"element number {number} in {form.width} bits", domain.name)
    return form.infinity + number


def decode(domain: Domain, form: ieee.Format, bits: int) -> Value:
    """The value of a pattern; raises ``NoMeaning`` for infinities and NaNs."""
    magnitude = bits & (form.sign - 1)
    if is_element(form, bits):
        value = domain.value(magnitude - form.infinity)
        return domain.negate(value) if bits & form.sign else value
    if magnitude >= form.infinity:
        raise NoMeaning("an infinity" if magnitude == form.infinity else "a NaN", domain.name)
    mantissa, exponent = ieee.split(form, bits)
    return domain.literal(Fraction(mantissa) * Fraction(2) ** exponent)


# Semantics

FORMATS = {**ieee.FORMATS, 8: fp8.E5M2}
MOVES = frozenset({"select", "s", "raw"})


def _add(domain: Domain, a: Value, b: Value) -> Value:
    return domain.add(a, b)


def _subtract(domain: Domain, a: Value, b: Value) -> Value:
    return domain.add(a, domain.negate(b))


def _multiply(domain: Domain, a: Value, b: Value) -> Value:
    return domain.multiply(a, b)


def _divide(domain: Domain, a: Value, b: Value) -> Value:
    return domain.divide(a, b)


def _square_root(domain: Domain, a: Value) -> Value:
    return domain.square_root(a)


def _fma(domain: Domain, a: Value, b: Value, c: Value) -> Value:
    return domain.add(domain.multiply(a, b), c)


def _negate(domain: Domain, a: Value) -> Value:
    return domain.negate(a)


def _smaller(domain: Domain, a: Value, b: Value) -> Value:
    return b if domain.less(b, a) else a


def _larger(domain: Domain, a: Value, b: Value) -> Value:
    return b if domain.less(a, b) else a


def _equal(domain: Domain, a: Value, b: Value) -> bool:
    # A field has equality, but a program that branches on it does so over numbers.
    return not domain.less(a, b) and not domain.less(b, a)


def _less(domain: Domain, a: Value, b: Value) -> bool:
    return domain.less(a, b)


def _at_most(domain: Domain, a: Value, b: Value) -> bool:
    return not domain.less(b, a)


ARITHMETIC: Mapping[str, Callable[..., Value]] = {
    "fadd": _add, "fsub": _subtract, "fmul": _multiply, "fdiv": _divide, "fsqrt": _square_root,
    "fma": _fma, "fneg": _negate, "fmin": _smaller, "fmax": _larger,
}  # fmt: skip
COMPARISONS: Mapping[str, Callable[..., bool]] = {"feq": _equal, "flt": _less, "fle": _at_most}
SIGNS = frozenset({"fsgnj", "fsgnjn", "fsgnjx"})
ESTIMATES = frozenset({"frec7", "frsqrt7", "fclass"})
SAME_VALUE = frozenset({"widen", "fcvt", "fcvt_odd", "bf16_widen", "bf16_narrow",
                        "e4m3_widen", "e5m2_widen"})  # fmt: skip
TO_INTEGER = {"f_to_s": True, "f_to_u": False, "f_to_s_rtz": True, "f_to_u_rtz": False}
FLOAT_OPERATIONS = frozenset(
    {*ARITHMETIC, *COMPARISONS, *SIGNS, *ESTIMATES, *SAME_VALUE, *TO_INTEGER, "s_to_f", "u_to_f"}
)


@dataclass(frozen=True)
class DomainContext(Context):
    """The reference interpreter over ``domain``."""

    domain: Domain = field(default_factory=Rationals)

    def _float(self, e: Apply) -> int:
        operation, arguments = e.operation, e.arguments
        if operation in ("s_to_f", "u_to_f"):
            value = self.domain.literal(Fraction(self.evaluate(arguments[0])))
            return encode(self.domain, ieee.FORMATS[self.target_width], value)
        if operation in ESTIMATES:
            raise NoMeaning(f"{operation}, which works on a float's bits,", self.domain.name)
        source = self._form(e)
        values = [self.evaluate(a) for a in arguments[: 1 if operation in TO_INTEGER else None]]
        if operation in SIGNS:
            return self._sign(operation, source, *values)
        numbers = [self._decode(operation, source, bits) for bits in values]
        if operation in COMPARISONS:
            return int(COMPARISONS[operation](self.domain, *numbers))
        if operation in TO_INTEGER:
            return self._integer(e, numbers[0])
        result = numbers[0] if operation in SAME_VALUE else ARITHMETIC[operation](
            self.domain, *numbers
        )  # fmt: skip
        return encode(self.domain, self._target(e), result)

    def _decode(self, operation: str, form: ieee.Format, bits: int) -> Value:
        if operation == "e4m3_widen":
            return decode(self.domain, ieee.SINGLE, fp8.e4m3_widen(bits))
        return decode(self.domain, form, bits)

    def _form(self, e: Apply) -> ieee.Format:
        """The format of an operation's arguments."""
        special = {"bf16_widen": ieee.BFLOAT16, "bf16_narrow": ieee.SINGLE, "e5m2_widen": fp8.E5M2}
        return special.get(e.operation) or FORMATS.get(self.width(e.arguments[0]), ieee.HALF)

    def _target(self, e: Apply) -> ieee.Format:
        """The format of a result."""
        match e.operation:
            case "bf16_narrow":
                return ieee.BFLOAT16
            case "fcvt" | "fcvt_odd":
                return ieee.FORMATS[self.target_width]
            case _:
                return ieee.FORMATS[self.width(e)]

    def _sign(self, operation: str, form: ieee.Format, a: int, b: int) -> int:
        """Injecting an operand's own sign is a move, its opposite a negation; else a comparison."""
        number = decode(self.domain, form, a)
        if a == b and operation != "fsgnjx":
            result = number if operation == "fsgnj" else self.domain.negate(number)
            return encode(self.domain, form, result)
        zero = self.domain.literal(Fraction(0))
        negative = [self.domain.less(n, zero) for n in (number, decode(self.domain, form, b))]
        wanted = {"fsgnj": negative[1], "fsgnjn": not negative[1],
                  "fsgnjx": negative[0] != negative[1]}[operation]  # fmt: skip
        result = number if wanted == negative[0] else self.domain.negate(number)
        return encode(self.domain, form, result)

    def _integer(self, e: Apply, value: Value) -> int:
        number = self.domain.to_rational(value)
        bits, signed = self.evaluate(e.arguments[1]), TO_INTEGER[e.operation]
        whole = int(number) if e.operation.endswith("rtz") else round(number)
        low = -(1 << (bits - 1)) if signed else 0
        return min(max(whole, low), low + (1 << bits) - 1)


@dataclass(frozen=True)
class DomainTileContext(TileContext, DomainContext):
    """The same with the elements of tiles."""


def has_float(record: Instruction) -> bool:
    """Whether an instruction computes with floats, rather than moving them."""
    found = (o for statement in record.statements for o in operations(statement.value))
    return any(operation in FLOAT_OPERATIONS for operation in found)


def is_move(record: Instruction) -> bool:
    """Whether an instruction only chooses among its operands' elements."""
    found = (o for statement in record.statements for o in operations(statement.value))
    return all(operation in MOVES for operation in found)


def refuse_elements(domain: Domain, sources: Iterable[Array]) -> None:
    """Raise ``NoMeaning`` if integer arithmetic meets an element: its bits aren't a float's."""
    for source in sources:
        form = ieee.FORMATS.get(8 * source.dtype.itemsize)
        if form is None:
            continue
        magnitude = source & source.dtype.type(form.sign - 1)
        low, high = form.infinity, form.infinity + capacity(form)
        if ((magnitude > low) & (magnitude <= high)).any():
            raise NoMeaning("integer arithmetic on a float", domain.name)


def fold(
    domain: Domain, name: str, form: ieee.Format, source: ieee.Format, start: int, data: list[int]
) -> int:
    """A reduction of the vector unit: patterns of ``source`` onto one of ``form``."""
    kinds = {"reduce_fmin": "fmin", "reduce_fmax": "fmax"}
    step = ARITHMETIC[kinds.get(name, "fadd")]
    total = decode(domain, form, start)
    for bits in data:
        total = step(domain, total, decode(domain, source, bits))
    return encode(domain, form, total)


def domain_context(domain: Domain) -> Callable[..., Context]:
    """The reference interpreter's contexts over ``domain``."""

    def make(*arguments: Any, **more: Any) -> Context:
        return DomainContext(*arguments, **more, domain=domain)

    return make


def tile_context(domain: Domain) -> Callable[..., TileContext]:
    """The contexts of tile instructions over ``domain``."""

    def make(*arguments: Any, **more: Any) -> TileContext:
        return DomainTileContext(*arguments, **more, domain=domain)

    return make


def lanes_over(domain: Domain) -> tuple[Lanes, ...]:
    """The element types of near-memory units over ``domain``, by number; integers stay integers."""
    kinds = ((HALVES, ieee.HALF), (BFLOATS, ieee.BFLOAT16), (SINGLES, ieee.SINGLE))
    return (BYTES, *(_lanes(domain, lanes.size, form) for lanes, form in kinds))


def _each(function: Callable[..., Value], inputs: int) -> Callable[..., Array]:
    """``function`` of ``inputs`` values on arrays of objects."""
    return cast(Callable[..., Array], np.frompyfunc(function, inputs, 1))


def _lanes(domain: Domain, size: int, form: ieee.Format) -> Lanes:
    reading = _each(partial(decode, domain, form), 1)
    writing = _each(partial(encode, domain, form), 1)
    writing_sum = _each(partial(encode, domain, ieee.SINGLE), 1)
    adding = _each(domain.add, 2)

    def read(data: Array) -> Array:
        # Python's own integers: those of NumPy would overflow.
        return reading(data.view(f"u{size}").astype(object))

    def write(values: Array) -> Array:
        return writing(values).astype(f"u{size}").view(np.uint8)

    def total(values: Array) -> Array:
        result = values[..., 0]
        for lane in range(1, values.shape[-1]):
            result = adding(result, values[..., lane])
        return writing_sum(result).astype(np.uint32)

    return Lanes(
        size=size,
        kind=object,
        read=read,
        write=write,
        add=adding,
        multiply=_each(domain.multiply, 2),
        largest=_each(partial(_larger, domain), 2),
        accumulate=_each(partial(_fma, domain), 3),
        total=total,
    )
