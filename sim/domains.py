"""Number domains: floats read as elements of a finite field, or as exact rationals.

A register keeps its width. An element that isn't a float's own value is held as a signalling NaN,
which no RISC-V instruction produces: its payload numbers the element, its sign negates it. So
loads, moves, merges, permutations and sign changes need no second implementation, and constants of
the program, which are ordinary floats, stand for their exact values. What has no meaning in a
domain raises ``NoMeaning``, as do integer operations on elements unless the domain holds bits.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from oxegg.isa import Instruction
from oxegg.isa.semantics import Apply, Expression, Name, operations
from oxegg.sim import fp8, ieee
from oxegg.sim.domain import Domain, NoMeaning, Value
from oxegg.sim.fields import Rationals
from oxegg.sim.lanes import BFLOATS, BYTES, HALVES, SINGLES, Lanes
from oxegg.sim.reference import INTEGER, Context
from oxegg.sim.tile_reference import TileContext
from oxegg.sim.uninterpreted import TO_FLOAT, Opaque, integer_operation

Array = npt.NDArray[Any]

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
    if isinstance(value, float):
        return form.infinity | (form.sign if value < 0 else 0)
    number = domain.number(value)
    if number > capacity(form):
        raise NoMeaning(f"element number {number} in {form.width} bits", domain.name)
    return form.infinity + number


def decode(domain: Domain, form: ieee.Format, bits: int) -> Value:
    """The value of a pattern; raises ``NoMeaning`` for NaNs and most often for infinities."""
    magnitude = bits & (form.sign - 1)
    if is_element(form, bits):
        value = domain.value(magnitude - form.infinity)
        return domain.negate(value) if bits & form.sign else value
    if magnitude == form.infinity:
        return domain.infinity(bool(bits & form.sign))
    if magnitude > form.infinity:
        raise NoMeaning("a NaN", domain.name)
    return domain.literal(_exact(form, bits))


@lru_cache(maxsize=4096)
def _exact(form: ieee.Format, bits: int) -> Fraction:
    """The value of a finite float: programs read the same constants again and again."""
    mantissa, exponent = ieee.split(form, bits)
    return Fraction(mantissa) * Fraction(2) ** exponent


# Semantics

FORMATS = {**ieee.FORMATS, 8: fp8.E5M2}
HELD = {16: (ieee.HALF, ieee.BFLOAT16), 32: (ieee.SINGLE,), 64: (ieee.DOUBLE,)}
"""Formats whose elements an integer of so many bits may be; their patterns differ."""
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
            return encode(self.domain, ieee.FORMATS[self.target_width], self._number(arguments[0]))
        source = self._form(e)
        values = [self.evaluate(a) for a in arguments[: 1 if operation in TO_INTEGER else None]]
        if operation in SIGNS:
            return self._sign(operation, source, *values)
        numbers = [self._decode(operation, source, bits) for bits in values]
        if operation in COMPARISONS:
            return int(COMPARISONS[operation](self.domain, *numbers))
        if operation in TO_INTEGER:
            return self._integer(e, numbers[0])
        if operation in ESTIMATES:
            return encode(self.domain, source, self.domain.uninterpreted(operation, *numbers))
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
        """A sign negates elements and floats of all formats: bfloat16s come here as halves.

        Injecting an operand's own sign is a move, its opposite a negation; else elements compare.
        """
        if a == b and operation != "fsgnjx":
            return a if operation == "fsgnj" else a ^ form.sign
        negative = [self._negative(form, pattern) for pattern in (a, b)]
        wanted = {"fsgnj": negative[1], "fsgnjn": not negative[1],
                  "fsgnjx": negative[0] != negative[1]}[operation]  # fmt: skip
        return a if wanted == negative[0] else a ^ form.sign

    def _negative(self, form: ieee.Format, pattern: int) -> bool:
        if not is_element(form, pattern):
            return bool(pattern & form.sign)
        value, zero = decode(self.domain, form, pattern), self.domain.literal(Fraction(0))
        return self.domain.less(value, zero)

    def _number(self, e: Expression) -> Value:
        """What an integer stands for as a float."""
        if self.domain.holds_bits:
            integer = self.integer(e)
            if isinstance(integer, Opaque):
                return self.domain.uninterpreted(TO_FLOAT, integer.value)
        return self.domain.literal(Fraction(self.evaluate(e)))

    def integer(self, e: Expression) -> int | Opaque:
        """The value of an integer expression in a domain whose elements have bits."""
        match e:
            case Name(name) if name in self.values:
                pattern = self.values[name]
                for form in HELD.get(self.widths[name], ()):
                    if is_element(form, pattern):
                        return Opaque(decode(self.domain, form, pattern))
                return pattern
            case Apply("select", (test, a, b)):
                return self.integer(a if self.integer(test) else b)
            case Apply("s" | "raw", (a,)):
                inner = self.integer(a)
                return inner if isinstance(inner, Opaque) else self.evaluate(e)
            case Apply(operation, arguments) if operation in INTEGER:
                operands = [self.integer(a) for a in arguments]
                if any(isinstance(operand, Opaque) for operand in operands):
                    return integer_operation(self.domain, operation, operands, self.sew)
                return self.evaluate(e)
            case _:
                return self.evaluate(e)

    def bits(self, e: Expression) -> int:
        """The result of an integer instruction: an element for what is opaque."""
        result = self.integer(e)
        if isinstance(result, Opaque):
            return encode(self.domain, FORMATS[self.target_width], result.value)
        return result

    def _integer(self, e: Apply, value: Value) -> int:
        bits, signed = self.evaluate(e.arguments[1]), TO_INTEGER[e.operation]
        if self.domain.holds_bits:
            form = FORMATS.get(bits, fp8.E5M2)
            return encode(self.domain, form, self.domain.uninterpreted(e.operation, value))
        number = self.domain.to_rational(value)
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


def has_elements(sources: Iterable[Array]) -> bool:
    """Whether any pattern isn't a float's: integer arithmetic on it has no meaning of its own."""
    for source in sources:
        for form in HELD.get(8 * source.dtype.itemsize, ()):
            magnitude = source & source.dtype.type(form.sign - 1)
            low, high = form.infinity, form.infinity + capacity(form)
            if ((magnitude > low) & (magnitude <= high)).any():
                return True
    return False


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
