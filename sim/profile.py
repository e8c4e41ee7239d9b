"""Where the cycles went: by loop, by unit, by what the core waited for."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oxegg.sim.recording import InstructionProfile, Recording


@dataclass(frozen=True)
class LoopProfile:
    """A loop without the loops inside it, or what lies in no loop (``rounds`` is None).

    ``start`` and ``end`` are the addresses of its first and last instruction, ``depth`` counts the
    loops around it. ``units``: instructions executed per unit; ``stalls``: cycles by cause.
    """

    name: str
    start: int
    end: int
    depth: int
    rounds: int | None
    instructions: int
    cycles: float
    units: Mapping[str, int]
    stalls: Mapping[str, float]

    def to_json(self) -> dict[str, object]:
        """The fields of ``oxegg sim --profile --json``."""
        return {
            "loop": self.name,
            "start": self.start,
            "end": self.end,
            "depth": self.depth,
            "rounds": self.rounds,
            "instructions": self.instructions,
            "cycles": self.cycles,
            "units": dict(self.units),
            "stalls": dict(self.stalls),
        }


def loop_profiles(recording: Recording, symbols: Mapping[str, int]) -> list[LoopProfile]:
    """Profiles of all loops that ran, the costliest first; every instruction counts once."""
    executed = [one for one in recording.instructions.values() if one.count]
    heads = _loops(executed)
    members: dict[tuple[int, int] | None, list[InstructionProfile]] = {}
    for one in executed:
        around = [loop for loop in heads if loop[0] <= one.pc <= loop[1]]
        members.setdefault(min(around, key=_length, default=None), []).append(one)
    profiles = [_profile(loop, parts, heads, symbols) for loop, parts in members.items()]
    return sorted(profiles, key=lambda profile: -profile.cycles)


def _loops(executed: Sequence[InstructionProfile]) -> dict[tuple[int, int], int]:
    """Address ranges of loops, and the executions of the branches that close them.

    Branches to one head close one loop: it reaches to the last of them.
    """
    ends: dict[int, int] = {}
    rounds: Counter[int] = Counter()
    for one in executed:
        if one.target is not None:
            ends[one.target] = max(ends.get(one.target, 0), one.pc)
            rounds[one.target] += one.count
    return {(head, end): rounds[head] for head, end in ends.items()}


def _length(loop: tuple[int, int]) -> int:
    return loop[1] - loop[0]


def _profile(
    loop: tuple[int, int] | None,
    parts: Sequence[InstructionProfile],
    loops: Mapping[tuple[int, int], int],
    symbols: Mapping[str, int],
) -> LoopProfile:
    units: Counter[str] = Counter()
    stalls: dict[str, float] = {}
    for one in parts:
        units[one.unit] += one.count
        for cause, cycles in one.stalls.items():
            stalls[cause] = stalls.get(cause, 0.0) + cycles
    start, end = loop or (min(one.pc for one in parts), max(one.pc for one in parts))
    outer = [other for other in loops if other[0] <= start and end <= other[1] and other != loop]
    return LoopProfile(
        name=location(start, symbols) if loop else "outside loops",
        start=start,
        end=end,
        depth=len(outer) if loop else 0,
        rounds=loops[loop] if loop else None,
        instructions=sum(one.count for one in parts),
        cycles=sum(one.cycles for one in parts),
        units=dict(units.most_common()),
        stalls=dict(sorted(stalls.items(), key=lambda stall: -stall[1])),
    )


def location(address: int, symbols: Mapping[str, int]) -> str:
    """``function+offset`` of an address, or the address where no symbol lies before it."""
    before = [(value, name) for name, value in symbols.items() if value <= address and name]
    if not before:
        return f"{address:#x}"
    value, name = max(before)
    return name if value == address else f"{name}+{address - value:#x}"
