"""The tensor engine: what its instructions compute, read off their records.

A product is a sum over one axis k of ``convert(x) * convert(y)``: the operands lie in input tiles
as their own types, the sum in an accumulator of 32-bit elements. Other rows work on accumulators,
element by element.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from oxegg.ir.types import BF16, F16, F32, I8, I32, U8, U32, ElementType
from oxegg.isa.oxm1 import MULTIPLY
from oxegg.rules.pattern import Constant, Kind, Pattern, apply, convert, variables

x, y = variables("x y")


@dataclass(frozen=True)
class TileProduct:
    """``acc += A * B`` of a tile instruction: ``type`` is that of the sum, ``pattern`` its body.

    ``left`` and ``right`` are the types of x and y in their tiles.
    """

    instruction: str
    pattern: Pattern
    left: ElementType
    right: ElementType
    type: ElementType
    kind: Kind

    @property
    def key(self) -> str:
        return f"{self.instruction}/{self.type}"


@dataclass(frozen=True)
class TileOperation:
    """One instruction on the elements of an accumulator, ``x`` in ``pattern``.

    The result is another accumulator, or, where it is ``narrow``, an input tile. ``scalar`` is
    what the instruction's scalar register holds, for those that read one. The pattern is what the
    instruction does for x in ``among`` (least, largest), where that is stated.
    """

    instruction: str
    pattern: Pattern
    type: ElementType
    narrow: bool = False
    scalar: int | None = None
    among: tuple[int, int] | None = None
    variant: str = ""

    @property
    def key(self) -> str:
        return f"{self.instruction}/{self.type}{self.variant}"


# How a record's semantics write the value of an element, and the element's type.
_ELEMENTS: dict[tuple[str, int], ElementType] = {
    ("{}", 8): U8,
    ("s({})", 8): I8,
    ("bf16_widen({})", 16): BF16,
    ("widen({})", 16): F16,
    ("{}", 32): F32,
}


def _element(step: str, letter: str, bits: int) -> ElementType | None:
    """Type of operand ``letter`` in a record's step; None for types that the IR doesn't have."""
    place = "{" + letter + "}"
    forms = [(form, t) for (form, width), t in _ELEMENTS.items() if width == bits]
    for form, type_ in sorted(forms, key=lambda item: -len(item[0])):
        if form.format(place) in step:
            outer = step.split(form.format(place))[0]
            return type_ if not outer.endswith("widen(") else None
    return None


def _products() -> Iterator[TileProduct]:
    for name, (_, _, bits, step, _) in MULTIPLY.items():
        left, right = _element(step, "a", bits), _element(step, "b", bits)
        if left is None or right is None:
            continue
        # Integer sums wrap around, so they are those of either signedness.
        for type_ in (F32,) if left.is_float else (I32, U32):
            factors = [
                v if t is type_ else convert(v, t, type_) for v, t in ((x, left), (y, right))
            ]
            body = apply("mul", *factors, of=type_)
            kind: Kind = "real" if left.is_float else "exact"
            yield TileProduct(f"ox.mm.{name}", body, left, right, type_, kind)


PRODUCTS: dict[str, TileProduct] = {row.key: row for row in _products()}

SHIFTS = range(25)
"""By how much sums are shifted right on their way to 8 bits."""


def _requantizations() -> Iterator[TileOperation]:
    """Sums shifted right with rounding (half up), clipped to 8 bits; multiplier 1, zero point 0.

    The instruction computes in 64 bits, the pattern in 32: no x may be so large that adding half a
    unit wraps around. Of sums that aren't negative the lower clip may be at 0, or absent.
    """
    for shift in SHIFTS:
        half = 1 << shift >> 1
        sums = apply("add", x, Constant(half), of=I32)
        shifted = apply("shr", sums, Constant(shift), of=I32) if shift else x
        largest = I32.maximum - half
        for variant, low, least in (("", I8.minimum, I32.minimum), ("/from-0", 0, 0), ("/above-0", None, 0)):
            if shift and low is None:
                continue
            raised = shifted if low is None else apply("max", shifted, Constant(low), of=I32)
            clipped = apply("min", raised, Constant(I8.maximum), of=I32)
            yield TileOperation(
                "ox.trq.b", convert(clipped, I32, I8), I8, narrow=True, scalar=1 | shift << 32,
                among=(int(least), int(largest)), variant=f"/{shift}{variant}",
            )  # fmt: skip


OPERATIONS: dict[str, TileOperation] = {
    row.key: row
    for row in (
        *_requantizations(),
        TileOperation("ox.trelu.w", apply("max", x, Constant(0), of=I32), I32),
        TileOperation("ox.trelu.s", apply("maxnum", x, Constant(0.0), of=F32), F32),
        TileOperation("ox.tcvt.s.w", convert(x, I32, F32), F32),
        TileOperation("ox.tcvt.bf16.s", convert(x, F32, BF16), BF16, narrow=True),
    )
}
ACCUMULATOR_TYPES = (I32, U32, F32)
