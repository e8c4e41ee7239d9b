"""The tensor engine: tiles loaded where products need them, accumulators, stores of blocks.

Input tiles are registers 0 to 7 and serve as a cache: a product loads what is not there into the
register that was used least recently, so that the loads for the next products get registers which
the present ones don't read. Accumulators belong to the copies of a result's block.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from oxegg.emit.lowering import addresses
from oxegg.emit.lowering.emitter import Combo, Emitter, restrict
from oxegg.emit.lowering.tile_file import INPUT_TILES
from oxegg.emit.physical import Access, Value
from oxegg.emit.program import MemoryRef, Operation, Register, TileShape
from oxegg.errors import EmitError
from oxegg.ir.affine import Axis

_WIDTH_LETTERS = {1: "b", 2: "h", 4: "w"}
Instance = tuple[int, Combo]


@dataclass
class _Level:
    """What a level of loops holds in tiles."""

    accumulators: dict[Instance, int] = field(default_factory=dict[Instance, int])
    taken: list[int] = field(default_factory=list[int])


class Tiles:
    """Tile registers of one stage."""

    def __init__(self, emitter: Emitter, uses: Mapping[int, int]) -> None:
        self.emitter, self._uses = emitter, uses
        self._levels = [_Level()]
        self._free = list(emitter.tile_file.accumulators)
        self._inputs: dict[tuple[Instance, str], int] = {}
        self._least_recent = emitter.tile_file.inputs
        self._sums: dict[int, Value] = {}

    # levels

    def enter(self) -> None:
        """A loop's body begins: what is loaded before it isn't there in later iterations."""
        self._levels.append(_Level())
        self._forget()

    def leave(self) -> None:
        self._free += self._levels.pop().taken
        self._free.sort()
        self._forget()

    def _forget(self) -> None:
        self._inputs.clear()
        self._least_recent[:] = INPUT_TILES

    # accumulators

    def start(self, value: Value, combos: Iterable[Combo]) -> None:
        """Accumulators of a product or sum: zero, or what it continues from."""
        outer = self._sums.get(id(value))
        if value.kind == "tile sum":
            (inner,) = value.operands
            whole = inner.kind in ("tile product", "tile sum") and len(inner.operands) < 3
            if not whole or self._uses[id(inner)] > 1:
                raise EmitError("a sum of tiles needs products that start at zero")
            self._sums[id(inner)] = value
        for combo in combos:
            if outer is not None:
                self._define(value, combo, self.accumulator(outer, combo))
            elif len(value.operands) == 3:
                self._continue(value, combo)
            else:
                self._emit("ox.tzero", self._allocate(value, combo))

    def _continue(self, value: Value, combo: Combo) -> None:
        """Start a product with what its third operand is."""
        first = value.operands[2]
        if first.kind == "tile load":
            self._load(first, combo, self._allocate(value, combo), "c")
            return
        source = self.accumulator(first, combo)
        if self._uses[id(first)] == 1 and first.axes == value.axes:
            self._define(value, combo, source)
        else:
            self._emit("ox.tmv", self._allocate(value, combo), source)

    def _allocate(self, value: Value, combo: Combo) -> int:
        if not self._free:
            raise EmitError("the block needs more accumulators than there are")
        register = self._free.pop(0)
        order = self.emitter.tile_file.accumulators
        order.remove(register)
        order.append(register)
        self._levels[-1].taken.append(register)
        self._define(value, combo, register)
        return register

    def _define(self, value: Value, combo: Combo, register: int) -> None:
        self._levels[-1].accumulators[id(value), restrict(value, combo)] = register

    def accumulator(self, value: Value, combo: Combo) -> int:
        """The accumulator that holds an instance of a value."""
        key = (id(value), restrict(value, combo))
        for level in reversed(self._levels):
            if key in level.accumulators:
                return level.accumulators[key]
        raise EmitError(f"a tile value of kind {value.kind} is used before it is made")

    # work

    def multiply(self, value: Value, combos: Iterable[Combo]) -> None:
        """All products of one level, those of one step along the reduced axis together."""
        axis = value.axis
        assert axis is not None
        for combo in sorted(combos, key=lambda c: dict(c).get(axis.name, 0)):
            a = self._input(value.operands[0], combo, "a")
            b = self._input(value.operands[1], combo, "b")
            self._emit(value.form, self.accumulator(value, combo), a, b,
                       tile=self._shape(value, combo, depth=value.operands[0]))  # fmt: skip

    def compute(self, value: Value, combo: Combo) -> None:
        """A tile computed from another; loads wait until a product needs them."""
        if value.kind == "tile load":
            return
        source = self.accumulator(value.operands[0], combo)
        if value.space == "n":
            target = self._take((id(value), restrict(value, combo)), "n")
        else:
            target = self._allocate(value, combo)
        scalar = (self.emitter.integer(value.bits),) if value.bits else ()
        self._emit(value.form, target, source, *scalar, tile=self._shape(value, combo))

    def store(self, value: Value, combo: Combo) -> None:
        (source,) = value.operands
        access = value.access
        assert access is not None
        m, n, _ = self._shape(value, combo)
        if source.space == "n":
            register = self._inputs[(id(source), restrict(source, combo)), "n"]
            name, shape = "ox.tst.a", (m, 0, n * value.type.bytes)
        else:
            register, name, shape = self.accumulator(source, combo), "ox.tst.c", (m, n, 0)
        self._access(name, register, access, value.tile, combo, "store", shape)

    # input tiles

    def _input(self, value: Value, combo: Combo, letter: str) -> int:
        instance = (id(value), restrict(value, combo))
        found = self._inputs.get((instance, letter))
        if found is None:
            found = self._take(instance, letter)
            self._load(value, combo, found, letter)
        self._touch(found)
        return found

    def _take(self, instance: Instance, letter: str) -> int:
        register = self._least_recent[0]
        self._inputs = {key: r for key, r in self._inputs.items() if r != register}
        self._inputs[instance, letter] = register
        self._touch(register)
        return register

    def _touch(self, register: int) -> None:
        self._least_recent.remove(register)
        self._least_recent.append(register)

    def _load(self, value: Value, combo: Combo, register: int, letter: str) -> None:
        """A tile, its columns or its rows contiguous in memory; or one row for all."""
        access, tile = value.access, value.tile
        assert access is not None
        assert tile is not None
        size = access.buffer.type.bytes
        rows, columns = (self._width(axis, combo) for axis in tile)
        shape = {
            "a": (rows, 0, columns * size), "b": (0, rows, columns * size), "c": (rows, columns, 0)
        }[letter]  # fmt: skip
        if letter == "c" and access.stride(tile[0]) == 0:
            base = addresses.at(self.emitter, access, combo)
            memory = MemoryRef(access.buffer.name, "load")
            self._emit("ox.tldbc", register, base, tile=shape, memory=memory)
        elif access.stride(tile[1]) == size or columns == 1:
            self._access(f"ox.tld.{letter}", register, access, tile, combo, "load", shape)
        else:
            name = f"ox.tld{letter}t.{_WIDTH_LETTERS[size]}"
            self._access(name, register, access, (tile[1], tile[0]), combo, "load", shape)

    def _access(
        self,
        name: str,
        register: int,
        access: Access,
        tile: tuple[Axis, Axis] | None,
        combo: Combo,
        kind: str,
        shape: TileShape,
    ) -> None:
        """A load or store whose steps from row to row are those of the tile's first axis."""
        assert tile is not None
        assert kind in ("load", "store")
        emitter = self.emitter
        base = addresses.at(emitter, access, combo)
        stride = emitter.integer(access.stride(tile[0]))
        memory = MemoryRef(access.buffer.name, kind)
        self._emit(name, register, base, stride, tile=shape, memory=memory)

    # shapes

    def _width(self, axis: Axis, combo: Combo) -> int:
        return self.emitter.env[axis][dict(combo).get(axis.name, 0)].width

    def _shape(self, value: Value, combo: Combo, depth: Value | None = None) -> TileShape:
        assert value.tile is not None
        m, n = (self._width(axis, combo) for axis in value.tile)
        if depth is None:
            return m, n, 0
        assert value.axis is not None
        return m, n, self._width(value.axis, combo) * depth.type.bytes

    def _emit(
        self,
        name: str,
        *operands: int | Register,
        tile: TileShape | None = None,
        memory: MemoryRef | None = None,
    ) -> None:
        self.emitter.body.append(Operation(name, operands, memory=memory, tile=tile or (0, 0, 0)))
