"""A quick estimate of a loop tree's cycles, for ranking nests before anything is scheduled.

Every straight-line block goes twice through a coarse in-order machine (issue slots, one vector
queue, a unit each for arithmetic, loads and stores, chaining); the second pass is its steady
state. Registers, vector state changes and aliasing are left to the real scheduler.
"""

from __future__ import annotations

from functools import lru_cache

from oxegg.costmodels import VECTOR_UNITS, Machine, timing
from oxegg.emit.pipeline import tile_shape
from oxegg.emit.program import Loop, Operation, Register, TileShape, VectorState

Key = Register | int
"""What an instruction writes: a register, or a tile by its number."""


@lru_cache(maxsize=1 << 15)
def _cost(
    machine: Machine, name: str, state: VectorState | None, tile: TileShape | None
) -> tuple[str, int, int, bool]:
    if name == "tied":
        name = "vfmacc.vv"
    if tile is not None:
        found = timing(machine, name, tile=tile_shape(machine, tile))
    elif state is None:
        found = timing(machine, name, vl=1, sew=8)
    else:
        found = timing(machine, name, vl=state.vl, sew=state.sew, lmul=state.lmul)
    return found.unit, found.occupancy, found.latency, found.chains


def estimate(body: list[Operation | Loop], machine: Machine) -> float:
    """Cycles of a loop tree, by blocks."""
    return _cycles(body, machine, 1)


def _cycles(body: list[Operation | Loop], machine: Machine, trips: int) -> float:
    total = 0.0
    block: list[Operation] = []
    inner = any(isinstance(item, Loop) for item in body)
    for item in body:
        if isinstance(item, Loop):
            total += _block(block, machine, False) + item.trips * _cycles(
                item.body, machine, item.trips
            )
            total += machine.scalar.branch_mispredict
            block = []
        else:
            block.append(item)
    return total + _block(block, machine, trips > 1 and not inner)


def _block(block: list[Operation], machine: Machine, repeated: bool) -> float:
    if not block:
        return 0.0
    steps = [_step(operation, machine) for operation in block]
    ready: dict[Key, tuple[float, int]] = {}
    free: dict[str, float] = {}
    issue = vector = 0.0
    marks: list[float] = []
    for _ in range(2):
        for unit, occupancy, latency, chains, target, sources in steps:
            start = 0.0
            for source in sources:
                when, busy = ready.get(source, (0.0, 0))
                if busy > occupancy:
                    when += busy - occupancy
                if when > start:
                    start = when
            if unit in VECTOR_UNITS:
                issue += 0.5
                start = max(start, vector + 1, issue + 1, free.get(unit, 0.0))
                vector = start
                free[unit] = start + occupancy
            else:
                busy_until = 0.0 if unit == "ALU" else free.get(unit, 0.0)
                issue = start = max(issue + 0.5, start, busy_until)
                free[unit] = start + occupancy
            if target is not None:
                ready[target] = (start + latency, occupancy if chains else 0)
        marks.append(max(issue, vector, *free.values()) if free else issue)
    return marks[1] - marks[0] if repeated else marks[0]


def _step(
    operation: Operation, machine: Machine
) -> tuple[str, int, int, bool, Key | None, tuple[Key, ...]]:
    unit, occupancy, latency, chains = _cost(
        machine, operation.name, operation.state, operation.tile
    )
    if operation.tile is not None:
        target, *others = (o for o in operation.operands if not isinstance(o, str))
        stores = operation.name.startswith("ox.tst")
        both = stores or operation.name.startswith("ox.mm")
        sources = (target, *others) if both else tuple(others)
        return unit, occupancy, latency, chains, None if stores else target, sources
    registers = tuple(o for o in operation.operands if isinstance(o, Register))
    if operation.name.startswith(("vlseg", "vlsseg")):
        return (
            unit,
            occupancy,
            latency,
            chains,
            registers[-2 if registers[-2].bank == "v" else 0],
            (),
        )
    in_memory = operation.memory is not None
    stores = unit == "VS" or (in_memory and operation.name.startswith(("s", "fs")))
    if stores or operation.name.startswith("b") or not registers:
        return unit, occupancy, latency, chains, None, registers
    return unit, occupancy, latency, chains, registers[0], registers[1:]
