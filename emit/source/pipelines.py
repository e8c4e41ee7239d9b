"""A hand-written loop as a software pipeline in the machine's registers.

::

        guards                 too few iterations for the pipeline: jump to the loop as it was
        prologue, kernel, epilogue
        j       behind
    slow:                      the loop as it was, for few iterations
    behind:

The kernel's branch belongs to an iteration begun some passes ago, so its limit is moved by as many
steps; afterwards the limit is put back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations

from oxegg.costmodels import Machine
from oxegg.emit.assembler import INVERTED
from oxegg.emit.constants import fits_immediate
from oxegg.emit.effects import effects
from oxegg.emit.modulo.body import Body, Rules, body_of
from oxegg.emit.modulo.control import Control, control_of
from oxegg.emit.modulo.displacement import displacements_fit
from oxegg.emit.modulo.expand import expand
from oxegg.emit.modulo.graph import Graph, Schedule, one_stage
from oxegg.emit.modulo.synthesize import Effort, Found, modulo_schedule
from oxegg.emit.program import ZERO, Bank, Operation, Register
from oxegg.emit.source.flow import Place, places
from oxegg.emit.source.instructions import hardware
from oxegg.emit.source.loops import SourceLoop
from oxegg.emit.source.registers import Assignment, assign
from oxegg.emit.steady import steady_cycles
from oxegg.errors import EmitError


@dataclass(frozen=True)
class SourcePipeline:
    """The new text of a loop: ``before`` the kernel, ``kernel`` and ``after`` it.

    Operands are registers of the source; ``homes`` gives the hardware behind them. ``guards`` leave
    for the loop as it was. ``found`` is the schedule, ``bare`` the one that loop control is free
    in (``None`` where that wasn't asked for).
    """

    loop: SourceLoop
    guards: tuple[Operation, ...]
    before: tuple[Operation, ...]
    kernel: tuple[Operation, ...]
    after: tuple[Operation, ...]
    assignment: Assignment
    found: Found
    control: Control | None
    body: Body

    @property
    def stages(self) -> int:
        return self.found.schedule.stages


SLOW, BEHIND, KERNEL = "slow", "behind", "kernel"
"""Labels of the new text; the writer makes them unique."""


def pipeline_loop(
    loop: SourceLoop, machine: Machine, effort: Effort, *, disjoint_bases: bool
) -> SourcePipeline:
    """The best pipeline found for ``loop``.

    When no renaming of registers works out, all keep theirs; in the end one iteration at a time.
    Raises ``EmitError`` when no schedule was found in time.
    """
    free = rules_for(loop, disjoint_bases)
    kept = replace(free, pinned=free.pinned | {free.places.get(r, r) for r in _written(loop)})
    for rules, single in ((free, False), (kept, False), (kept, True)):
        body = body_of(loop.operations, machine, rules)
        control = control_of(body.values)
        plan = None if single else _plan(loop, body, control)
        graph = body.graph if plan is not None else one_stage(body.graph)
        pipeline = _attempt(loop, replace(body, graph=graph), control, plan, machine, effort)
        if pipeline is not None:
            return pipeline
    raise EmitError(
        f"no schedule of loop {loop.label} was found in the time given", hint="more --seconds"
    )


def _written(loop: SourceLoop) -> set[Register]:
    return {r for op in loop.operations for r in effects(op).writes}


def _attempt(
    loop: SourceLoop,
    body: Body,
    control: Control | None,
    plan: "_Plan | None",
    machine: Machine,
    effort: Effort,
) -> SourcePipeline | None:
    invariant = _invariant(body)
    allowed = _allowed(loop, body)

    def usable(_: Graph, schedule: Schedule) -> bool:
        fit = displacements_fit(body.operations, schedule, body.floating)
        return fit and assign(body, schedule, allowed, invariant) is not None

    def pace(schedule: Schedule) -> Fraction:
        assignment = assign(body, schedule, allowed, invariant)
        assert assignment is not None
        kernel = expand(body, schedule, assignment.registers).kernel
        homes = _homes(assignment, kernel)
        cycles = steady_cycles(kernel, machine, homes)
        return Fraction(schedule.ii) if cycles is None else cycles

    found = modulo_schedule(body.graph, effort, usable, pace)
    if found is None:
        return None
    assignment = assign(body, found.schedule, allowed, invariant)
    assert assignment is not None
    pipeline = expand(body, found.schedule, assignment.registers)
    guards: tuple[Operation, ...] = ()
    before, kernel, after = pipeline.prologue, pipeline.kernel, pipeline.epilogue
    if plan is not None and pipeline.stages > 1:
        guards = tuple(plan.guards(pipeline.stages))
        move, back, branch = plan.moved_limit(pipeline.lag, kernel[-1])
        before, kernel, after = (*move, *before), (*kernel[:-1], branch), (*after, *back)
    return SourcePipeline(loop, guards, before, kernel, after, assignment, found, control, body)


def rules_for(loop: SourceLoop, disjoint_bases: bool, *, bare: bool = False) -> Rules:
    """What the scheduler may do with the registers of a loop.

    ``bare``: the branch and the counter that only serves it take neither slots nor units.
    """
    whole = _overlapping(loop.operations)
    segments = {r for op in loop.operations for fields in effects(op).tuples for r in fields}
    pinned = frozenset(whole.values()) | {whole.get(r, r) for r in segments}
    written = _written(loop)
    carried = _carried(loop.operations)
    kept = {r for r in written if places(r) & loop.live_out} | carried
    return Rules(
        _files(loop),
        pinned,
        frozenset(kept),
        whole,
        disjoint_bases,
        _control_operations(loop.operations) if bare else frozenset(),
    )


def _files(loop: SourceLoop) -> dict[Bank, int]:
    touched = {p for op in loop.operations for r in _registers(op) for p in places(r)}
    usable = loop.free | touched
    banks: Sequence[Bank] = ("x", "f", "v")
    return {bank: sum(b == bank for b, _ in usable) for bank in banks}


def _registers(operation: Operation) -> Iterator[Register]:
    effect = effects(operation)
    yield from dict.fromkeys((*effect.reads, *effect.writes))


def _overlapping(operations: Sequence[Operation]) -> dict[Register, Register]:
    """Vector groups that overlap without being the same, each with the whole around them."""
    groups = {r for op in operations for r in _registers(op) if r.bank == "v"}
    parts = {frozenset((r,)) for r in groups}
    merged = True
    while merged:
        merged = False
        for a, b in combinations(parts, 2):
            if _span(a) & _span(b):
                parts = (parts - {a, b}) | {a | b}
                merged = True
                break
    wholes: dict[Register, Register] = {}
    for part in parts:
        if len(part) > 1:
            numbers = {number for _, number in _span(part)}
            size = 1
            while min(numbers) // size * size + size <= max(numbers):
                size *= 2
            whole = Register("v", min(numbers) // size * size, size)
            wholes |= dict.fromkeys(part, whole)
    return wholes


def _span(registers: frozenset[Register]) -> frozenset[Place]:
    return frozenset[Place]().union(*(places(r) for r in registers))


def _carried(operations: Sequence[Operation]) -> set[Register]:
    """Registers that an iteration reads as the one before left them."""
    written: set[Register] = set()
    found: set[Register] = set()
    every = {r for op in operations for r in effects(op).writes}
    for operation in operations:
        effect = effects(operation)
        found |= {r for r in effect.reads if r in every and r not in written}
        written.update(effect.writes)
    return found


def _control_operations(operations: Sequence[Operation]) -> frozenset[int]:
    """The branch, and the instruction that advances what it tests."""
    last = len(operations) - 1
    tested = effects(operations[last]).reads
    steps = [i for i, op in enumerate(operations) if set(effects(op).writes) & set(tested)]
    return frozenset({last, *steps}) if len(steps) == 1 else frozenset({last})


def _invariant(body: Body) -> frozenset[Register]:
    return frozenset(r for r in body.carrier if r not in body.values.last_writer)


def _allowed(loop: SourceLoop, body: Body) -> frozenset[Place]:
    """Hardware registers that webs may be put into."""
    kept = frozenset[Place]().union(*(places(r) for r in _invariant(body)))
    pinned = frozenset[Place]().union(
        *(places(c) for c, w in zip(body.carrier, body.graph.webs, strict=True) if w.resident)
    )
    return (loop.free | pinned) - kept


@dataclass(frozen=True)
class _Plan:
    """How the loop's end is moved: by ``spare`` registers, or in place."""

    branch: Operation
    control: Control
    spare: Register
    limit_in_place: bool

    def guards(self, stages: int) -> Iterator[Operation]:
        """Leave when the loop as it was would end within ``stages - 1`` iterations."""
        source: Register = self.control.counter
        leaving = INVERTED[self.branch.name]
        for _ in range(stages - 1):
            yield _advanced(self.spare, source, self.control.step)
            operands = (self.spare, self.control.limit)
            first, second = operands if self.control.counter_first else operands[::-1]
            yield Operation(leaving, (first, second, SLOW))
            source = self.spare

    def moved_limit(
        self, lag: int, branch: Operation
    ) -> tuple[tuple[Operation, ...], tuple[Operation, ...], Operation]:
        """Instructions before, instructions after, and the kernel's branch."""
        branch = replace(branch, operands=(*branch.operands[:2], KERNEL))
        if not lag:
            return (), (), branch
        control = self.control
        moved = control.limit if self.limit_in_place else control.counter
        ahead = self.limit_in_place
        move = [_advanced(moved, moved, control.step, back=ahead)] * lag
        back = [_advanced(moved, moved, control.step, back=not ahead)] * lag
        return tuple(move), tuple(back), branch


def _advanced(
    target: Register, source: Register, step: int | Register, *, back: bool = False
) -> Operation:
    if isinstance(step, Register):
        return Operation("sub" if back else "add", (target, source, step))
    return Operation("addi", (target, source, -step if back else step))


def _plan(loop: SourceLoop, body: Body, control: Control | None) -> _Plan | None:
    """How to end a pipeline of this loop; ``None`` when it can't be."""
    if control is None:
        return None
    step = control.step
    if isinstance(step, int) and not (fits_immediate(step) and fits_immediate(-step)):
        return None
    live_in = {p for r in (*_invariant(body), *_carried(loop.operations)) for p in places(r)}
    spare = sorted(number for bank, number in loop.free - live_in if bank == "x")
    readers = {
        register: sum(register in effect.reads for effect in body.values.effects)
        for register in (control.limit, control.counter)
    }
    in_place = control.limit != ZERO and readers[control.limit] == 1
    if not spare or not (in_place or readers[control.counter] == 2):
        return None
    branch = body.operations[-1]
    return _Plan(branch, control, Register("x", spare[0]), in_place)


def hardware_homes(pipeline: SourcePipeline) -> dict[Register, int]:
    """The hardware register of everything that the new text mentions."""
    text = (*pipeline.guards, *pipeline.before, *pipeline.kernel, *pipeline.after)
    return _homes(pipeline.assignment, text)


def _homes(assignment: Assignment, text: Sequence[Operation]) -> dict[Register, int]:
    mentioned = {o for op in text for o in op.operands if isinstance(o, Register)}
    return {**{r: hardware(r) for r in mentioned - set(assignment.homes)}, **assignment.homes}
