"""A prime field with uninterpreted functions: the rest is some function of its operands.

Two programs that do the same operations on equal operands get equal results, whatever an operation
means; only sums and products are really computed. So exponentials, estimates and tricks with the
bits of floats stay in reach of a run over a field (as uninterpreted functions do of a solver:
Burch and Dill, "Automatic verification of pipelined microprocessor control", 1994).

Floats are ordered by their residue of least magnitude, infinities lie beyond: maxima and minima
are those of a total order, but no law connects it with sums.
"""

import math
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from oxegg.sim.domain import Domain, NoMeaning
from oxegg.sim.fields import PrimeField

Value = int | float
"""A residue, or an infinity."""


@dataclass(frozen=True, order=True)
class Opaque:
    """An integer of which only is known how it was computed; or the bits of a float."""

    value: int


Integer = int | Opaque

COMMUTATIVE = frozenset({"add", "mul", "and", "or", "xor", "min", "max", "eq"})
COMPARISONS = frozenset({"eq", "lt", "le"})
SWAPPED = {"gt": "lt", "ge": "le"}
SHIFTS = frozenset({"shl", "shr"})
TO_FLOAT = "to_float"
"""The conversion of an opaque integer."""
SAME_BITS = frozenset({"low", "sext"})
"""What changes the width of an integer only."""


@dataclass(frozen=True)
class UninterpretedField(PrimeField):
    """GF(p) with functions."""

    holds_bits = True
    reads_bits: bool = False

    @property
    def name(self) -> str:
        return f"{super().name} with uninterpreted functions"

    def add(self, a: Value, b: Value) -> Value:
        if isinstance(a, int) and isinstance(b, int):
            return super().add(a, b)
        infinities = {value for value in (a, b) if isinstance(value, float)}
        if len(infinities) > 1:
            raise NoMeaning("the difference of infinities", self.name)
        return infinities.pop()

    def multiply(self, a: Value, b: Value) -> int:
        return super().multiply(self._residue(a), self._residue(b))

    def divide(self, a: Value, b: Value) -> int:
        return super().divide(self._residue(a), self._residue(b))

    def negate(self, a: Value) -> Value:
        return super().negate(a) if isinstance(a, int) else -a

    def infinity(self, negative: bool) -> float:
        return -math.inf if negative else math.inf

    def less(self, a: Value, b: Value) -> bool:
        return self._place(a) < self._place(b)

    def uninterpreted(self, operation: str, *operands: Any) -> int:
        key = repr((operation, operands)).encode()
        return int.from_bytes(blake2b(key, digest_size=8).digest(), "little") % self.prime

    def _place(self, a: Value) -> Value:
        return a - self.prime if 2 * a > self.prime and isinstance(a, int) else a

    def _residue(self, a: Value) -> int:
        if isinstance(a, int):
            return a
        raise NoMeaning("a multiple of an infinity", self.name)


def integer_operation(field: Domain, operation: str, operands: list[Integer], bits: int) -> Integer:
    """An operation of the ISA's expressions on integers of ``bits`` bits, some of them opaque.

    What is one operation under several names gets one of them.
    """
    first = operands[0]
    if operation in SAME_BITS or (operation in SHIFTS and operands[1] == 0):
        return first
    if operation == "ne":
        return 1 - _truth(integer_operation(field, "eq", operands, bits))
    if operation in SWAPPED:
        return integer_operation(field, SWAPPED[operation], operands[::-1], bits)
    if operation == "sub" and isinstance(operands[1], int):
        return integer_operation(field, "add", [first, -operands[1]], bits)
    plain: list[Integer] = [o if isinstance(o, Opaque) else o % (1 << bits) for o in operands]
    if operation in COMMUTATIVE:
        plain.sort(key=lambda o: (isinstance(o, int), o if isinstance(o, int) else o.value))
    found = field.uninterpreted(operation, *plain)
    return found & 1 if operation in COMPARISONS else Opaque(found)


def _truth(value: Integer) -> int:
    assert isinstance(value, int)
    return value
