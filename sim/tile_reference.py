"""Tile instructions by the records themselves: slow, plainly right, and in any number domain.

Evaluates the expression trees element by element. The tests hold ``tile_operations`` against it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from oxegg.isa import Instruction
from oxegg.isa.semantics import Apply, Expression, Fold, Index, Name, Range, Statement
from oxegg.sim import fp8
from oxegg.sim.reference import Context
from oxegg.sim.tile import FIRST_ACCUMULATOR, Tiles

WIDEN = {"e4m3_widen": fp8.e4m3_widen, "e5m2_widen": fp8.e5m2_widen}
Element = Callable[[str, tuple[int, ...]], int]
Load = Callable[[int, int], int]
Store = Callable[[int, int, int], None]


@dataclass(frozen=True)
class TileContext(Context):
    """A context whose operands have elements; ``values`` holds x sources and loop variables."""

    element: Element | None = None
    load: Load | None = None
    running: tuple[str, int] | None = None
    """In a fold: the target's name and its value so far."""

    def evaluate(self, e: Expression) -> int:
        """Integer value, or bit pattern of a float value."""
        match e:
            case Index(name, subscripts):
                if self.running is not None and self.running[0] == name:
                    return self.running[1]
                assert self.element is not None
                return self.element(name, tuple(map(self.evaluate, subscripts)))
            case Apply("s", (Index(name),)):
                width = self.widths[name]
                return (self.evaluate(e.arguments[0]) ^ 1 << width - 1) - (1 << width - 1)
            case Apply("load", (address, bits)):
                assert self.load is not None
                return self.load(self.evaluate(address), self.evaluate(bits))
            case Apply("e4m3_widen" | "e5m2_widen", (a,)):
                return WIDEN[e.operation](self.evaluate(a))
            case Fold(steps, body):
                return self._fold(steps, body)
            case _:
                return super().evaluate(e)

    def _fold(self, steps: Range, body: Expression) -> int:
        target = "rd"
        indices = (self.values["i"], self.values["j"])
        assert self.element is not None
        total = self.element(target, indices)
        for k in range(self.evaluate(steps.count)):
            inner = replace(
                self,
                values={**self.values, steps.variable: k},
                running=(target, total),
            )
            total = inner.evaluate(body) & (1 << self.target_width) - 1
        return total

    def width(self, e: Expression) -> int:
        """Width in bits of a float expression."""
        match e:
            case Index(name):
                return self.widths[name]
            case Apply("e4m3_widen" | "e5m2_widen", _):
                return 32
            case _:
                return super().width(e)


@dataclass(frozen=True)
class TileReference:
    """Executes tile instructions on ``tiles``; ``load`` and ``store`` reach memory.

    ``vector`` are the bytes of a vector register group, for the moves between the two files.
    """

    tiles: Tiles
    load: Load
    store: Store
    vector: bytearray = field(default_factory=bytearray)
    context: Callable[..., TileContext] = TileContext

    def execute(
        self, record: Instruction, values: Sequence[int], scalars: Mapping[str, int]
    ) -> int | None:
        """Execute one instruction; ``scalars`` are its x sources. Gives the value of an x result.

        All reads happen before all writes.
        """
        operands = {o.name: o for o in record.operands}
        numbers = {o.name: int(v) for o, v in zip(record.operands, values, strict=True)}
        widths = {name: o.width or 64 for name, o in operands.items()}
        shape = {"tm": self.tiles.m, "tn": self.tiles.n, "tk": self.tiles.k, "R": self.tiles.rows}
        target = operands.get("rd")

        def element(name: str, indices: tuple[int, ...]) -> int:
            if operands[name].kind == "v":
                return int(np.frombuffer(self.vector, np.uint8)[indices[0]])
            return int(self.tiles.elements(numbers[name], widths[name])[indices])

        context = self.context(
            {**scalars, **shape, "row_bytes": self._row_bytes(numbers)},
            widths,
            target.width if target and target.width else 64,
            element=element,
            load=self.load,
        )
        result: int | None = None
        for statement in record.statements:
            if statement.target in ("tm", "tn", "tk"):
                setattr(self.tiles, statement.target[1], context.evaluate(statement.value))
            elif statement.target == "rd" and not statement.subscripts:
                result = context.evaluate(statement.value)
            elif statement.value == Apply("tile_release", ()):
                self.tiles.release()
            else:
                self._elements(statement, context, target and target.kind == "v", numbers)
        return result

    def _row_bytes(self, numbers: Mapping[str, int]) -> int:
        is_accumulator = numbers.get("rd", 0) >= FIRST_ACCUMULATOR
        return 4 * self.tiles.n if is_accumulator else self.tiles.k

    def _elements(
        self,
        statement: Statement,
        context: TileContext,
        to_vector: bool | None,
        numbers: Mapping[str, int],
    ) -> None:
        results = {
            place: inner.evaluate(statement.value) & (1 << inner.target_width) - 1
            for place, inner in _places(statement, context)
            if statement.target is not None
        }
        if statement.target is None:
            for _, inner in _places(statement, context):
                match statement.value:
                    case Apply("store", (address, value, bits)):
                        values = map(inner.evaluate, (address, value, bits))
                        self.store(*values)
                    case _:
                        raise AssertionError(statement)
            return
        if to_vector:
            self.vector[:] = bytes(len(self.vector))
            for place, value in results.items():
                self.vector[place[0]] = value
            return
        elements = self.tiles.elements(numbers["rd"], context.target_width)
        if all(isinstance(part, Range) for part in statement.subscripts):
            elements[:] = 0
        for place, value in results.items():
            elements[place] = value


def _places(
    statement: Statement, context: TileContext
) -> Iterator[tuple[tuple[int, ...], TileContext]]:
    """Every element of the ranges, with the context that knows the loop variables."""
    ranges: list[tuple[str, range]] = []
    for number, part in enumerate(statement.subscripts):
        if isinstance(part, Range):
            ranges.append((part.variable, range(_count(part, context))))
        else:
            row = context.evaluate(part)
            ranges.append((f"row{number}", range(row, row + 1)))
    names = [name for name, _ in ranges]
    for place in product(*(values for _, values in ranges)):
        bound = dict(zip(names, place, strict=True))
        yield place, replace(context, values={**context.values, **bound})


def _count(part: Range, context: TileContext) -> int:
    match part.count:
        case Apply("row_bytes", ()):
            return context.evaluate(Name("row_bytes"))
        case count:
            return context.evaluate(count)
