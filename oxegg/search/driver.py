"""The compiler's main loop: saturate once, extract several programs, simulate the best nests."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy.typing as npt

from oxegg.costmodels import Machine
from oxegg.egraph.saturate import Limits
from oxegg.emit.backend import (
    MachineCode,
    generate,
    generate_pipelined,
    measured,
    predicted_cycles,
)
from oxegg.emit.lowering.copies import all_copied, with_copies
from oxegg.emit.lowering.program import lower, with_staging
from oxegg.emit.lowering.staging import staging_bytes
from oxegg.emit.modulo.synthesize import Effort as LoopEffort
from oxegg.emit.nest import Nest
from oxegg.emit.physical import Buffer, PhysicalProgram
from oxegg.emit.program import Program
from oxegg.emit.stages import Stage
from oxegg.errors import EmitError, LoweringError
from oxegg.ir.affine import Axis
from oxegg.ir.term import Kernel
from oxegg.rules.pattern import Rule
from oxegg.search import fused, nests, programs, streams
from oxegg.search.bank_graph import without_banks
from oxegg.search.costs import Objective
from oxegg.search.measure import Place, Runner, array_bytes, place_of
from oxegg.search.programs import Candidate
from oxegg.search.refusal import after_stale_rules
from oxegg.search.saturation import (
    NEAR_MEMORY_ENGINE,
    TENSOR_ENGINE,
    VECTOR_ENGINE,
    Prepared,
    allowed_rules,
    generic_rules,
    prepare,
    trusted_rules,
)
from oxegg.search.tile_graph import realizable_tiles
from oxegg.sim import CallResult
from oxegg.verify import input_sets

Array = npt.NDArray[Any]
NEAR_NESTS = 3  # nests of each stage that are tried on copies of the inputs, too
TILED_PROGRAMS = 2  # programs on the tensor engine that nests are sought for
PIPELINED = 0.8  # of an effort's seconds, after which no loops are pipelined any more
HOPELESS = 3.0
"""Programs predicted to take so many times as long as the best one are not simulated."""


@dataclass(frozen=True)
class Effort:
    """How hard to look: nests ranked per stage, programs kept, simulations, seconds.

    ``pipelines``: programs whose loops are software-pipelined, ``loop_work``: the solver's
    deterministic seconds for each loop of the best of them (0: the heuristic's schedule is kept).
    """

    nests: int
    programs: int
    simulations: int
    seconds: float
    limits: Limits
    pipelines: int
    loop_work: float


EFFORTS: dict[str, Effort] = {
    "quick": Effort(36, 4, 6, 10.0, Limits(algebra_iterations=4), 2, 0),
    "normal": Effort(60, 5, 24, 60.0, Limits(algebra_iterations=6, rows=60_000, seconds=20), 4, 4),
    "max": Effort(
        240, 8, 120, 600.0, Limits(algebra_iterations=8, rows=150_000, seconds=60), 8, 20
    ),
}


@dataclass(frozen=True)
class Trial:
    """One nest of one program, emitted and simulated."""

    candidate: Candidate
    nests: tuple[Nest, ...]
    code: MachineCode
    runner: Runner
    result: CallResult
    predicted: float

    @property
    def engine(self) -> str:
        """The engine that computes: scalar, vector or tensor; ``+dma``: behind transfers."""
        staged = any(nest.blocks for nest in self.nests)
        moved = self.candidate.program.copies or streams.fusion(self.candidate)
        return self.candidate.engine + ("+dma" if staged or moved else "")

    def score(self, objective: Objective) -> float:
        """Simulated cycles (of two equally fast programs the shorter wins), or instructions."""
        assert self.result.cycles is not None
        if objective == "instructions":
            return self.result.instructions + 1e-6 * self.result.cycles
        return self.result.cycles + 0.01 * self.result.instructions


@dataclass
class Search:
    """What a search found and what it tried on the way."""

    kernel: Kernel
    prepared: Prepared
    best: Trial
    tried: list[Trial]
    place: Place
    seconds: dict[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True)
class Job:
    """What to compile and for what."""

    kernel: Kernel
    machine: Machine
    mode: str = "real"
    place: str = "auto"
    without: tuple[str, ...] = ()
    objective: Objective = "cycles"
    rules: tuple[Rule, ...] = ()  # beside oxegg's own
    unproved: bool = False  # use rules whose evidence doesn't suffice, too

    @property
    def exact(self) -> bool:
        return self.mode == "exact"

    @property
    def tensor(self) -> bool:
        """Whether values may lie in tiles."""
        engines = {VECTOR_ENGINE, TENSOR_ENGINE}
        return self.machine.tensor is not None and not engines & set(self.without)

    @property
    def near_memory(self) -> bool:
        """Whether arrays may lie in near-memory banks: those that aren't in the scratchpad."""
        enabled = self.machine.near_memory is not None and self.memory == "dram"
        return enabled and not {VECTOR_ENGINE, NEAR_MEMORY_ENGINE} & set(self.without)

    @property
    def memory(self) -> Place:
        """Where inputs and outputs lie."""
        return place_of(self.kernel, self.machine, self.place)

    @property
    def paced_by_memory(self) -> bool:
        """Whether cycles depend on DRAM, whose pace ranks nests and which schedules ignore."""
        return self.memory == "dram" and self.objective == "cycles"

    @property
    def scheduled_for(self) -> Machine:
        """The machine as schedules see it: loads take as long as from where the data lie."""
        if self.memory == "spm":
            return self.machine
        latency = self.machine.l2_latency or self.machine.dram_latency
        return replace(self.machine, spm=replace(self.machine.spm, latency=latency))

    def scheduled_with(self, candidate: Candidate, plan: Sequence[Nest]) -> Machine:
        """The same for given nests: staged blocks and copies lie in the scratchpad."""
        staged = any(nest.blocks for nest in plan)
        near = staged or all_copied(candidate.program) or streams.all_near(candidate)
        return self.machine if near else self.scheduled_for


def saturate_for(jobs: Sequence[Job], effort: Effort) -> tuple[Prepared, float]:
    """One e-graph for jobs that differ in nothing but the machine, and the seconds it took."""
    started, first = time.monotonic(), jobs[0]
    prepared = prepare(
        first.kernel,
        allowed_rules(first.mode, first.without),
        effort.limits,
        vector=VECTOR_ENGINE not in first.without,
        tensor=any(job.tensor for job in jobs),
        near_memory=any(job.near_memory for job in jobs),
        trusted=trusted_rules(first.mode, first.unproved),
        more=first.rules,
    )
    return prepared, round(time.monotonic() - started, 4)


def search(job: Job, effort: Effort, prepared: Prepared) -> Search:
    """The best program that a saturated e-graph holds for a machine, found in the effort's time.

    Time is this process's own: what else the machine does must not change the result.
    """
    clock = _Clock()
    graph = realizable_tiles(prepared.graph, job.machine)
    graph = graph if job.near_memory else without_banks(graph)
    try:
        found = programs.candidates(graph, job.machine, "exact", job.objective)
    except LoweringError as error:
        raise after_stale_rules(error, prepared.saturated.stale) from error
    clock.lap("extract")
    started = time.process_time()
    deadline = started + 0.5 * effort.seconds
    plans = _plans(job, found, effort, deadline)
    clock.lap("nests")
    inputs = timing_inputs(job.kernel)
    tried: list[Trial] = []
    for ranked, candidate, nests_ in plans:
        alike = [t for t in tried if t.candidate.engine == candidate.engine]
        if len(alike) >= effort.simulations or _hopeless(job, ranked, tried):
            continue
        trial = _try(job, candidate, nests_, inputs, ranked)
        if trial is not None:
            tried.append(trial)
        if tried and time.process_time() > deadline:
            break
    clock.lap("simulate")
    if not tried:
        raise LoweringError(
            "every program found needs more registers than the machine has",
            hint="split the kernel into smaller ones",
        )
    tried = [*_pipelined(job, tried, effort, inputs, started + PIPELINED * effort.seconds), *tried]
    clock.lap("pipeline")
    best = min(tried, key=lambda t: t.score(job.objective))
    best = replace(best, code=measured(best.code, job.scheduled_with(best.candidate, best.nests)))
    return Search(job.kernel, prepared, best, tried, job.memory, clock.laps)


def _pipelined(
    job: Job, tried: Sequence[Trial], effort: Effort, inputs: Sequence[Array], deadline: float
) -> list[Trial]:
    """The best programs again with software pipelines; the best of those scheduled exactly.

    ``deadline``: none is begun later, in seconds of this process.
    """
    from_core = [t for t in tried if not t.candidate.near_memory]  # else banks set the pace
    ranked = _unlike(sorted(from_core, key=lambda t: t.score(job.objective)))[: effort.pipelines]
    found: list[Trial] = []
    for trial in [*ranked, *(plain for t in ranked if (plain := _plain(t)) is not None)]:
        if time.process_time() < deadline:
            pipelined = _pipeline(job, trial, LoopEffort(), inputs)
            found += [pipelined] if pipelined is not None else []
    if found and effort.loop_work and time.process_time() < deadline:
        best = min(found, key=lambda t: t.score(job.objective))
        exact = _pipeline(job, best, LoopEffort(effort.loop_work), inputs)
        found = [*([exact] if exact is not None else []), *found]
    return found


def _unlike(trials: Sequence[Trial]) -> list[Trial]:
    """The first of those whose nests differ in nothing but the order of loops."""
    found: dict[tuple[tuple[frozenset[tuple[Axis, int]], int], ...], Trial] = {}
    for trial in trials:
        key = tuple((frozenset(nest.unroll), nest.lanes) for nest in trial.nests)
        found.setdefault(key, trial)
    return list(found.values())


def _plain(trial: Trial) -> Trial | None:
    """Loops that load tiles ahead as they were before: a pipeline itself loads ahead."""
    plain = tuple(replace(nest, ahead=False) for nest in trial.nests)
    return None if plain == trial.nests else replace(trial, nests=plain)


def _pipeline(job: Job, trial: Trial, effort: LoopEffort, inputs: Sequence[Array]) -> Trial | None:
    """The program of a trial with software pipelines, simulated."""
    physical = trial.candidate.program
    program = _lowered(job, physical, trial.candidate.stages, trial.nests)
    try:
        machine = job.scheduled_with(trial.candidate, trial.nests)
        code = generate_pipelined(program, machine, effort) if program else None
    except EmitError:
        return None
    if code is None:
        return None
    runner = replace(trial.runner, code=code.code)
    result = runner.call(inputs, timing=True)
    predicted = _predicted(job, trial.candidate, code, machine, trial.predicted)
    return replace(trial, code=code, runner=runner, result=result, predicted=predicted)


def _hopeless(job: Job, predicted: float, tried: Sequence[Trial]) -> bool:
    """Whether a program is predicted to be far slower than one that ran."""
    best = min((t.score(job.objective) for t in tried), default=predicted)
    return predicted > HOPELESS * best


def baseline(job: Job) -> Search:
    """The generic compiler: same front and back end, no rewriting, LMUL 1, nothing unrolled."""
    clock = _Clock()
    limits = Limits(algebra_iterations=3)
    prepared = prepare(job.kernel, generic_rules(job.mode), limits)
    candidate = programs.generic(prepared.graph, job.machine)
    plan = tuple(nests.generic_nest(stage, job.machine) for stage in candidate.stages)
    trial = _try(job, candidate, plan, timing_inputs(job.kernel))
    if trial is None:
        raise LoweringError("the baseline program doesn't fit the machine's registers")
    clock.lap("generic")
    return Search(job.kernel, prepared, trial, [trial], job.memory, clock.laps)


def timing_inputs(kernel: Kernel) -> list[Array]:
    """The inputs that cycles are counted on: the first (random) set of the verifier."""
    (first,) = input_sets(kernel, seed=0, count=1)
    return [first.arrays[term.attributes[0]] for term in kernel.inputs]


def _plans(
    job: Job, found: Sequence[Candidate], effort: Effort, deadline: float
) -> Iterator[tuple[float, Candidate, tuple[Nest, ...]]]:
    """(predicted cycles, program, nest per stage), best first."""
    options: list[tuple[float, Candidate, tuple[Nest, ...]]] = []
    banked = [candidate for candidate in found if candidate.near_memory]
    tiled = [candidate for candidate in found if candidate.tiled]
    others = [candidate for candidate in found if candidate.engine in ("vector", "scalar")]
    room = scratchpad_room(job)
    for whole in [*banked, *tiled[:TILED_PROGRAMS], *others[: effort.programs]]:
        candidate = fused.within(whole, job.machine, room)
        left = room - fused.scratch_bytes(candidate)
        ranked = [_ranked(job, candidate, stage, effort, left) for stage in candidate.stages]
        if not all(ranked):
            continue
        options += _combinations(candidate, ranked)
        options += _with_copies(job, candidate, ranked, left)
        options += _streamed(job, whole, effort, room)
        if time.process_time() > deadline and options:
            break
    options.sort(key=lambda option: option[0])
    yield from options


def _ranked(
    job: Job, candidate: Candidate, stage: Stage, effort: Effort, room: int
) -> list[nests.Ranked]:
    """Nests of a stage, best first; ``room``: bytes of scratchpad for blocks on their way."""
    ranked = nests.rank(
        candidate.program,
        stage,
        job.scheduled_for,
        budget=effort.nests,
        exact=job.exact,
        objective=job.objective,
        staged_on=job.machine if job.memory == "dram" else None,
    )
    return [r for r in ranked if not r.nest.blocks or staging_bytes(stage, r.nest) <= room]


def _with_copies(
    job: Job, candidate: Candidate, ranked: Sequence[Sequence[nests.Ranked]], room: int
) -> Iterator[tuple[float, Candidate, tuple[Nest, ...]]]:
    """The same program and its best nests with inputs in DRAM copied to the scratchpad first."""
    whole = not candidate.near_memory and all(stage.fusion is None for stage in candidate.stages)
    if not (whole and job.paced_by_memory and job.machine.dma):
        return
    program = with_copies(candidate.program, room)
    if not program.copies:
        return
    machine = job.machine if all_copied(program) else job.scheduled_for
    near = [
        nests.again(candidate.program, stage, found[:NEAR_NESTS], machine, exact=job.exact)
        for stage, found in zip(candidate.stages, ranked, strict=True)
    ]
    if not all(near):
        return
    copied = replace(candidate, label=f"{candidate.label} on copies", changed=program)
    inputs = [buffer for buffer in program.inputs if isinstance(buffer, Buffer)]
    moved = sum(buffer.bytes for buffer in (*inputs, *program.outputs))
    for predicted, _, plan in _combinations(candidate, near):
        yield predicted + moved / job.machine.dram_bytes_per_cycle, copied, plan


def _streamed(
    job: Job, whole: Candidate, effort: Effort, room: int
) -> Iterator[tuple[float, Candidate, tuple[Nest, ...]]]:
    """The same program, what its stages read and write in DRAM streamed through the scratchpad."""
    if not (job.paced_by_memory and job.machine.dma) or whole.near_memory or whole.tiled:
        return
    for sizes in streams.streamed(whole, job.machine, room):
        largest = _rank_streamed(job, sizes[0], effort)
        work = sum(found[0].predicted for found in largest) if all(largest) else 0.0
        candidate = min(sizes, key=lambda one: streams.cycles(one, work, job.machine))
        ranked = largest if candidate is sizes[0] else _rank_streamed(job, candidate, effort)
        if all(ranked):
            for predicted, _, plan in _combinations(candidate, ranked):
                yield streams.cycles(candidate, predicted, job.machine), candidate, plan


def _rank_streamed(job: Job, candidate: Candidate, effort: Effort) -> list[list[nests.Ranked]]:
    machine = job.scheduled_with(candidate, ())
    return [
        nests.rank(candidate.program, stage, machine, budget=effort.nests, exact=job.exact)
        for stage in candidate.stages
    ]


def scratchpad_room(job: Job) -> int:
    """Bytes of scratchpad that inputs and outputs leave."""
    arrays = array_bytes(job.kernel) if job.memory == "spm" else 0
    return max(0, job.machine.spm_bytes - arrays)


def _combinations(
    candidate: Candidate, ranked: Sequence[Sequence[nests.Ranked]]
) -> Iterator[tuple[float, Candidate, tuple[Nest, ...]]]:
    """The best nest of every stage, and all programs that differ from that in one stage."""
    best = [choices[0] for choices in ranked]
    total = sum(r.predicted for r in best)
    yield total, candidate, tuple(r.nest for r in best)
    for stage, choices in enumerate(ranked):
        for other in choices[1:8]:
            plan = [r.nest for r in best]
            plan[stage] = other.nest
            yield total - best[stage].predicted + other.predicted, candidate, tuple(plan)


def _try(
    job: Job,
    candidate: Candidate,
    plan: Sequence[Nest],
    inputs: Sequence[Array],
    ranked: float | None = None,
) -> Trial | None:
    """Emit and simulate one program; None when it doesn't fit the registers.

    ``ranked``: cycles that its nests were ranked by.
    """
    physical = with_staging(
        candidate.program, list(zip(candidate.stages, plan, strict=True)), job.machine
    )
    program = _lowered(job, physical, candidate.stages, plan)
    if program is None:
        return None
    machine = job.scheduled_with(candidate, plan)
    try:
        code = generate(program, machine)
    except EmitError:
        return None
    runner = runner_for(job.kernel, physical, code, job.machine, job.memory)
    result = runner.call(inputs, timing=True)
    predicted = _predicted(job, candidate, code, machine, ranked)
    return Trial(candidate, tuple(plan), code, runner, result, predicted)


def _predicted(
    job: Job, candidate: Candidate, code: MachineCode, machine: Machine, ranked: float | None
) -> float:
    """Cycles of emitted code; where it waits for memory, those that its nests were ranked by."""
    if streams.all_near(candidate):
        return streams.cycles(candidate, predicted_cycles(code, machine), job.machine)
    if job.paced_by_memory and ranked is not None:
        return ranked
    return predicted_cycles(code, machine)


def _lowered(
    job: Job, physical: PhysicalProgram, stages: Sequence[Stage], plan: Sequence[Nest]
) -> Program | None:
    try:
        return lower(physical, list(zip(stages, plan, strict=True)), job.machine, exact=job.exact)
    except EmitError:
        return None


def runner_for(
    kernel: Kernel, physical: PhysicalProgram, code: MachineCode, machine: Machine, place: Place
) -> Runner:
    shapes = tuple(tuple(a.size for a in out.layout) for out in kernel.outputs)
    types = tuple(out.value.type.numpy for out in kernel.outputs)
    return Runner(code.code, physical, shapes, types, machine, place)


class _Clock:
    """Seconds per phase."""

    def __init__(self) -> None:
        self.started = self.last = time.monotonic()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.laps[name] = round(now - self.last, 4)
        self.last = now


def peak_memory_mb() -> int:
    """Largest resident size of this process or any of its children so far."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(own, children) // 1024
