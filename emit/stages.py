"""Stages: groups of stores that share their loops; and values worth keeping between loops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from oxegg.emit.blocks import Fusion
from oxegg.emit.loop_tree import LoopConflict, LoopNode, build
from oxegg.emit.physical import Access, Buffer, PhysicalProgram, Value, walk
from oxegg.ir.affine import Axis

RECOMPUTE_LIMIT = 3  # instructions; beyond it a value is stored and loaded again
MOST_KEPT = 8  # values of a stage with a buffer of their own
_NOT_KEPT = ("held", "fold", "splat")
_COSTLY = ("div", "sqrt", "rem")


@dataclass
class Stage:
    """Stores that run in one loop tree; with ``fusion``, over one block of what it cuts.

    ``axes`` in the order of the first store's layout.
    """

    stores: list[Value]
    fusion: Fusion | None = None

    @property
    def near_memory(self) -> bool:
        """Whether near-memory units compute it, one store after a stage of its own."""
        return self.stores[0].space == "h"

    @property
    def axes(self) -> list[Axis]:
        """Every axis under the stores; the results' axes first, in memory order."""
        ordered: list[Axis] = []
        for store in self.stores:
            assert store.access is not None
            layout = sorted(store.access.strides, key=lambda item: -abs(item[1]))
            ordered += [a for a, _ in layout if a not in ordered]
        inner = {a for v in walk(self.stores) for a in v.domain} - set(ordered)
        return ordered + sorted(inner, key=lambda a: a.name)


def split(program: PhysicalProgram) -> list[Stage]:
    """Stages in order; stores over the same axes and lanes that don't wait for each other merge."""
    stages: list[Stage] = []
    for store in program.stores:
        home = None if store.space == "h" else _home(stages, store)
        if home is None:
            stages.append(Stage([store]))
        else:
            home.stores.append(store)
    _separate(stages)
    for number, stage in enumerate(stages):
        if not stage.near_memory:
            _keep_values(program, stage, number)
    return stages


def _separate(stages: Sequence[Stage]) -> None:
    """Copy what an earlier stage computes too: what one keeps in memory is nothing to the other."""
    taken: set[int] = set()
    for stage in stages:
        own: dict[int, Value] = {}
        for value in list(walk(stage.stores)):  # operands first
            operands = tuple(own[id(o)] for o in value.operands)
            if id(value) in taken:
                states = tuple(own.get(id(s), s) for s in value.states)
                own[id(value)] = replace(value, operands=operands, states=states)
            else:
                value.operands, own[id(value)] = operands, value
        taken |= {id(value) for value in walk(stage.stores)}


def _home(stages: Sequence[Stage], store: Value) -> Stage | None:
    """The last stage, if ``store`` ranges over the same axes and reads nothing that it writes.

    Where one of both ranges over more axes, they have to share what is costly to compute: a row's
    weights and their sum come from one loop.
    """
    reads = buffers_read([store])
    for stage in reversed(stages):
        written = {s.access.buffer.name for s in stage.stores if s.access}
        if reads & written:
            return None
        if not stage.near_memory and (_same_loops(stage, store) or _shares_loops(stage, store)):
            return stage
    return None


def _same_loops(stage: Stage, store: Value) -> bool:
    first = stage.stores[0]
    return (first.lane, first.tile, first.domain) == (store.lane, store.tile, store.domain)


def _shares_loops(stage: Stage, store: Value) -> bool:
    """Whether a stage of fewer or more axes computes costly vectors that ``store`` needs, too.

    A sum along the lanes is a scalar where the vectors have the lane axis.
    """
    first = stage.stores[0]
    nested = first.domain < store.domain or store.domain < first.domain
    lanes = {first.lane, store.lane} - {None}
    if not nested or len(lanes) != 1 or first.tile or store.tile:
        return False
    mine = {id(value) for value in walk(stage.stores) if value.lane and value.axes > {value.lane}}
    return any(id(value) in mine and _work(value) > RECOMPUTE_LIMIT for value in walk([store]))


def buffers_read(stores: Sequence[Value]) -> set[str]:
    """Names of the buffers that loads under ``stores`` touch."""
    return {
        v.access.buffer.name
        for v in walk(list(stores))
        if v.kind in ("load", "gather", "tile load", "bank factor") and v.access
    }


def _keep_values(program: PhysicalProgram, stage: Stage, number: int) -> None:
    """Give a buffer of its own to what loops can't hand over in registers, or better not.

    That is reductions whose loop can't end before they are used, and costly values that several
    successive loops use.
    """
    for attempt in range(MOST_KEPT):
        try:
            shared = _shared(stage)
        except LoopConflict as conflict:
            shared = conflict.value, _users(stage, conflict.value)
            if conflict.value.tile or _is_of_steps(conflict.value):
                raise
        if shared is None:
            return
        _keep(program, stage, *shared, f"scratch kept {number}.{attempt}")


def _keep(
    program: PhysicalProgram, stage: Stage, value: Value, users: Sequence[Value], name: str
) -> None:
    """Store ``value`` once; ``users`` load it."""
    buffer = _buffer_for(program, stage, value, users, name)
    lane = value.result_lane
    access = Access(buffer, _dense(value.axes, lane, buffer))
    spill = Value(
        "store", value.type, value.axes, lane, value.space, (value,), access=access, note="spill"
    )
    load = Value("load", value.type, value.axes, lane, value.space, access=access, note="spilled")
    for user in users:
        user.operands = tuple(load if o is value else o for o in user.operands)
    stage.stores.insert(0, spill)
    program.stores.insert(0, spill)


def _users(stage: Stage, value: Value) -> list[Value]:
    return [v for v in walk(stage.stores) if any(o is value for o in v.operands)]


def _shared(stage: Stage) -> tuple[Value, list[Value]] | None:
    """A costly value computed in two loops of one level, and its users in the later one."""
    levels = [build(stage.stores, stage.axes)]
    while levels:
        level = levels.pop()
        nodes = [item for item in level.items if isinstance(item, LoopNode)]
        levels += [node.body for node in nodes]
        for early_index, early in enumerate(nodes):
            mine = _inside(early)
            for late in nodes[early_index + 1 :]:
                found = _top_shared(mine, _inside(late))
                if found is not None:
                    return found
    return None


def _inside(node: LoopNode) -> dict[int, Value]:
    """Values that a loop computes anew in its iterations."""
    found: dict[int, Value] = {}
    stack = list(node.tasks)
    while stack:
        value = stack.pop()
        if id(value) in found:
            continue
        found[id(value)] = value
        stack += [o for o in value.operands if node.axis in o.axes]
    return found


def _top_shared(
    early: dict[int, Value], late: dict[int, Value]
) -> tuple[Value, list[Value]] | None:
    for value in late.values():
        if id(value) not in early or value.space == "m" or _origin(value).kind in _NOT_KEPT:
            continue
        if _is_of_steps(value):
            continue
        if value.tile:
            continue
        users = [
            u for u in late.values() if id(u) not in early and any(o is value for o in u.operands)
        ]
        if users and _work(value) > RECOMPUTE_LIMIT:
            return value, users
    return None


def _origin(value: Value) -> Value:
    """What made the register that a value lies in."""
    return _origin(value.operands[0]) if value.kind == "alias" else value


def _is_of_steps(value: Value) -> bool:
    """Whether a value is computed from the state of a counted loop in each of its steps."""
    return any(v.kind == "held" and v.axis in value.axes for v in walk([value]))


def _work(value: Value) -> int:
    """Instructions to compute an instance again."""
    total = 0
    for v in walk([value]):
        if v.closes_loop or v.kind in ("scan", "gather"):
            total += 100 if v.domain - v.axes & value.axes or v.axes & value.axes else 0
        elif v.kind in ("instruction", "scalar") and v.axes:
            total += 12 if any(name in v.form for name in _COSTLY) else 1
    return total


def _buffer_for(
    program: PhysicalProgram, stage: Stage, value: Value, users: Sequence[Value], name: str
) -> Buffer:
    """The memory of a result that all ``users`` go into, and nothing else; or scratch.

    What another result also needs would be read, for that one, after this result overwrote it.
    """
    taken = {s.access.buffer.name for s in stage.stores if s.note == "spill" and s.access}
    for store in stage.stores:
        assert store.access is not None
        buffer = store.access.buffer
        if buffer.name in taken or not _same_points(store, value):
            continue
        others = {id(v) for v in walk([s for s in program.stores if s is not store])}
        mine = {id(v) for v in walk([store])} - others
        if {id(user) for user in users} <= mine:
            return buffer
    return Buffer(name, value.type, prod(axis.size for axis in value.axes), "scratch", 0)


def _same_points(store: Value, value: Value) -> bool:
    """Whether ``store`` writes a whole result, densely, element by element where ``value`` is."""
    access = store.access
    return (
        access is not None
        and access.buffer.role == "output"
        and access.buffer.type.bits == value.type.bits
        and access.buffer.elements == prod(axis.size for axis in value.axes)
        and (store.axes, store.lane) == (value.axes, value.result_lane)
        and access.strides == _dense(value.axes, store.lane, access.buffer)
        and _dense_lane(access, store.lane)
    )


def _dense_lane(access: Access, lane: Axis | None) -> bool:
    return lane is None or access.stride(lane) == access.buffer.type.bytes


def _dense(
    axes: frozenset[Axis], lane: Axis | None, buffer: Buffer
) -> tuple[tuple[Axis, int], ...]:
    """Row-major strides, the lane axis innermost."""
    ordered = sorted(axes, key=lambda a: (a == lane, a.name))
    strides: list[tuple[Axis, int]] = []
    step = buffer.type.bytes
    for axis in reversed(ordered):
        strides.append((axis, step))
        step *= axis.size
    return tuple(sorted(strides, key=lambda item: item[0].name))
