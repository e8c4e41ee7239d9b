"""How good inner loops are: initiation intervals beside proven bounds and simulated rounds.

    python docs/benchmarks/loops.py [--machine ox-card] [--suite suite] [--effort normal] [NAME ...]

Every row is compiled, its program recorded on the simulator. *Steady* is what a round of the loop's
kernel takes there most often, once the first rounds are over; loops of fewer rounds have none.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import oxegg
from oxegg.costmodels import load_machine
from oxegg.emit.backend import MachineCode
from oxegg.emit.program import Loop, loops
from oxegg.errors import OxeggError
from oxegg.frontend.suite import SuiteRow, load_suite
from oxegg.search import CompiledKernel
from oxegg.search.driver import timing_inputs
from oxegg.sim.memory import TEXT_BASE

FEWEST_ROUNDS = 6
SMALL_GAP = 0.03
QUEUE_DEPTH = 8  # rounds after which a full queue paces the core


@dataclass(frozen=True)
class Measured:
    """An inner loop: its interval, the bound, what a round takes, and the spills inside.

    ``ii`` is ``None`` for loops whose time depends on data, ``steady`` where too few rounds run.
    """

    kernel: str
    label: str
    method: str
    trips: int
    ii: Fraction | None
    bound: Fraction | None
    seconds: float
    steady: float | None
    spills: int

    @property
    def gap(self) -> float | None:
        return float(self.ii / self.bound) - 1 if self.ii and self.bound else None


def steady_rounds(compiled: CompiledKernel) -> dict[str, float]:
    """Cycles of a late round, by label of the loop: those of its slowest instruction."""
    best = compiled.search.best
    result = best.runner.call(timing_inputs(compiled.search.kernel), timing=True, record=True)
    recording = result.recording
    assert recording is not None
    starts: dict[int, list[int]] = {}
    for span in recording.spans:
        starts.setdefault(span.pc, []).append(span.start)
    ends = {p.target: p.pc for p in recording.instructions.values() if p.target is not None}
    found: dict[str, float] = {}
    for label, offset in best.code.labels.items():
        head = TEXT_BASE + offset
        inside = [t for pc, t in starts.items() if head <= pc <= ends.get(head, 0)]
        if inside and min(map(len, inside)) >= FEWEST_ROUNDS:
            slowest = max(_usual_distance(times) for times in inside)
            found[label] = slowest / recording.ticks_per_cycle
    return found


def _usual_distance(times: Sequence[int]) -> int:
    """Between successive ones, the first rounds left out."""
    late = times[min(len(times) // 2, QUEUE_DEPTH) :]
    ((ticks, _),) = Counter(b - a for a, b in itertools.pairwise(late)).most_common(1)
    return ticks


def spills_inside(loop: Loop) -> int:
    return sum(getattr(item, "note", "").startswith("spill") for item in loop.body)


def inner_loops(code: MachineCode) -> Iterator[Loop]:
    for loop in loops(code.program.body):
        if not any(isinstance(item, Loop) for item in loop.body):
            yield loop


def measure(row: SuiteRow, machine: str, effort: str) -> list[Measured]:
    """The inner loops of a row's program that run more than once; none if it is refused."""
    try:
        compiled = oxegg.compile(row.lower(), machine=machine, effort=effort, peers=())
    except OxeggError:
        return []
    code = compiled.search.best.code
    inner = {loop.label: loop for loop in inner_loops(code) if loop.trips > 1}
    steady = steady_rounds(compiled)
    found: list[Measured] = []
    for report in code.loops:
        if report.label in inner:
            plan = report.schedule
            found.append(
                Measured(
                    row.name,
                    report.label,
                    plan.method if plan else "list",
                    report.trips,
                    plan.ii if plan else None,
                    plan.bound if plan else None,
                    plan.seconds if plan else 0.0,
                    steady.get(report.label) if report.trips >= FEWEST_ROUNDS else None,
                    spills_inside(inner[report.label]),
                )
            )
    return found


def lines(measured: Sequence[Measured]) -> Iterator[str]:
    """A table of the loops that aren't optimal or run slower, and the totals."""
    yield "| loop | rounds | method | II | bound | gap | steady | seconds | spills |"
    yield "| --- | --: | --- | --: | --: | --: | --: | --: | --: |"
    for m in measured:
        if m.ii != m.bound or m.ii is None or m.spills or m.steady not in (None, m.ii):
            gap = "" if m.gap is None else f"{m.gap:.1%}"
            cells = (
                m.trips,
                m.method,
                m.ii or "-",
                m.bound or "-",
                gap,
                m.steady or "-",
                f"{m.seconds:.1f}",
                m.spills,
            )
            yield f"| {m.kernel} {m.label} | {' | '.join(map(str, cells))} |"
    yield f"\nAll inner loops: {_totals(measured)}."
    long = [m for m in measured if m.trips >= FEWEST_ROUNDS]
    yield f"Those of at least {FEWEST_ROUNDS} rounds: {_totals(long)}."


def _totals(measured: Sequence[Measured]) -> str:
    bounded = [m for m in measured if m.gap is not None]
    timed = [m for m in measured if m.ii and m.steady is not None]
    gaps = [gap for m in bounded if (gap := m.gap)]
    return (
        f"{len(measured)}, {sum(m.method != 'list' for m in measured)} software pipelines,"
        f" {sum(m.ii == m.bound for m in bounded)} at the proven optimum,"
        f" {sum(gap <= SMALL_GAP for gap in gaps)} more within {SMALL_GAP:.0%};"
        f" {sum(m.steady == m.ii for m in timed)} of {len(timed)} timed ones run at their interval;"
        f" {sum(m.spills > 0 for m in measured)} with spills inside"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="How good inner loops are.")
    parser.add_argument("--machine", default="ox-card")
    parser.add_argument("--suite", default="suite")
    parser.add_argument("--effort", default="normal")
    parser.add_argument("-j", "--jobs", type=int, default=2)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    load_machine(arguments.machine)
    rows = [
        r for r in load_suite(arguments.suite) if not arguments.names or r.name in arguments.names
    ]
    work = partial(measure, machine=arguments.machine, effort=arguments.effort)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.jobs, mp_context=context) as pool:
        measured = [one for found in pool.map(work, rows) for one in found]
    print("\n".join(lines(measured)))


if __name__ == "__main__":
    main()
