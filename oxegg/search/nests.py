"""Enumerating nests of a stage: loop orders, strips, copies; ranked by the machine model."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from oxegg.costmodels import Machine
from oxegg.emit.lowering.program import lower
from oxegg.emit.nest import Nest
from oxegg.emit.physical import PhysicalProgram, Value, walk
from oxegg.emit.program import operations
from oxegg.emit.stages import Stage
from oxegg.errors import EmitError
from oxegg.ir.affine import Axis
from oxegg.search.estimate import estimate
from oxegg.search.pressure import vector_pressure

FULLY_UNROLLED = 4  # axes up to this size never become loops
MAX_OPERATIONS = 700  # instructions of one stage's text
VECTOR_REGISTERS = 32
SPILL_COST = 0.015  # slow-down per register too many


@dataclass(frozen=True)
class Ranked:
    """A nest and what the machine model predicts for its stage, in cycles."""

    nest: Nest
    predicted: float


def generic_nest(stage: Stage, machine: Machine) -> Nest:
    """One loop per axis in source order, one register per strip, nothing unrolled."""
    return Nest(tuple(stage.axes), _strip(stage, machine, 1), segments=False)


def enumerate_nests(stage: Stage, machine: Machine, *, budget: int) -> list[Nest]:
    """Nests worth looking at, most promising shapes first, at most ``budget``."""
    axes = stage.axes
    lanes = {v.lane for v in walk(stage.stores) if v.lane is not None}
    reduced = {v.axis for v in walk(stage.stores) if v.axis and v.closes_loop}
    carried = {v.axis for v in walk(stage.stores) if v.axis and v.kind in ("fold", "scan")}
    seen: dict[Nest, None] = {}
    for order, strip in itertools.product(_orders(axes, lanes), _strips(stage, machine)):
        for unroll, accumulators in _unrolls(
            [a for a in axes if a not in carried], lanes, reduced - carried, strip
        ):
            nest = Nest(order, strip, tuple(unroll.items()), accumulators)
            if nest not in seen and _fits(stage, nest, machine):
                seen[nest] = None
    chosen = list(seen)
    step = max(1, len(chosen) / budget)
    return [chosen[int(i * step)] for i in range(min(budget, len(chosen)))]


def rank(
    program: PhysicalProgram, stage: Stage, nests: Sequence[Nest], machine: Machine, exact: bool
) -> list[Ranked]:
    """Nests by predicted cycles of their stage, best first; those that can't be lowered drop out."""
    ranked: list[Ranked] = []
    seen: set[tuple[float, int]] = set()
    for nest in nests:
        try:
            lowered = lower(program, [(stage, nest)], machine, exact=exact)
        except EmitError:
            continue
        count = sum(1 for _ in operations(lowered.body))
        if count > MAX_OPERATIONS:
            continue
        excess = max(0, vector_pressure(lowered.body) - VECTOR_REGISTERS)
        cycles = estimate(lowered.body, machine) * (1 + SPILL_COST * excess) + 0.02 * count
        if (cycles, count) not in seen:  # nests that differ in name only give the same text
            ranked.append(Ranked(nest, cycles))
            seen.add((cycles, count))
    return sorted(ranked, key=lambda r: r.predicted)


def _strip(stage: Stage, machine: Machine, lmul: int) -> int:
    widest = max((max(v.type.bits, 8) for v in walk(stage.stores) if v.lane), default=32)
    return max(1, machine.vlen * lmul // widest)


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


def _unrolls(
    axes: Sequence[Axis], lanes: set[Axis], reduced: set[Axis], strip: int
) -> Iterator[tuple[dict[Axis, int], int]]:
    """Copies per axis: small axes whole; the others in a few sizes, one or two axes at a time."""
    base = {a: a.size for a in axes if a.size <= FULLY_UNROLLED and a not in lanes}
    free = [a for a in axes if a not in base]
    options: list[list[int]] = []
    for axis in free:
        if axis in lanes:
            strips = -(-axis.size // strip)
            options.append(_sizes(strips, (1, 2, 4) if axis not in reduced else (1, 2, 4, 8)))
        elif axis in reduced:
            options.append(_sizes(axis.size, (1, 2, 4, 9, 16, 32)))
        else:
            options.append(_sizes(axis.size, (1, 2, 4, 7, 8, 3, 6, 14)))
    combinations = sorted(
        itertools.product(*options), key=lambda c: (sum(1 for x in c if x > 1), c)
    )
    for copies in combinations:
        total = 1
        for c in copies:
            total *= c
        if total > 64:
            continue
        unroll = {**base, **{a: c for a, c in zip(free, copies, strict=True) if c > 1}}
        closing = max((unroll.get(a, 1) for a in reduced), default=1)
        for accumulators in dict.fromkeys((min(closing, 4), 1, min(closing, 8))):
            yield unroll, accumulators


def _sizes(size: int, wanted: Sequence[int]) -> list[int]:
    exact = [w for w in wanted if w < size]
    return [*exact, size] if (size <= 32 and size in wanted) or size <= 9 else exact or [1]


def _fits(stage: Stage, nest: Nest, machine: Machine) -> bool:
    """Whether the accumulators alone leave registers for anything else."""
    registers = 0
    for value in walk(stage.stores):
        if (
            value.kind not in ("accumulate", "lanes")
            or (value.space == "s"
            and value.kind != "lanes")
        ):
            continue
        copies = nest.accumulators if value.axis and nest.copies(value.axis) > 1 else 1
        for axis in value.axes:
            copies *= nest.copies(axis)
        registers += copies * _group(value, nest, machine)
    return registers <= VECTOR_REGISTERS - 4


def _group(value: Value, nest: Nest, machine: Machine) -> int:
    return max(1, nest.lanes * max(value.type.bits, 8) // machine.vlen)
