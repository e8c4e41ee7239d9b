"""Strided accesses to neighbouring elements as one segment access (RVV 1.0 section 7.8).

Four loads of x[4i], x[4i+1], x[4i+2], x[4i+3] across lanes i are one ``vlseg4``; eight columns of a
matrix are one ``vlsseg8``, which is a transposition. Members are instances of one level: different
values, or unrolled copies of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from oxegg.emit.lowering import addresses
from oxegg.emit.lowering.emitter import Combo, Emitter
from oxegg.emit.physical import Access, Value
from oxegg.emit.program import MemoryRef, Register

MAX_REGISTERS = 8  # EMUL * NFIELDS
Instance = tuple[Value, Combo]
Key = tuple[object, ...]


@dataclass
class Segment:
    """Instances at consecutive addresses; stores wait until all their sources are there."""

    members: list[Instance]
    sources: dict[int, Register] = field(default_factory=dict[int, Register])


class Segments:
    """The segment accesses of one level."""

    def __init__(self, emitter: Emitter, instances: Iterable[Instance]) -> None:
        self.emitter = emitter
        self._of: dict[tuple[int, Combo], tuple[Segment, int]] = {}
        groups: dict[Key, list[tuple[int, Instance]]] = {}
        for value, combo in instances:
            access = value.access
            assert access is not None
            if not _is_store(value) and access.buffer.name in emitter.written:
                continue
            offset = addresses.constant_part(emitter, access, combo)
            groups.setdefault(self._key(value, access, combo), []).append((offset, (value, combo)))
        for found in groups.values():
            self._collect(found)

    def _key(self, value: Value, access: Access, combo: Combo) -> Key:
        moving = {frame.axis for frame in self.emitter.frames} | {value.lane}
        strides = tuple((a, s) for a, s in access.strides if a in moving)
        width = self.emitter.width(value, combo)
        return (value.kind, access.buffer.name, strides, value.lane, value.type.name, width)

    def _collect(self, found: list[tuple[int, Instance]]) -> None:
        found.sort(key=lambda item: item[0])
        value = found[0][1][0]
        group = max(1, int(self.emitter.lmul(max(value.type.bits, 8))))
        most = MAX_REGISTERS // group
        run: list[Instance] = []
        last = None
        for offset, instance in found:
            if last is not None and offset == last:
                continue  # a second load of the same place stays on its own
            if last is None or offset != last + value.type.bytes or len(run) == most:
                self._keep(run)
                run = []
            run.append(instance)
            last = offset
        self._keep(run)

    def _keep(self, run: list[Instance]) -> None:
        if len(run) > 1:
            segment = Segment(run)
            for number, (value, combo) in enumerate(run):
                self._of[id(value), combo] = (segment, number)

    def load(self, value: Value, combo: Combo) -> bool:
        """Load the whole segment that an instance belongs to, if it does."""
        found = self._of.get((id(value), combo))
        if found is None:
            return False
        segment = found[0]
        registers = [self.emitter.vector(value.type) for _ in segment.members]
        self._issue("load", segment, registers)
        for (member, own), register in zip(segment.members, registers, strict=True):
            self.emitter.define(member, own, register)
        return True

    def store(self, value: Value, combo: Combo, source: Callable[[], Register]) -> bool:
        """Hand in a member's source; the last one writes the segment."""
        found = self._of.get((id(value), combo))
        if found is None:
            return False
        segment, number = found
        state = self.emitter.state(value.type, self.emitter.width(value, combo))
        register = self.emitter.vector(value.type)
        self.emitter.emit("vmv.v.v", register, source(), state=state)
        segment.sources[number] = register
        if len(segment.sources) == len(segment.members):
            self._issue("store", segment, [segment.sources[i] for i in range(len(segment.members))])
        return True

    def _issue(self, kind: str, segment: Segment, registers: list[Register]) -> None:
        value, combo = segment.members[0]
        access, emitter = value.access, self.emitter
        assert access is not None
        stride, count = access.stride(value.lane), len(registers)
        state = emitter.state(value.type, emitter.width(value, combo))
        base = addresses.at(emitter, access, combo)
        width = f"{count}e{value.type.bits}.v"
        memory = MemoryRef(access.buffer.name, "load" if kind == "load" else "store")
        letter = "l" if kind == "load" else "s"
        if stride == count * value.type.bytes:
            emitter.emit(f"v{letter}seg{width}", *registers, base, state=state, memory=memory)
        else:
            step = emitter.integer(stride)
            emitter.emit(
                f"v{letter}sseg{width}", *registers, base, step, state=state, memory=memory
            )


def is_candidate(value: Value) -> bool:
    """Strided vector loads and stores."""
    if value.kind not in ("load", "store") or value.lane is None or value.access is None:
        return False
    return value.access.stride(value.lane) not in (0, value.type.bytes)


def _is_store(value: Value) -> bool:
    return value.kind == "store"
