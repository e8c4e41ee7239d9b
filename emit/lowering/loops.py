"""Walking the loop tree: levels, loops with their remainders, reductions and folds around them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from oxegg.emit.constants import fits_immediate
from oxegg.emit.loop_tree import Level, LoopNode
from oxegg.emit.lowering import addresses, reductions, rotation, scalar, scans, vector
from oxegg.emit.lowering.emitter import Combo, Copy, Emitter, Frame, Scope
from oxegg.emit.lowering.reductions import Accumulator
from oxegg.emit.lowering.segments import Segments, is_candidate
from oxegg.emit.lowering.tiles import Tiles
from oxegg.emit.nest import Nest
from oxegg.emit.physical import Step, Value, walk
from oxegg.emit.program import ZERO, Loop, Operation, Register
from oxegg.errors import EmitError
from oxegg.ir.affine import Axis


class Stage:
    """Lowers one stage's loop tree with an emitter."""

    def __init__(self, emitter: Emitter, nest: Nest, stores: Sequence[Value]) -> None:
        self.emitter, self.nest = emitter, nest
        self.accumulators: dict[tuple[int, Combo], Accumulator] = {}
        self.carried = scans.Carried(emitter)
        self.tiles = Tiles(emitter, Counter(id(o) for v in walk(stores) for o in v.operands))
        self.segments = Segments(emitter, ())

    # levels

    def level(self, level: Level) -> None:
        outer, self.segments = self.segments, self._segments_of(level)
        for item in level.items:
            if isinstance(item, LoopNode):
                self.loop(item)
            else:
                self._value(item)
        self.segments = outer

    def _segments_of(self, level: Level) -> Segments:
        if not self.nest.segments:
            return Segments(self.emitter, ())
        values = [item for item in level.items if isinstance(item, Value) and is_candidate(item)]
        return Segments(self.emitter, [(v, c) for v in values for c in self._combos(v.domain)])

    def _value(self, value: Value) -> None:
        """Every unrolled instance of a value whose axes are all open."""
        if value.kind in ("immediate", "argument", "held"):
            return
        if value.kind == "fold":
            self.carried.advance(value, self.lookup)
            return
        if value.tile:
            self._tile(value)
            return
        for combo in self._combos(value.domain):
            if value.closes_loop:
                self._update(value, combo)
            elif value.kind == "store":
                self._store(value, combo)
            elif self.emitter.find(value, combo) is None and not (
                value.kind == "load" and self.segments.load(value, combo)
            ):
                self.emitter.define(value, combo, self._compute(value, combo))

    def _tile(self, value: Value) -> None:
        """Every unrolled instance of a value in tiles."""
        combos = self._combos(value.domain)
        if value.kind == "tile product":
            self.tiles.multiply(value, combos)
        elif value.kind == "store":
            for combo in combos:
                self.tiles.store(value, combo)
        elif value.kind != "tile sum":  # whose products go into its accumulator
            for combo in combos:
                self.tiles.compute(value, combo)

    def _combos(self, axes: frozenset[Axis]) -> Iterator[Combo]:
        emitter = self.emitter
        open_axes = sorted((a for a in axes if a in emitter.env), key=lambda a: a.name)
        ranges = [[(a.name, i) for i in range(len(emitter.env[a]))] for a in open_axes]
        return itertools.product(*ranges)

    def _compute(self, value: Value, combo: Combo) -> Register:
        emitter = self.emitter
        match value.kind:
            case "instruction":
                return vector.instruction(emitter, value, combo, self.lookup)
            case "scalar":
                operands = [
                    reductions.scalar_operand(emitter, o, combo, self.lookup)
                    for o in value.operands
                ]
                return scalar.apply(emitter, value.form, operands)
            case "load":
                return (
                    vector.load(emitter, value, combo) if value.lane else self._load(value, combo)
                )
            case "splat":
                return vector.splat(emitter, value, combo, self.lookup)
            case "alias":
                return self.lookup(value.operands[0], combo)
            case "index":
                if value.lane:
                    return vector.index(emitter, value, combo)
                assert value.axis is not None
                position = addresses.at(emitter, addresses.index_access(value.axis), combo)
                if value.type.is_integer and value.axis.size - 1 <= value.type.maximum:
                    return position
                return scalar.normalize(emitter, position, value.type)
            case "gather":
                if value.lane:
                    return vector.gather(emitter, value, combo, self.lookup)
                return self._gather(value, combo)
            case "scan":
                return self.carried.scan(value, combo, self.lookup)
            case _:
                raise EmitError(f"can't compute a value of kind {value.kind} here")

    def lookup(self, value: Value, combo: Combo) -> Register:
        """The register of an instance that has been computed."""
        if value.kind == "immediate":
            return vector.constant(self.emitter, value)
        if value.kind == "argument":
            return self.emitter.bases[value.name]
        if value.kind == "held":
            return self.carried.state(value, combo)
        found = self.emitter.find(value, combo)
        if found is None:
            raise EmitError(
                f"a value of kind {value.kind} ({value.form}) is used before it is made"
            )
        return found

    def _load(self, value: Value, combo: Combo) -> Register:
        assert value.access is not None
        emitter = self.emitter
        register, offset = addresses.near(emitter, value.access, combo)
        memory = addresses.reference(emitter, value.access, combo, "load", 1, 0)
        target = scalar.fresh(emitter, value.type)
        emitter.emit(scalar.load(emitter, value.type), target, offset, register, memory=memory)
        return target

    def _gather(self, value: Value, combo: Combo) -> Register:
        emitter, access, axis = self.emitter, value.access, value.axis
        assert access is not None
        assert axis is not None
        position = reductions.scalar_operand(emitter, value.operands[0], combo, self.lookup)
        low, high, scaled, address = (emitter.new("x") for _ in range(4))
        emitter.emit("max", low, position, ZERO)
        emitter.emit("min", high, low, emitter.integer(axis.size - 1))
        emitter.emit("mul", scaled, high, emitter.integer(access.stride(axis)))
        base = addresses.at(emitter, addresses.without(access, axis), combo)
        emitter.emit("add", address, scaled, base)
        target = scalar.fresh(emitter, value.type)
        memory = addresses.MemoryRef(access.buffer.name, "load")
        emitter.emit(scalar.load(emitter, value.type), target, 0, address, memory=memory)
        return target

    def _store(self, value: Value, combo: Combo) -> None:
        emitter = self.emitter
        (source,) = value.operands
        assert value.access is not None
        if value.lane:
            if not self.segments.store(value, combo, lambda: self.lookup(source, combo)):
                vector.store(emitter, value, combo, self.lookup(source, combo))
            return
        register = reductions.scalar_operand(emitter, source, combo, self.lookup)
        base, offset = addresses.near(emitter, value.access, combo)
        memory = addresses.reference(emitter, value.access, combo, "store", 1, 0)
        emitter.emit(scalar.store(value.type), register, offset, base, memory=memory)

    # reductions

    def _update(self, value: Value, combo: Combo) -> None:
        assert value.axis is not None
        result = self._result_combo(value, combo)
        accumulator = self.accumulators[id(value), result]
        number = dict(combo).get(value.axis.name, 0)
        slot = number % len(accumulator.registers)
        reductions.update(self.emitter, value, accumulator, slot, combo, self.lookup)

    def _result_combo(self, value: Value, combo: Combo) -> Combo:
        names = {a.name for a in value.axes}
        return tuple(item for item in combo if item[0] in names)

    def _start(self, node: LoopNode, segments: list[tuple[int, list[Copy]]]) -> None:
        in_loop = any(trips > 1 for trips, _ in segments) or len(segments) > 1
        copies = max(len(copies) for _, copies in segments)
        for value in node.closing:
            if value.kind == "fold":
                self.carried.start(value, self._combos, self.lookup)
                continue
            if value.tile:
                self.tiles.start(value, self._combos(value.axes))
                continue
            count = 1 if self.emitter.exact else min(self.nest.accumulators, copies)
            for combo in self._combos(value.axes):
                accumulator = reductions.start(self.emitter, value, combo, count, in_loop)
                self.accumulators[id(value), combo] = accumulator

    def _finish(self, node: LoopNode) -> None:
        for value in node.closing:
            if value.kind == "fold":
                self.carried.finish(value, self._combos)
                continue
            if value.tile:
                continue
            for combo in self._combos(value.axes):
                accumulator = self.accumulators.pop((id(value), combo))
                register = reductions.finish(self.emitter, value, accumulator)
                self.emitter.define(value, combo, register)
        for name in {v.name for v in node.closing if v.kind == "fold"}:
            self.carried.close(name)

    # loops

    def loop(self, node: LoopNode) -> None:
        segments = self._segments(node)
        self._start(node, [(trips, copies) for _, trips, copies in segments])
        scanned = scans.scanned_in(node)
        for value in scanned:
            self.carried.start_scan(value, self._combos(value.axes - {node.axis}))
        for first, trips, copies in segments:
            placed = [Copy(first + c.offset, c.width) for c in copies]
            self._segment(node, trips, placed)
        self._finish(node)

    def _strip(self, step: Step) -> int:
        """Elements of one step of a loop."""
        kind, size = step
        tensor = self.emitter.machine.tensor
        rows = tensor.rows if tensor else 0
        return {"element": 1, "lanes": self.nest.lanes, "tile": rows, "depth": 4 * rows // size}[
            kind
        ]

    def _segments(self, node: LoopNode) -> list[tuple[int, int, list[Copy]]]:
        """(first index, trips, copies): full iterations, then what is left over."""
        size, strip = node.axis.size, self._strip(node.step)
        copies = 1 if scans.is_sequential(node) else self.nest.copies(node.axis)
        step = strip * copies
        trips, rest = divmod(size, step)
        result: list[tuple[int, int, list[Copy]]] = []
        if trips:
            result.append((0, trips, [Copy(i * strip, strip) for i in range(copies)]))
        if rest and not scans.is_sequential(node):
            last = [Copy(i, min(strip, rest - i)) for i in range(0, rest, strip)]
            result.append((trips * step, 1, last))
        elif rest:
            result.append((trips * step, 1, [Copy(0, rest)]))
        return result

    def _segment(self, node: LoopNode, trips: int, copies: list[Copy]) -> None:
        emitter = self.emitter
        emitter.env[node.axis] = copies
        emitter.scopes.append(Scope())
        self.tiles.enter()
        outer = emitter.body
        if trips == 1:
            self.level(node.body)
        else:
            step = sum(c.width for c in copies)
            emitter.body = []
            frame = Frame(node.axis, step, trips)
            emitter.frames.append(frame)
            self.level(node.body)
            emitter.frames.pop()
            body, emitter.body = emitter.body, outer
            emitter.body += (
                self._ahead(frame, body) if self.nest.ahead else self._plain(frame, body)
            )
        self.tiles.leave()
        emitter.scopes.pop()
        del emitter.env[node.axis]

    def _plain(self, frame: Frame, body: list[Operation | Loop]) -> list[Operation | Loop]:
        """Advance the pointers and branch back."""
        loop = self._branch_back(frame, [*body, *self._steps(frame)])
        return [*frame.preamble, loop]

    def _ahead(self, frame: Frame, body: list[Operation | Loop]) -> list[Operation | Loop]:
        """The loop with its boundary where the tile units have work on either side of it."""
        split = rotation.rotated(body)
        if split is not None:
            return self._rotated(frame, split)
        start = rotation.start_of_loop(body)
        if start is None:
            return self._plain(frame, body)
        first, rest = body[:start], body[start:]
        again = rotation.relabelled(rest, self.emitter.label)
        shorter = replace(frame, trips=frame.trips - 1)
        loop = self._branch_back(shorter, [*rest, *self._steps(frame), *first])
        return [*shorter.preamble, *first, loop, *again]

    def _rotated(self, frame: Frame, split: rotation.Rotated) -> list[Operation | Loop]:
        """All iterations but the last load tiles for the next one.

        The first one stands before the loop, where the loops around can mix it with their work.
        """
        emitter = self.emitter
        shorter = replace(frame, trips=frame.trips - 1)
        ahead = [rotation.fresh(chain, lambda: emitter.new("x")) for chain in split.ahead]
        inside = rotation.interleaved(split.rest, self._steps(frame), ahead)
        before = [operation for chain in split.ahead for operation in chain]
        if shorter.trips <= 2:
            return [*frame.preamble, *before, *inside * shorter.trips, *split.rest]
        loop = self._branch_back(shorter, list(inside))
        loop.trips -= 1
        return [*shorter.preamble, *before, *inside, loop, *split.rest]

    def _steps(self, frame: Frame) -> list[Operation]:
        """One instruction for each pointer that moves with the loop."""
        steps: list[Operation] = []
        for pointer in frame.pointers:
            distance = pointer.strides[-1]
            if fits_immediate(distance):
                steps.append(Operation("addi", (pointer.register, pointer.register, distance)))
            else:
                step = self.emitter.integer(distance)
                steps.append(Operation("add", (pointer.register, pointer.register, step)))
        return steps

    def _branch_back(self, frame: Frame, body: list[Operation | Loop]) -> Loop:
        emitter = self.emitter
        label = emitter.label(frame.axis.name)
        end = emitter.new("x")
        if frame.pointers:
            pointer = frame.pointers[0]
            frame.preamble += addresses.advanced(
                end, pointer.register, pointer.strides[-1] * frame.trips
            )
            body.append(Operation("bne", (pointer.register, end, label)))
        else:
            frame.preamble += addresses.advanced(end, ZERO, frame.trips)
            body.append(Operation("addi", (end, end, -1)))
            body.append(Operation("bne", (end, ZERO, label)))
        return Loop(label, frame.trips, body)
