"""What a number domain is: arithmetic that takes the place of floats (``oxegg.sim.domains``)."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Protocol

from oxegg.sim.faults import StateFault
from oxegg.sim.reference import Context

Value = Any


class NoMeaning(StateFault):
    """What the domain doesn't have; a run stops there, with pc and instruction."""

    def __init__(self, what: str, domain: str) -> None:
        super().__init__(f"{what} has no meaning over {domain}")


class Domain(Protocol):
    """Arithmetic on values, and the numbers that stand for values in registers."""

    @property
    def name(self) -> str: ...

    @property
    def holds_bits(self) -> bool:
        """Whether integer registers may hold elements, as the bits of floats."""
        ...

    @property
    def reads_bits(self) -> bool:
        """Whether the program may load elements as integers, from where floats were stored."""
        ...

    def literal(self, value: Fraction) -> Value:
        """The element that a rational number stands for."""
        ...

    def add(self, a: Value, b: Value) -> Value: ...

    def multiply(self, a: Value, b: Value) -> Value: ...

    def divide(self, a: Value, b: Value) -> Value: ...

    def negate(self, a: Value) -> Value: ...

    def square_root(self, a: Value) -> Value: ...

    def infinity(self, negative: bool) -> Value:
        """What an infinity stands for."""
        ...

    def uninterpreted(self, operation: str, *operands: Value) -> Value:
        """The result of an operation that the domain has no meaning for."""
        ...

    def less(self, a: Value, b: Value) -> bool: ...

    def to_rational(self, a: Value) -> Fraction:
        """The number itself, for conversions to integers."""
        ...

    def number(self, value: Value) -> int:
        """The positive number that stands for a value."""
        ...

    def value(self, number: int) -> Value:
        """The value that a positive number stands for."""
        ...


def context_for(domain: Domain | None) -> Callable[..., Context]:
    """The reference interpreter's contexts, over ``domain`` unless that is None."""
    if domain is None:
        return Context
    # Ordinary runs start without the domains.
    from oxegg.sim.domains import domain_context

    return domain_context(domain)
