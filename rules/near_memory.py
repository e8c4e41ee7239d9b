"""The near-memory engine: what whole passes over banked arrays compute.

``h = g op bank`` works element by element; ``h += bank * s`` continues a chain with one rounding
(float sums are kept in binary32 until they are stored); ``h += bank * g`` sums products, wider than
their factors.
"""

from __future__ import annotations

from dataclasses import dataclass

from oxegg.ir.types import BF16, F16, F32, I8, I32, ElementType
from oxegg.rules.pattern import Constant, Kind, Pattern, Variable, apply, convert, variables

x, y = variables("x y")

LANES: dict[ElementType, int] = {I8: 0, F16: 1, BF16: 2, F32: 3}
"""Element types by the number that ``ox.nm.on`` takes."""
FLOAT_LANES = (F16, BF16, F32)


@dataclass(frozen=True)
class BankOperation:
    """``h = x op y``: y comes from the banks, x from the banks too or is one number for all."""

    instruction: str
    operator: str
    type: ElementType

    @property
    def key(self) -> str:
        return f"{self.instruction}/{self.type}"

    @property
    def pattern(self) -> Pattern:
        return apply(self.operator, x, y, of=self.type)


@dataclass(frozen=True)
class BankSum:
    """A sum of products of elements of type ``factor``."""

    factor: ElementType
    type: ElementType
    kind: Kind

    @property
    def key(self) -> str:
        return f"ox.nm.mac/{self.factor}"

    @property
    def pattern(self) -> Pattern:
        return apply("mul", *(self._widened(v) for v in (x, y)), of=self.type)

    @property
    def total(self) -> Pattern:
        """An element by itself: its product with one."""
        return self._widened(x)

    def _widened(self, element: Variable) -> Pattern:
        return element if self.factor is self.type else convert(element, self.factor, self.type)


OPERATIONS = {
    row.key: row
    for type_ in LANES
    for row in (BankOperation("ox.nm.add", "add", type_), BankOperation("ox.nm.mul", "mul", type_))
}
SUMS = {
    row.key: row
    for row in (BankSum(I8, I32, "exact"), *(BankSum(t, F32, "real") for t in FLOAT_LANES))
}
RELUS: dict[ElementType, Pattern] = {
    type_: apply("maxnum", x, Constant(0.0), of=type_)
    if type_.is_float
    else apply("max", x, Constant(0), of=type_)
    for type_ in LANES
}
"""What ``ox.nm.st.relu`` makes of the elements that it stores."""
