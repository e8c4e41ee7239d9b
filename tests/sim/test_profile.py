"""Profiles add up, and timelines are well formed: no overlap on a track, stages in order."""

from collections import defaultdict
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from oxegg.costmodels import load_machine
from oxegg.isa import VType
from oxegg.sim import ElfResult, run_elf
from oxegg.sim.memory import NEAR_MEMORY_BASE
from oxegg.sim.profile import location, loop_profiles
from oxegg.sim.recording import Recording
from oxegg.sim.trace import chrome_trace, konata
from tests.sim.programs import DATA, TEXT, Line, assemble, constant, write_elf

EDGE = load_machine("ox-edge")
SPM = 0x0800_0000
# Two nested loops, 10 x 20 rounds, with a vector load in the inner one; then exit(0).
PROGRAM: list[Line] = [
    *constant(10, SPM), ("vsetivli", 0, 8, VType(32, Fraction(1)).encode()), ("addi", 5, 0, 10),
    ("addi", 6, 0, 20),
    ("vle32.v", 8, 10), ("vadd.vv", 8, 8, 8), ("mul", 7, 7, 7), ("addi", 6, 6, -1),
    ("bne", 6, 0, -16),
    ("addi", 5, 5, -1), ("bne", 5, 0, -28),
    ("addi", 10, 0, 0), ("addi", 17, 0, 93), ("ecall",),
]  # fmt: skip
OUTER, INNER = TEXT + 16, TEXT + 20
SIMT_PROGRAM: list[Line] = [
    ("addi", 5, 0, 255), ("ox.tmc", 5), ("addi", 6, 0, 1), ("addi", 6, 6, 1), ("addi", 5, 0, 1),
    ("ox.tmc", 5), ("addi", 10, 0, 0), ("addi", 17, 0, 93), ("ecall",),
]  # fmt: skip


def run(lines: list[Line], folder: Path) -> ElfResult:
    path = folder / "program.elf"
    write_elf(path, assemble(lines), b"", 4096)
    return run_elf(path, EDGE, record=True)


def recording_of(result: ElfResult) -> Recording:
    assert result.recording is not None
    return result.recording


def test_profile_by_loop_adds_up(tmp_path: Path):
    result = run(PROGRAM, tmp_path)
    loops = loop_profiles(recording_of(result), {"main": TEXT})
    by_name = {loop.name: loop for loop in loops}
    assert set(by_name) == {"main+0x14", "main+0x10", "outside loops"}
    inner, outer = by_name["main+0x14"], by_name["main+0x10"]
    assert (inner.rounds, inner.instructions, inner.depth) == (200, 1000, 1)
    assert (outer.rounds, outer.instructions, outer.depth) == (10, 30, 0)
    assert inner.units == {"ALU": 200, "BRU": 200, "MUL": 200, "VA": 200, "VL": 200}
    # The call that ends the program takes no time.
    assert sum(loop.instructions for loop in loops) == result.instructions - 1
    assert result.cycles is not None
    total = sum(loop.cycles for loop in loops)
    assert 0.9 * result.cycles < total <= result.cycles
    assert loops == sorted(loops, key=lambda loop: -loop.cycles)
    for loop in loops:
        assert sum(loop.stalls.values()) <= loop.cycles


def test_stalls_by_instruction_are_the_stalls_of_the_run(tmp_path: Path):
    result = run(PROGRAM, tmp_path)
    totals: defaultdict[str, float] = defaultdict(float)
    for one in recording_of(result).instructions.values():
        for cause, cycles in one.stalls.items():
            totals[cause] += cycles
    assert dict(totals) == pytest.approx(dict(result.stalls))


def test_names_of_places():
    symbols = {"main": 100, "loop": 120, "": 119}
    assert [location(a, symbols) for a in (99, 100, 119, 123)] == [
        "0x63", "main", "main+0x13", "loop+0x3"
    ]  # fmt: skip


@pytest.mark.parametrize("lines", [PROGRAM, SIMT_PROGRAM])
def test_perfetto_timeline(lines: list[Line], tmp_path: Path):
    result = run(lines, tmp_path)
    recording = recording_of(result)
    trace = chrome_trace(recording, program="p", clock_ghz=EDGE.clock_ghz)
    assert trace["otherData"] == {"complete": True}
    slices = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    work = [event for event in slices if not event["name"].startswith("stall")]
    assert len(work) == len(recording.spans)
    named = {e["tid"] for e in trace["traceEvents"] if e["name"] == "thread_name"}
    tracks: defaultdict[int, list[tuple[float, float]]] = defaultdict(list)
    for event in slices:
        assert event["tid"] in named
        tracks[event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    assert result.cycles is not None
    end = result.cycles / (EDGE.clock_ghz * 1000)
    for spans in tracks.values():
        spans.sort()
        for (_, stop), (start, _) in pairwise(spans):
            assert stop <= start + 1e-9
        assert spans[-1][1] <= end + 1e-9


@pytest.mark.parametrize("lines", [PROGRAM, SIMT_PROGRAM])
def test_konata_timeline(lines: list[Line], tmp_path: Path):
    recording = recording_of(run(lines, tmp_path))
    first, start, *commands = konata(recording).splitlines()
    assert (first, start) == ("Kanata\t0004", "C=\t0")
    stages: defaultdict[str, list[str]] = defaultdict(list)
    for command in commands:
        kind, *fields = command.split("\t")
        if kind == "C":
            assert int(fields[0]) > 0
        else:
            stages[fields[0]].append(kind + (fields[2] if kind == "S" else ""))
    assert len(stages) == len(recording.spans)
    assert all(order == ["I", "L", "L", "SQ", "SX", "SR", "R"] for order in stages.values())


def test_a_timeline_of_a_long_run_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("oxegg.sim.clock.MAX_SPANS", 100)
    recording = recording_of(run(PROGRAM, tmp_path))
    assert not recording.complete
    assert 100 <= len(recording.spans) < 200
    # The profile still covers everything.
    assert recording.instructions[INNER].count == 200


def test_programs_reach_the_scratchpad_and_the_banks(tmp_path: Path):
    lines: list[Line] = [
        *constant(5, SPM), *constant(6, NEAR_MEMORY_BASE), *constant(28, DATA),
        ("sd", 5, 0, 5), ("sd", 5, 0, 6), ("ld", 10, 0, 6), ("sub", 10, 10, 5),
        ("addi", 17, 0, 93), ("ecall",),
    ]  # fmt: skip
    assert run(lines, tmp_path).exit_code == 0
