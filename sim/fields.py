"""Fields that floats are read as elements of: prime fields, and the rational numbers.

Over a field there is no rounding, so two ways to compute the same polynomial give the same element,
and different polynomials agree at a random point only by rare chance (Schwartz 1980, Zippel 1979).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import isqrt

from oxegg.sim.domain import NoMeaning, Value

PRIMES: Mapping[int, tuple[int, int]] = {
    64: (4_194_301, 4_194_287),
    32: (4_194_301, 4_194_287),
    16: (509, 503),
    8: (61, 59),
}
"""Two primes by the narrowest format in bits that holds results; 8 stands for bfloat16 too."""


class Arithmetic:
    """A domain with nothing but arithmetic."""

    holds_bits = False
    reads_bits = False

    @property
    def name(self) -> str:
        raise NotImplementedError

    def square_root(self, a: Value) -> Value:
        return self.uninterpreted("fsqrt", a)

    def infinity(self, negative: bool) -> Value:
        raise NoMeaning("an infinity", self.name)

    def uninterpreted(self, operation: str, *operands: Value) -> Value:
        raise NoMeaning(operation, self.name)


@dataclass(frozen=True)
class PrimeField(Arithmetic):
    """GF(p): values are residues from 0 to p - 1."""

    prime: int

    @property
    def name(self) -> str:
        return f"GF({self.prime})"

    def literal(self, value: Fraction) -> int:
        if value.denominator % self.prime == 0:
            raise NoMeaning(f"the constant {value}", self.name)
        return value.numerator * pow(value.denominator, -1, self.prime) % self.prime

    def add(self, a: Value, b: Value) -> Value:
        return (a + b) % self.prime

    def multiply(self, a: Value, b: Value) -> Value:
        return a * b % self.prime

    def divide(self, a: Value, b: Value) -> Value:
        if not b:
            raise NoMeaning("division by zero", self.name)
        return a * pow(b, -1, self.prime) % self.prime

    def negate(self, a: Value) -> Value:
        return -a % self.prime

    def less(self, a: Value, b: Value) -> bool:
        raise NoMeaning("a comparison", self.name)

    def to_rational(self, a: int) -> Fraction:
        raise NoMeaning("a conversion to an integer", self.name)

    def number(self, value: int) -> int:
        return value + 1

    def value(self, number: int) -> int:
        return number - 1


@dataclass(frozen=True)
class Rationals(Arithmetic):
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
