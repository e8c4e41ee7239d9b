"""From a hand-written file to the same file with scheduled, proven and simulated loops."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from oxegg.costmodels import Machine
from oxegg.emit.modulo.body import body_of
from oxegg.emit.modulo.bounds import lower_bound
from oxegg.emit.modulo.graph import one_stage
from oxegg.emit.modulo.synthesize import WORK_PER_SECOND, Effort, Found, modulo_schedule
from oxegg.emit.source.flow import nodes
from oxegg.emit.source.loops import SourceLoop, inner_loops, loop_at
from oxegg.emit.source.pipelines import SourcePipeline, pipeline_loop, rules_for
from oxegg.emit.source.proof import prove
from oxegg.emit.source.statements import Source, read_source
from oxegg.emit.source.trial import Trial, simulate
from oxegg.emit.source.writer import rewritten
from oxegg.errors import UsageError


@dataclass(frozen=True)
class SourceFile:
    """A parsed file and the loops in it that were asked for."""

    source: Source
    loops: tuple[SourceLoop, ...]


@dataclass(frozen=True)
class Scheduled:
    """A loop's pipeline with its evidence.

    ``bare`` is the schedule in which the branch and its counter are free, as schedulers that leave
    loop control to others count; ``proven`` trip counts agreed symbolically; ``trial`` is ``None``
    when the loop can't be simulated by itself.
    """

    pipeline: SourcePipeline
    bare: Found | None
    proven: int
    trial: Trial | None
    assumptions: tuple[str, ...]

    def row(self) -> dict[str, object]:
        """The row of the report."""
        found = self.pipeline.found
        trial = self.trial
        return {
            "label": self.pipeline.loop.label,
            "instructions": len(self.pipeline.loop.operations),
            "ii": _number(found.cycles),
            "bound": _number(found.bound),
            "status": found.status,
            "limit": found.parts.limit,
            "stages": found.schedule.stages,
            "seconds": round(found.seconds, 3),
            "method": found.method,
            "ii_without_control": _number(self.bare.cycles) if self.bare else None,
            "bound_without_control": _number(self.bare.bound) if self.bare else None,
            "cycles_before": trial.before if trial else None,
            "cycles_after": trial.after if trial else None,
            "proven_trip_counts": self.proven,
            "simulated_runs": trial.runs if trial else 0,
            "assumptions": list(self.assumptions),
        }


def _number(cycles: Fraction) -> int | float:
    return cycles.numerator if cycles.denominator == 1 else float(cycles)


def read_loops(text: str, file: str, machine: Machine, label: str | None) -> SourceFile:
    """The loop named ``label`` of a file, or all inner loops.

    Raises ``UsageError`` when there is none, ``EmitError`` for a loop that can't be scheduled.
    """
    source = read_source(text, file)
    found = nodes(source, machine.vlen)
    inner = {name: (start, end) for name, start, end in inner_loops(found)}
    numbered = {name.partition("@")[0]: name for name in inner}
    label = numbered.get(label, label) if label is not None else None
    if not inner:
        raise UsageError(
            "there is no inner loop in this file",
            where=file,
            hint="a loop is a label, instructions, and a conditional branch back to the label",
        )
    if label is not None and label not in inner:
        raise UsageError(
            f"there is no inner loop {label}", where=file, hint="its loops: " + ", ".join(inner)
        )
    chosen = inner if label is None else {label: inner[label]}
    return SourceFile(source, tuple(loop_at(found, name, *span) for name, span in chosen.items()))


def schedule_source(
    loop: SourceLoop, machine: Machine, *, seconds: float, disjoint_bases: bool
) -> Scheduled:
    """The best pipeline of a loop that ``seconds`` allow, proven and simulated."""
    effort = Effort(WORK_PER_SECOND * seconds)
    pipeline = pipeline_loop(loop, machine, effort, disjoint_bases=disjoint_bases)
    proven = prove(pipeline, machine.vlen)
    trial = simulate(pipeline, machine)
    bare = _bare(pipeline, machine, effort, disjoint_bases)
    return Scheduled(pipeline, bare, proven, trial, tuple(_assumptions(pipeline, disjoint_bases)))


def _bare(
    pipeline: SourcePipeline, machine: Machine, effort: Effort, disjoint_bases: bool
) -> Found | None:
    """The schedule with free loop control, by cycles and pressure alone: it is never emitted."""
    rules = rules_for(pipeline.loop, disjoint_bases, bare=True)
    graph = body_of(pipeline.loop.operations, machine, rules).graph
    if pipeline.control is None:
        graph = one_stage(graph)
    graph = replace(graph, free=rules.control)
    if lower_bound(graph).cycles == pipeline.found.cycles:
        return pipeline.found  # what was found is optimal without control, too
    return modulo_schedule(graph, effort, lambda _graph, _schedule: True)


def _assumptions(pipeline: SourcePipeline, disjoint_bases: bool) -> list[str]:
    found: list[str] = []
    bases = {
        affine.register
        for index in range(len(pipeline.body.operations))
        if (affine := pipeline.body.values.pointer(index)) is not None
        and pipeline.body.operations[index].memory is None
    }
    if disjoint_bases and len(bases) > 1:
        found.append("accesses through different base registers don't overlap")
    if pipeline.loop.open_end:
        found.append("behind the file's end nobody reads what the loop only writes")
    if any(op.state is not None for op in pipeline.body.operations):
        found.append("vtype and vl are as the vset instructions of the file say, in text order")
    return found


def text_of(source: SourceFile, scheduled: Sequence[Scheduled]) -> str:
    """The file with its new loops."""
    return rewritten(source.source.lines, [one.pipeline for one in scheduled])
