"""Rows of instruction selection: which algebra one instruction computes, and in which places.

A *place* is where an operand lives: ``v`` a vector register with one element per lane, ``s`` a
scalar register (a value that is the same in every lane), ``m`` a mask register.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from oxegg.ir.types import ElementType
from oxegg.rules.pattern import Kind, Pattern

Place = Literal["v", "s", "m"]


@dataclass(frozen=True)
class Encoding:
    """One way to write a form down: the instruction and its assembly operands.

    ``assembly`` names operands of the form, "d" for the destination, or gives an immediate.
    ``tied`` names the operand that the instruction overwrites with its result.
    """

    instruction: str
    assembly: tuple[str | int, ...]
    tied: str | None = None


@dataclass(frozen=True)
class Form:
    """A physical node: operands with their places, and the encodings that compute it.

    ``sew`` is the element type that sets the vector type while it runs (the narrow one for
    widening and narrowing instructions); ``type`` is that of the result.
    """

    key: str
    operands: tuple[tuple[str, Place], ...]
    encodings: tuple[Encoding, ...]
    sew: ElementType
    type: ElementType
    result: Place = "v"
    masked: bool = False  # lanes outside the mask keep the tied operand


@dataclass(frozen=True)
class Selection:
    """A logical pattern and a form that computes it.

    ``constants`` binds operands that the pattern doesn't mention to numbers. For accumulations,
    ``reduction`` is the reduction's operator, ``pattern`` its body, and operand "acc" the
    accumulator.
    """

    pattern: Pattern
    form: Form
    kind: Kind = "exact"
    reduction: str | None = None
    constants: tuple[tuple[str, float | int], ...] = ()
