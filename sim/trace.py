"""Timelines of a run: for Perfetto (Chrome's trace format) and for Konata (Kanata 0004)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from oxegg.sim.recording import Recording, Span

PROCESS = 1
ISSUE_TRACK = 1
STAGES = ("Q", "X", "R")
"""Konata stages: waits for its unit; occupies it; the result is under way."""


def chrome_trace(recording: Recording, *, program: str, clock_ghz: float) -> dict[str, Any]:
    """The JSON object that Perfetto and chrome://tracing open: one track per unit.

    Times are microseconds of the simulated machine. A unit with several copies gets several tracks.
    """
    scale = 1 / (recording.ticks_per_cycle * clock_ghz * 1000)
    tracks: dict[tuple[str, int], int] = {}
    events: list[dict[str, Any]] = []
    free: dict[tuple[str, int], int] = {}
    for span in sorted(recording.spans, key=lambda span: span.start):
        name = span.unit if span.thread == "core" else f"{span.thread} {span.unit}"
        copy = next(n for n in range(len(free) + 1) if free.get((name, n), 0) <= span.start)
        free[name, copy] = span.end
        track = tracks.setdefault((name, copy), len(tracks) + ISSUE_TRACK + 1)
        one = recording.instructions[span.pc]
        arguments = {"pc": f"{span.pc:#x}", "issued": span.issue / recording.ticks_per_cycle,
                     "result": span.result / recording.ticks_per_cycle}  # fmt: skip
        events.append(_slice(one.text, track, span.start, span.end, scale, arguments))
    for stall in recording.stalls:
        arguments = {"before": f"{stall.pc:#x}"}
        events.append(
            _slice(f"stall: {stall.cause}", ISSUE_TRACK, stall.start, stall.end, scale, arguments)
        )
    names = {"issue": ISSUE_TRACK} | {
        f"{name} {copy + 1}" if (name, 1) in tracks else name: track
        for (name, copy), track in tracks.items()
    }
    return {
        "displayTimeUnit": "ns",
        "traceEvents": [_name("process_name", 0, program), *_names(names), *events],
        "otherData": {"complete": recording.complete},
    }


def _slice(
    name: str, track: int, start: int, end: int, scale: float, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "name": name, "ph": "X", "pid": PROCESS, "tid": track,
        "ts": start * scale, "dur": (end - start) * scale, "args": dict(arguments),
    }  # fmt: skip


def _name(kind: str, track: int, name: str) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": PROCESS, "tid": track, "args": {"name": name}}


def _names(tracks: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    return (_name("thread_name", track, name) for name, track in tracks.items())


def konata(recording: Recording) -> str:
    """The text that Konata opens: one row per executed instruction, in the order of issue."""
    spans = sorted(recording.spans, key=lambda span: span.issue)
    commands: list[tuple[int, int, str]] = []
    threads = {name: number for number, name in enumerate(sorted({s.thread for s in spans}))}
    for number, span in enumerate(spans):
        one = recording.instructions[span.pc]
        times = _cycles(span, recording.ticks_per_cycle)
        issue, start, end, result = times
        commands += [
            (issue, number, f"I\t{number}\t{number}\t{threads[span.thread]}"),
            (issue, number, f"L\t{number}\t0\t{span.pc:x}: {one.text}"),
            (issue, number, f"L\t{number}\t1\tunit {span.unit}"),
            (issue, number, f"S\t{number}\t0\t{STAGES[0]}"),
            (start, number, f"S\t{number}\t0\t{STAGES[1]}"),
            (end, number, f"S\t{number}\t0\t{STAGES[2]}"),
            (result, number, f"R\t{number}\t{number}\t0"),
        ]
    # Commands of one cycle stay in the order of their stages.
    commands.sort(key=lambda command: command[0])
    return "\n".join(["Kanata\t0004", "C=\t0", *_timed(commands)]) + "\n"


def _cycles(span: Span, ticks: int) -> tuple[int, int, int, int]:
    """Whole cycles of issue, start, end and result, each at least the one before."""
    issue, start = span.issue // ticks, span.start // ticks
    end = max(start + 1, -(-span.end // ticks))
    return issue, max(issue, start), end, max(end, -(-span.result // ticks))


def _timed(commands: Iterable[tuple[int, int, str]]) -> Iterator[str]:
    now = 0
    for cycle, _, text in commands:
        if cycle > now:
            yield f"C\t{cycle - now}"
            now = cycle
        yield text
