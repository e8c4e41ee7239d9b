"""The physical program: what extraction chose, before loops.

A graph of values, each with the axes it ranges over, the axis across its lanes (if any) and the
instruction that makes it; plus the stores that give results and buffers their contents. A *nest*
(:mod:`oxegg.emit.nest`) turns it into loops.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from oxegg.ir.affine import Axis
from oxegg.ir.types import ElementType

ValueKind = Literal[
    "instruction",  # one vector instruction: ``form`` is a key of rules.vector_engine.FORMS
    "scalar",  # scalar engine: ``form`` is an operator key such as add.f32
    "accumulate",  # reduction over ``axis``, one accumulator per element of the result
    "lanes",  # reduction over the axis across the lanes, result a scalar
    "count",  # number of true lanes along ``axis``, a scalar
    "scan",  # running reduction along ``axis``
    "fold",  # state ``number`` after a counted loop over ``axis``
    "held",  # the state that a fold carries into a step
    "load",
    "gather",  # load at a computed position of ``axis``
    "splat",
    "immediate",
    "argument",
    "index",  # position along ``axis``
    "alias",  # same register, other format
    "store",
    "tile load",
    "tile product",  # sum over ``axis`` of products of two input tiles: ``form`` is the instruction
    "tile sum",  # sum over ``axis`` of accumulators
    "tile operation",  # ``form`` is the instruction, ``bits`` what its scalar register holds
    "bank",  # an input that lies in near-memory banks
    "bank start",  # the first array of a chain of near-memory commands
    "bank operation",  # two operands, the second from the banks: ``form`` is the instruction
    "bank multiply",  # a chain plus an array times a number
    "bank add",  # a chain plus an array
    "bank sum",  # sum of products over all elements of two arrays
    "bank product",  # sums over ``axis`` of a banked matrix times vectors
    "bank factor",  # vectors in memory, for a product
]


Space = Literal["v", "m", "s", "a", "r", "n", "k", "h"]
"""Vector, mask, scalar register; accumulator, input tile, input tile with narrowed results; banks,
register of near-memory units."""

Step = tuple[Literal["element", "lanes", "tile", "depth"], int]
"""What one step of a loop covers: an element, a register of lanes, the rows or columns of a tile,
or as many elements of so many bytes as a row of a tile has."""


@dataclass(frozen=True)
class Buffer:
    """An array in memory; ``position`` is its place among the inputs or outputs."""

    name: str
    type: ElementType
    elements: int
    role: Literal["input", "output", "scratch"]
    position: int

    @property
    def bytes(self) -> int:
        return self.elements * self.type.bytes


@dataclass(frozen=True)
class Access:
    """Where an element lies: ``offset + sum(stride * index)`` bytes from the buffer's start."""

    buffer: Buffer
    strides: tuple[tuple[Axis, int], ...]
    offset: int = 0

    def stride(self, axis: Axis | None) -> int:
        return next((s for a, s in self.strides if a == axis), 0)


@dataclass(eq=False)
class Value:
    """One node. ``axes`` are those of the result; ``lane`` is the axis across the lanes.

    ``tile`` are the axes along rows and columns where the value lives in tiles.

    For folds, ``operands`` are the starts then the bodies of all states; ``states`` are the
    held values in the same order.
    """

    kind: ValueKind
    type: ElementType
    axes: frozenset[Axis]
    lane: Axis | None = None
    space: Space = "s"
    operands: tuple[Value, ...] = ()
    states: tuple[Value, ...] = ()
    form: str = ""
    axis: Axis | None = None
    access: Access | None = None
    bits: int = 0
    number: int = 0
    name: str = ""
    note: str = ""
    tile: tuple[Axis, Axis] | None = None

    @property
    def domain(self) -> frozenset[Axis]:
        """Axes whose loops surround the instruction that does the work."""
        work = self.axes.union(*(o.axes for o in self.operands)) if self.operands else self.axes
        return work | {self.axis} if self.closes_loop and self.axis else work

    @property
    def result_lane(self) -> Axis | None:
        """The axis across the lanes of the result: none where the lanes are folded."""
        return None if self.kind in ("lanes", "count") else self.lane

    @property
    def closes_loop(self) -> bool:
        """Whether the work happens in a loop that ends before the result is there."""
        return self.kind in ("accumulate", "lanes", "count", "fold", "tile product", "tile sum")

    @property
    def stored_in_banks(self) -> bool:
        """Whether near-memory units store the value where they computed it."""
        stored = self.kind == "store" and self.space == "h" and bool(self.axes)
        return stored and self.operands[0].kind != "bank product"

    def step(self, axis: Axis) -> Step:
        """What one step along ``axis`` covers where this value's work is done."""
        if self.tile is None:
            return ("lanes", 1) if axis == self.lane else ("element", 1)
        if axis in self.tile:
            return "tile", 1
        if self.kind == "tile product" and axis == self.axis:
            return "depth", self.operands[0].type.bytes
        return "element", 1


@dataclass
class PhysicalProgram:
    """Stores in an order in which buffers are written before they are read.

    ``staging`` is scratchpad memory for blocks on their way. ``copies``: inputs that the program
    reads from the scratchpad, and where they lie there behind a descriptor of their transfer.
    """

    name: str
    inputs: tuple[Buffer | Value, ...]  # a Value is a scalar argument
    outputs: tuple[Buffer, ...]
    stores: list[Value] = field(default_factory=list[Value])
    staging: Buffer | None = None
    copies: tuple[tuple[Buffer, Buffer], ...] = ()

    @property
    def banked(self) -> frozenset[str]:
        """Names of the buffers that lie in near-memory banks, an equal part in each."""
        return frozenset(
            v.access.buffer.name
            for v in walk(self.stores)
            if v.access and (v.kind == "bank" or v.stored_in_banks)
        )

    @property
    def transfers(self) -> bool:
        """Whether DMA carries data into its scratch memory, which must be scratchpad then."""
        return self.staging is not None or bool(self.copies)

    @property
    def scratch(self) -> list[Buffer]:
        """Buffers of our own, in order of first use."""
        found = {self.staging.name: self.staging} if self.staging else dict[str, Buffer]()
        found |= {place.name: place for _, place in self.copies}
        for store in self.stores:
            assert store.access is not None
            if store.access.buffer.role == "scratch":
                found.setdefault(store.access.buffer.name, store.access.buffer)
        return list(found.values())


def walk(roots: Sequence[Value]) -> Iterator[Value]:
    """Every value under ``roots``, operands first, each once."""
    seen: set[int] = set()
    stack: list[tuple[Value, bool]] = [(root, False) for root in reversed(roots)]
    while stack:
        value, ready = stack.pop()
        if ready:
            yield value
        elif id(value) not in seen:
            seen.add(id(value))
            stack.append((value, True))
            stack.extend((o, False) for o in reversed(value.operands))
