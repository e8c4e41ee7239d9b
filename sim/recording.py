"""What a recorded run did when: the input of profiles and timelines."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from oxegg.sim.blocks import Decoded

MAX_SPANS = 1_000_000
"""Instructions after which a timeline ends, so that a long run can't fill the memory."""


class Span(NamedTuple):
    """One instruction's way through the core, in ticks.

    ``issue``: the scalar core lets go of it; ``start`` to ``end``: its unit is occupied;
    ``result``: all of its result can be read. ``thread`` is "core", or the warp in SIMT mode.
    """

    pc: int
    unit: str
    issue: int
    start: int
    end: int
    result: int
    thread: str = "core"

    def moved(self, ticks: int) -> "Span":
        """The same ``ticks`` later."""
        return self._replace(
            issue=self.issue + ticks,
            start=self.start + ticks,
            end=self.end + ticks,
            result=self.result + ticks,
        )


@dataclass(frozen=True)
class SimtTime:
    """Ticks of a stretch of SIMT mode, and where they went; ``issue`` is by pc."""

    ticks: int
    busy: Mapping[str, int]
    stalls: Mapping[str, int]
    issue: Mapping[int, int]
    spans: tuple[Span, ...]
    instructions: tuple[Decoded, ...]
    """The instructions of ``spans``."""


class Stall(NamedTuple):
    """Ticks in which the core issued nothing, and why."""

    pc: int
    start: int
    end: int
    cause: str


@dataclass(frozen=True)
class InstructionProfile:
    """One instruction of the program over the whole run; times in cycles.

    ``cycles`` passed between the issue of the instruction before and of this one; ``stalls`` of
    them, by cause, without any issue.
    """

    pc: int
    text: str
    unit: str
    count: int
    cycles: float
    stalls: Mapping[str, float]
    target: int | None = None
    """Of a backward branch: the address that it jumps to, the head of a loop."""


@dataclass(frozen=True)
class Recording:
    """A recorded run: profile by instruction, timeline (``complete`` unless it was cut off)."""

    instructions: Mapping[int, InstructionProfile]
    spans: tuple[Span, ...]
    stalls: tuple[Stall, ...]
    complete: bool
    ticks_per_cycle: int
