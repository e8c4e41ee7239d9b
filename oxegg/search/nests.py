"""Enumerating nests of a stage: loop orders, strips, copies; ranked by the machine model."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from oxegg.costmodels import Machine
from oxegg.emit.backend import schedulable_registers
from oxegg.emit.lowering.program import lower
from oxegg.emit.lowering.tile_file import ACCUMULATORS
from oxegg.emit.nest import Nest
from oxegg.emit.physical import PhysicalProgram, Value, walk
from oxegg.emit.program import Loop, Operation, Program, operations
from oxegg.emit.schedule import schedule
from oxegg.emit.stages import Stage
from oxegg.errors import EmitError
from oxegg.ir.affine import Axis
from oxegg.search.bank_graph import bank_nest, pass_cycles
from oxegg.search.costs import Objective
from oxegg.search.estimate import estimate
from oxegg.search.pressure import excess_pressure
from oxegg.search.staged import (
    block_costs,
    stageable,
    staged_cycles,
    staged_nests,
    unstaged_cycles,
)

FULLY_UNROLLED = 4  # axes up to this size never become loops
MAX_COPIES = 64  # bodies in one unrolled iteration
MAX_OPERATIONS = 400  # instructions of one stage's text
TILED_OPERATIONS = 2000  # the same on tiles, whose loops stand in the text several times
VECTOR_REGISTERS = 32
STAGED = 4  # register blockings whose blocks are staged
SPILL_COST = 0.015  # slow-down per register too many


@dataclass(frozen=True)
class Ranked:
    """A nest and what is predicted for its stage: cycles, or executed instructions."""

    nest: Nest
    predicted: float


def generic_nest(stage: Stage, machine: Machine) -> Nest:
    """One loop per axis in source order, one register per strip, nothing unrolled."""
    return Nest(tuple(stage.axes), _strip(stage, machine, 1), segments=False)


def enumerate_nests(stage: Stage, machine: Machine, *, budget: int) -> list[Nest]:
    """Nests of every shape, at most ``budget`` of them, spread evenly over all combinations."""
    space = _Space(stage, machine)
    found: dict[Nest, None] = {}
    counts = [space.options[axis] for axis in space.free]
    for order, strip in itertools.product(space.orders, space.strips):
        for copies in itertools.product(*counts):
            nest = space.nest(order, strip, dict(zip(space.free, copies, strict=True)))
            if nest not in found and math.prod(copies) <= MAX_COPIES and space.fits(nest):
                found[nest] = None
    chosen = list(found)
    step = max(1.0, len(chosen) / budget)
    return [chosen[int(i * step)] for i in range(min(budget, len(chosen)))]


def rank(
    program: PhysicalProgram,
    stage: Stage,
    machine: Machine,
    *,
    budget: int,
    exact: bool = False,
    objective: Objective = "cycles",
    staged_on: Machine | None = None,
) -> list[Ranked]:
    """Nests by predicted cost of their stage, best first, after at most ``budget`` predictions.

    ``staged_on``: where operands and results lie in DRAM, so that blocks may be staged, the machine
    as code for blocks in the scratchpad sees it.

    A descent along one choice at a time (order, strip, copies of one axis, accumulators), from
    the two best strips.
    """
    if stage.near_memory:
        cycles = pass_cycles(program, stage, machine)
        return [] if cycles is None else [Ranked(bank_nest(stage), cycles)]
    space = _Space(stage, machine)
    costs: dict[Nest, float] = {}
    first = space.orders[0]
    limit = TILED_OPERATIONS if space.tiled else MAX_OPERATIONS
    longest = max(limit, _length(program, stage, space.nest(first, 1, {}), machine, exact))

    def cost(nest: Nest) -> float:
        if nest not in costs:
            if len(costs) >= budget:
                return math.inf
            costs[nest] = _predict(program, stage, nest, machine, exact, objective, longest)
        return costs[nest]

    starts = sorted((space.nest(first, strip, {}) for strip in space.strips), key=cost)
    for start in starts[:2]:
        best, improved = start, True
        while improved and len(costs) < budget:
            improved = False
            for moves in space.moves(best):
                candidate = min(moves, key=cost, default=best)
                if cost(candidate) < cost(best):
                    best, improved = candidate, True
    if staged_on and objective == "cycles":

        def staged_work(nest: Nest) -> float:
            lowered = _lowered(program, stage, nest, staged_on, exact)
            return estimate(lowered.body, staged_on) if lowered else math.inf

        costs = _with_staged(stage, costs, machine, bool(space.tiled), staged_work)
    return _distinct(costs)


def again(
    program: PhysicalProgram,
    stage: Stage,
    found: Sequence[Ranked],
    machine: Machine,
    *,
    exact: bool = False,
    objective: Objective = "cycles",
) -> list[Ranked]:
    """Nests ranked on one machine, as another one likes them; none whose blocks are staged."""
    costs = {
        r.nest: _predict(program, stage, r.nest, machine, exact, objective, TILED_OPERATIONS)
        for r in found
        if not r.nest.blocks
    }
    return _distinct(costs)


def _with_staged(
    stage: Stage,
    costs: Mapping[Nest, float],
    machine: Machine,
    tiled: bool,
    predict: Callable[[Nest], float],
) -> dict[Nest, float]:
    """Nests as they are, waiting for memory, and the best in tiles with their blocks staged.

    ``predict`` gives the cycles that a staged nest keeps the core busy.
    """
    found = {nest: unstaged_cycles(stage, cost, machine) for nest, cost in costs.items()}
    if tiled and stageable(stage):
        best: dict[tuple[int, ...], tuple[float, Nest]] = {}  # of every register blocking
        for nest, cost in costs.items():
            blocking = tuple(nest.copies(axis) for axis in stage.stores[0].tile or ())
            best[blocking] = min(best.get(blocking, (cost, nest)), (cost, nest), key=lambda b: b[0])
        for cost, nest in sorted(best.values(), key=lambda b: b[0])[:STAGED]:
            # How fast blocks are in the scratchpad decides which are large enough.
            for sample in staged_nests(stage, nest, cost, machine)[:1]:
                work = predict(sample) - block_costs(sample)
                for staged in staged_nests(stage, nest, work, machine):
                    cycles = staged_cycles(stage, staged, predict(staged), machine)
                    found[staged] = cycles or math.inf
    return found


def _distinct(costs: Mapping[Nest, float]) -> list[Ranked]:
    """Best first; of nests with the very same cost only one (they differ in name only)."""
    seen: set[float] = set()
    ranked: list[Ranked] = []
    for nest, cost in sorted(costs.items(), key=lambda item: item[1]):
        if cost < math.inf and cost not in seen:
            seen.add(cost)
            ranked.append(Ranked(nest, cost))
    return ranked


def _predict(
    program: PhysicalProgram,
    stage: Stage,
    nest: Nest,
    machine: Machine,
    exact: bool,
    objective: Objective,
    longest: int,
) -> float:
    lowered = _lowered(program, stage, nest, machine, exact)
    count = sum(1 for _ in operations(lowered.body)) if lowered else longest + 1
    if lowered is None or count > longest:
        return math.inf
    excess = excess_pressure(lowered.body)
    if objective == "cycles":
        work = estimate(lowered.body, machine)
    else:
        work = float(executed(lowered.body))
    return work * (1 + SPILL_COST * excess) + 0.02 * count


def _lowered(
    program: PhysicalProgram, stage: Stage, nest: Nest, machine: Machine, exact: bool
) -> Program | None:
    """A stage's instructions, in the order of the schedule where that matters for an estimate."""
    try:
        lowered = lower(program, [(stage, nest)], machine, exact=exact)
    except EmitError:
        return None
    if not any(value.tile for value in walk(stage.stores)):
        return lowered
    # Tiles wait for each other in the order of the text, unlike lanes behind their queue.
    return schedule(lowered, machine, limits=schedulable_registers(lowered))


def _length(
    program: PhysicalProgram, stage: Stage, nest: Nest, machine: Machine, exact: bool
) -> int:
    """Operations of a stage under ``nest``; 0 where it can't be lowered."""
    try:
        lowered = lower(program, [(stage, nest)], machine, exact=exact)
    except EmitError:
        return 0
    return sum(1 for _ in operations(lowered.body))


class _Space:
    """The choices that a stage's nest consists of."""

    def __init__(self, stage: Stage, machine: Machine) -> None:
        self.stage, self.machine = stage, machine
        values = list(walk(stage.stores))
        self.lanes = {v.lane for v in values if v.lane is not None}
        self.reduced = {v.axis for v in values if v.axis and v.closes_loop}
        carried = {v.axis for v in values if v.axis and v.kind in ("fold", "scan")}
        self.tiled = list(dict.fromkeys(a for v in values if v.tile and v.axes for a in v.tile))
        self.deep = {v.axis for v in values if v.kind == "tile product"}
        summed = self.deep | {v.axis for v in values if v.kind == "tile sum"}
        stepped = self.lanes | set(self.tiled) | summed
        self.whole = {
            a: a.size for a in stage.axes if a.size <= FULLY_UNROLLED and a not in stepped
        }
        self.free = [a for a in stage.axes if a not in self.whole and a not in carried]
        self.strided = any(
            v.lane and v.access and v.access.stride(v.lane) != v.type.bytes for v in values
        )
        self.strips = _strips(stage, machine)
        self.orders = list(dict.fromkeys(_orders(stage.axes, self.lanes)))
        self.options = {axis: self._counts(axis) for axis in self.free}

    def _counts(self, axis: Axis) -> list[int]:
        if axis in self.lanes:
            return [1, 2, 4, 8]
        if axis in self.tiled:
            return [1, 2, 4]
        if axis in self.deep:
            return [1, 2, 4, 8]
        if self.tiled:
            return [1, axis.size] if axis in self.reduced and axis.size <= FULLY_UNROLLED else [1]
        small = [axis.size] if axis.size <= MAX_COPIES else []
        wanted = (1, 2, 4, 8, 16) if axis in self.reduced else (1, 2, 3, 4, 5, 6, 7, 8, 10, 14)
        return sorted({w for w in wanted if w < axis.size} | set(small) | {1})

    def nest(
        self,
        order: tuple[Axis, ...],
        strip: int,
        copies: Mapping[Axis, int],
        accumulators: int | None = None,
    ) -> Nest:
        unroll = {**self.whole, **{a: c for a, c in copies.items() if c > 1}}
        # Whole sums in one iteration: iterations overlap, and one accumulator takes the fewest.
        closing = max((unroll.get(a, 1) for a in self.reduced if a not in self.whole), default=1)
        wanted = (min(closing, 4), min(closing, 2), 1) if accumulators is None else (accumulators,)
        ahead = bool(self.tiled)
        nests = [
            Nest(order, strip, tuple(unroll.items()), partial, ahead=ahead) for partial in wanted
        ]
        return next((n for n in nests if self.fits(n)), nests[-1])

    def moves(self, nest: Nest) -> Iterator[list[Nest]]:
        """Groups of nests that differ from ``nest`` in one choice."""
        copies = {a: nest.copies(a) for a in self.free}
        if self.tiled:
            blocks = itertools.product((1, 2, 4), repeat=len(self.tiled))
            changed = [{**copies, **dict(zip(self.tiled, b, strict=True))} for b in blocks]
            yield self._legal(self.nest(nest.order, nest.lanes, c) for c in changed)
        for axis in self.free:
            if axis in self.tiled:
                continue
            changed = [{**copies, axis: count} for count in self.options[axis]]
            yield self._legal(self.nest(nest.order, nest.lanes, c) for c in changed)
        yield self._legal(self.nest(nest.order, strip, copies) for strip in self.strips)
        if self.strided:  # segments have more fields, the shorter they are
            shorter = [strip for strip in self.strips if strip < nest.lanes][:1]
            more = [{**copies, a: 2 * copies[a]} for a in self.free if a not in self.lanes]
            yield self._legal(self.nest(nest.order, s, c) for s in shorter for c in more)
        yield self._legal(self.nest(order, nest.lanes, copies) for order in self.orders)
        yield self._legal(self.nest(nest.order, nest.lanes, copies, n) for n in (1, 2, 4, 8))

    def _legal(self, nests: Iterable[Nest]) -> list[Nest]:
        return [n for n in nests if _bodies(n) <= MAX_COPIES and self.fits(n)]

    def fits(self, nest: Nest) -> bool:
        """Whether the accumulators alone leave registers for anything else."""
        registers = blocks = 0
        for value in walk(self.stage.stores):
            if value.kind == "tile product":
                blocks = max(blocks, math.prod(nest.copies(axis) for axis in value.axes))
            vector = value.kind == "lanes" or (value.kind == "accumulate" and value.space == "v")
            if not vector:
                continue
            copies = nest.accumulators if value.axis and nest.copies(value.axis) > 1 else 1
            for axis in value.axes:
                copies *= nest.copies(axis)
            registers += copies * _group(value, nest, self.machine)
        return registers <= VECTOR_REGISTERS - 4 and blocks <= len(ACCUMULATORS)


def executed(body: Sequence[Operation | Loop]) -> int:
    """Instructions that a loop tree executes."""
    return sum(item.trips * executed(item.body) if isinstance(item, Loop) else 1 for item in body)


def _bodies(nest: Nest) -> int:
    """Copies of the innermost body in one iteration of all loops."""
    return math.prod(count for _, count in nest.unroll)


def _strip(stage: Stage, machine: Machine, lmul: int) -> int:
    """Elements of a strip whose widest values fill ``lmul`` registers."""
    widest = max((_bits(v) for v in walk(stage.stores) if v.lane), default=32)
    return max(1, machine.vlen * lmul // widest)


def _bits(value: Value) -> int:
    """Element width of a value in lanes; gathers compute 64-bit offsets, counts are scalars."""
    special = {"gather": 64, "count": 8}
    return special.get(value.kind, max(value.type.bits, 8))


def _strips(stage: Stage, machine: Machine) -> list[int]:
    """Elements per strip for LMUL 1 to 8, none much longer than the longest lane axis."""
    longest = max((v.lane.size for v in walk(stage.stores) if v.lane), default=1)
    cap = 1 << (longest - 1).bit_length()
    found = [min(_strip(stage, machine, lmul), max(cap, 1)) for lmul in (8, 4, 2, 1)]
    return list(dict.fromkeys(found))


def _orders(axes: Sequence[Axis], lanes: set[Axis]) -> Iterator[tuple[Axis, ...]]:
    """Memory order, and the lane axes outermost."""
    yield tuple(axes)
    front = tuple(a for a in axes if a in lanes)
    rest = tuple(a for a in axes if a not in lanes)
    if front and rest:
        yield front + rest
    if len(rest) > 1:
        yield rest[::-1] + front


def _group(value: Value, nest: Nest, machine: Machine) -> int:
    return max(1, nest.lanes * max(value.type.bits, 8) // machine.vlen)
