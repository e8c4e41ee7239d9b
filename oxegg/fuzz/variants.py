"""Compiling a kernel in more ways than the search would pick: any program, any nest."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import prod

from oxegg.certificate.computable import computable
from oxegg.certificate.terms import Terms
from oxegg.costmodels import Machine
from oxegg.egraph.saturate import Limits
from oxegg.emit.backend import generate
from oxegg.emit.fusion import fuse, ranges, shared_axes
from oxegg.emit.lowering.program import lower, scratch_layout, with_staging
from oxegg.emit.nest import Nest
from oxegg.emit.program import operations
from oxegg.emit.stages import Stage
from oxegg.emit.streaming import stream
from oxegg.errors import EmitError, IRError
from oxegg.ir import Kernel, Term
from oxegg.search import fused, nests, programs
from oxegg.search.choose import Choice
from oxegg.search.driver import runner_for
from oxegg.search.extracted import computed_terms
from oxegg.search.measure import Runner, place_of
from oxegg.search.programs import Candidate
from oxegg.search.saturation import allowed_rules, prepare

# What a nest may be refused for; the search tries another one then.
REFUSED_NESTS = ("register", "would have to end inside itself", "too long to try")
MOST_COPIES = 12
FUSED = 0.5  # of the programs run block by block, where they can
LONGEST = 250  # instructions of a program: scheduling and allocation take their time
LIMITS = Limits(algebra_iterations=3, rows=8000, seconds=8.0)


@dataclass(frozen=True)
class Variant:
    """One way to compile a kernel."""

    runner: Runner
    label: str
    nests: tuple[Nest, ...]
    choice: Choice

    @property
    def computed(self) -> list[Term]:
        """The results as the chosen instructions compute them; none of what a kernel can't say."""
        with suppress(IRError):
            return computable(computed_terms(self.choice.graph, self.choice.nodes, Terms()))
        return []

    def __str__(self) -> str:
        return f"{self.label}: {'; '.join(map(str, self.nests))}"


def variants(
    kernel: Kernel, machine: Machine, mode: str, rng: random.Random, wanted: int
) -> Iterator[Variant]:
    """Up to ``wanted`` random (program, nests) pairs of a kernel, at least one; a streamed one.

    Raises ``LoweringError`` where no program was found, ``EmitError`` where none can be emitted.
    """
    prepared = prepare(kernel, allowed_rules(mode), LIMITS)
    found = programs.candidates(prepared.graph, machine, "dag")
    made = 0
    for _ in range(3 * wanted):
        candidate = rng.choice(found)
        if rng.random() < FUSED:
            candidate = fused.within(candidate, machine, 0)
        plan = tuple(_nest(stage, machine, rng) for stage in candidate.stages)
        try:
            yield compiled(kernel, candidate, plan, machine, mode)
        except EmitError as error:
            if not any(reason in str(error) for reason in REFUSED_NESTS):
                raise
            continue
        made += 1
        if made == wanted:
            break
    if not made:
        yield _simplest(kernel, found, machine, mode)
    if machine.dma is not None:
        yield from _streamed(kernel, rng.choice(found), machine, mode, rng)


def _streamed(
    kernel: Kernel, candidate: Candidate, machine: Machine, mode: str, rng: random.Random
) -> Iterator[Variant]:
    """A program whose operands DMA brings in blocks of any size, from DRAM; none where it can't."""
    runs = list(ranges(candidate.stages))
    if not runs:
        return
    first, last = rng.choice(runs)
    axes = [axis for axis in shared_axes(candidate.stages[first:last]) if axis.size > 1]
    if not axes:
        return
    chosen = rng.sample(axes, rng.randint(1, min(2, len(axes))))
    blocks = tuple((axis, rng.randrange(1, axis.size)) for axis in chosen)
    try:
        program, stages = fuse(candidate.program, candidate.stages, first, last, blocks)
        program, stages = stream(program, stages)
        streamed = replace(candidate, label="streamed", stages=tuple(stages), changed=program)
        plan = tuple(_nest(stage, machine, rng) for stage in stages)
        variant = compiled(kernel, streamed, plan, machine, mode, place="dram")
    except EmitError:  # what is no row of bytes isn't streamed
        return
    if scratch_layout(variant.runner.program)[1] <= machine.spm_bytes:
        yield variant


def _simplest(kernel: Kernel, found: Sequence[Candidate], machine: Machine, mode: str) -> Variant:
    """The first program that plain loops can run, a long one if need be."""
    plans = [tuple(nests.generic_nest(stage, machine) for stage in c.stages) for c in found]
    for longest in (LONGEST, sys.maxsize):
        for candidate, plan in zip(found, plans, strict=True):
            with suppress(EmitError):
                return compiled(kernel, candidate, plan, machine, mode, longest)
    return compiled(kernel, found[0], plans[0], machine, mode, sys.maxsize)


def compiled(
    kernel: Kernel,
    candidate: Candidate,
    plan: tuple[Nest, ...],
    machine: Machine,
    mode: str,
    longest: int = LONGEST,
    place: str = "auto",
) -> Variant:
    stages = list(zip(candidate.stages, plan, strict=True))
    physical = with_staging(candidate.program, stages, machine)
    program = lower(physical, stages, machine, exact=mode == "exact")
    if sum(1 for _ in operations(program.body)) > longest:
        raise EmitError("needs a gentler nest: too long to try")
    code = generate(program, machine)
    runner = runner_for(kernel, physical, code, machine, place_of(kernel, machine, place))
    return Variant(runner, candidate.label, plan, candidate.choice)


def _nest(stage: Stage, machine: Machine, rng: random.Random) -> Nest:
    """A nest that the search could pick, or one that it wouldn't."""
    options = nests.enumerate_nests(stage, machine, budget=100)
    small = [n for n in options if prod(copies for _, copies in n.unroll) <= MOST_COPIES]
    nest = rng.choice(small or [nests.generic_nest(stage, machine)])
    if rng.random() < 0.6:
        return nest
    order = list(stage.axes)
    rng.shuffle(order)
    unroll = tuple((a, rng.choice((1, 2, 3, 4))) for a in order if rng.random() < 0.5)
    return replace(
        nest,
        order=tuple(order),
        unroll=tuple((a, min(n, a.size)) for a, n in unroll),
        accumulators=rng.choice((1, 2, 3)),
    )
