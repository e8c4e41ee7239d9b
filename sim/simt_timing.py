"""The time of a stretch of SIMT mode: warps that compete for one issue slot per cycle.

The trace of what each warp issued is played back greedy-then-oldest: a warp goes on until its next
instruction has to wait for an operand, a unit, a barrier or its own control instruction; then the
oldest warp that can issue takes over (ISA manual, "Xoxw").
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from oxegg.costmodels import Machine, timing
from oxegg.sim.blocks import Decoded
from oxegg.sim.memory import DRAM_BASE, LINE_SHIFT, SPM_BASE
from oxegg.sim.plans import TICKS, Costs, scalar_registers
from oxegg.sim.recording import SimtTime, Span
from oxegg.sim.simt_run import Issued

BANK_SHIFT = 3
CONTROL = frozenset({"simt_control", "simt_spawn"})
JUMPS = frozenset({"branch", "jump"})


class Candidate(NamedTuple):
    """When a warp's next instruction could issue, and what it waits for until then."""

    tick: int
    cause: str


@dataclass
class PlayedWarp:
    """One warp's instructions, and when its registers and its next instruction are ready."""

    instructions: list[Issued] = field(default_factory=list[Issued])
    position: int = 0
    ready: dict[int, int] = field(default_factory=dict[int, int])
    resumes: int = 0
    barrier: int | None = None

    @property
    def next(self) -> Issued | None:
        """What it issues next; None at a barrier and at its end."""
        if self.barrier is not None or self.position >= len(self.instructions):
            return None
        return self.instructions[self.position]


def time_simt(machine: Machine, costs: Costs, issued: Sequence[Issued]) -> SimtTime:
    """Time ``issued``, the instructions of all warps in the order of their execution."""
    warps: dict[int, PlayedWarp] = {}
    for one in issued:
        warps.setdefault(one.warp, PlayedWarp()).instructions.append(one)
    spawn = timing(machine, "ox.wspawn").latency * TICKS
    for number, warp in warps.items():
        warp.resumes = spawn if number else 0
    return Playback(machine, costs, warps).run()


@dataclass
class Playback:
    """The clock, the units and the warps; times in ticks."""

    machine: Machine
    costs: Costs
    warps: dict[int, PlayedWarp]
    now: int = 0
    channel: int = 0
    units: Counter[str] = field(default_factory=Counter[str])
    busy: Counter[str] = field(default_factory=Counter[str])
    stalls: Counter[str] = field(default_factory=Counter[str])
    issue: Counter[int] = field(default_factory=Counter[int])
    spans: list[Span] = field(default_factory=list[Span])
    played: list[Decoded] = field(default_factory=list[Decoded])

    def run(self) -> SimtTime:
        """Play everything back."""
        current = 0
        while True:
            candidates = {n: self._candidate(w, one) for n, w in self.warps.items()
                          if (one := w.next) is not None}  # fmt: skip
            if not candidates:
                break
            # Greedy: the same warp while no other could issue earlier; then the oldest.
            best = min(candidates, key=lambda n: (candidates[n].tick, n != current, n))
            tick, cause = candidates[best]
            if tick > self.now:
                self.stalls[cause] += tick - self.now
            one = self._issue(self.warps[best], tick)
            self.issue[one.decoded.pc] += tick + TICKS - self.now
            self.now, current = tick + TICKS, best
        ready = [tick for warp in self.warps.values() for tick in warp.ready.values()]
        end = max([self.now, self.channel, *self.units.values(), *ready])
        return SimtTime(
            end, self.busy, self.stalls, self.issue, tuple(self.spans), tuple(self.played)
        )

    def _candidate(self, warp: PlayedWarp, one: Issued) -> Candidate:
        reads = scalar_registers(one.decoded, reads=True)
        operands = max((warp.ready.get(register, 0) for register in reads), default=0)
        unit = self.units[timing(self.machine, one.decoded.record.name).unit]
        latest = max(
            (Candidate(warp.resumes, "warp"), Candidate(operands, "operand"),
             Candidate(unit, "unit")),
            key=lambda candidate: candidate.tick,
        )  # fmt: skip
        return Candidate(max(self.now, latest.tick), latest.cause)

    def _issue(self, warp: PlayedWarp, tick: int) -> Issued:
        one = warp.instructions[warp.position]
        record = one.decoded.record
        unit = timing(self.machine, record.name).unit
        occupancy, latency = self._times(one, tick)
        self.units[unit] = tick + occupancy
        self.busy[unit] += occupancy
        self.played.append(one.decoded)
        self.spans.append(
            Span(one.decoded.pc, unit, tick, tick, tick + occupancy, tick + latency,
                 f"warp {one.warp}")
        )  # fmt: skip
        for register in scalar_registers(one.decoded, reads=False):
            warp.ready[register] = tick + latency
        warp.position += 1
        warp.resumes = tick + TICKS
        if record.timing in CONTROL:
            warp.resumes = tick + latency
        elif record.timing in JUMPS:
            warp.resumes += self.costs.taken
        if record.timing == "simt_spawn":
            for other in self.warps.values():
                if other.position == 0:
                    other.resumes = tick + latency
        if one.barrier is not None:
            self._arrive(warp, one.barrier, tick + latency)
        return one

    def _times(self, one: Issued, tick: int) -> tuple[int, int]:
        """Ticks of the unit, and to the result of the last thread."""
        cost = timing(self.machine, one.decoded.record.name)
        if one.decoded.record.extension == "Xoxw":
            return cost.occupancy * TICKS, cost.latency * TICKS
        if not one.accesses:
            threads = self.machine.simt.threads if self.machine.simt else 1
            rounds = -(-threads // self.machine.lanes(32)) * cost.occupancy
            return rounds * TICKS, (rounds - cost.occupancy + cost.latency) * TICKS
        requests = self._requests(one)
        latency = (requests - 1 + cost.latency) * TICKS
        if one.new_lines:
            self.channel = max(self.channel, tick) + one.new_lines * self.costs.line
            self.busy["DRAM"] += one.new_lines * self.costs.line
            latency = max(latency, self.channel + self.costs.dram_latency - tick)
        return requests * TICKS, latency

    def _requests(self, one: Issued) -> int:
        """Scratchpad: as many words as meet in one of its banks; elsewhere one per line."""
        if all(SPM_BASE <= address < DRAM_BASE for address, _ in one.accesses):
            words = {address >> BANK_SHIFT for address, _ in one.accesses}
            return max(Counter(word % self.machine.spm.banks for word in words).values())
        return len({address >> LINE_SHIFT for address, _ in one.accesses})

    def _arrive(self, warp: PlayedWarp, barrier: tuple[int, int], tick: int) -> None:
        """The last warp to arrive lets all go on."""
        number, count = barrier
        warp.barrier, warp.resumes = number, tick
        waiting = [other for other in self.warps.values() if other.barrier == number]
        if len(waiting) >= count:
            latest = max(other.resumes for other in waiting)
            for other in waiting:
                other.barrier, other.resumes = None, latest
