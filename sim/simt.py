"""SIMT mode: warps of threads that execute scalar instructions (Xoxw, Vortex's model).

The core starts as warp 0 with thread 0 active, which is the ordinary scalar core. While more
threads are active each instruction is executed once per active thread, on that thread's registers.
Warps take turns; within a turn one warp runs until it waits at a barrier.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from oxegg.costmodels.machine import Simt
from oxegg.sim.faults import StateFault

TURN = 8
"""Instructions after which another warp gets its turn, so that one that polls sees the others."""
LANE_BITS = 0x3F
U64 = (1 << 64) - 1
ONE_THREAD = 1


@dataclass
class Thread:
    """Registers of one thread."""

    x: list[int] = field(default_factory=lambda: [0] * 32)
    f: "array[int]" = field(default_factory=lambda: array("Q", [0] * 32))

    def load(self, x: list[int], f: "memoryview[int]") -> None:
        """Make these registers the ones that instructions work on."""
        x[:] = self.x
        f[:] = memoryview(self.f)

    def save(self, x: list[int], f: "memoryview[int]") -> None:
        """Keep the registers that instructions worked on."""
        self.x[:] = x
        self.f[:] = array("Q", f.tolist())


@dataclass
class Warp:
    """Threads with one program counter.

    ``stack`` holds what to do at joins: a mask, and the pc where those threads still have to start
    (None: all meet here). ``barrier`` is the (id, count) that the warp waits at.
    """

    number: int
    threads: list[Thread]
    pc: int = 0
    mask: int = 0
    stack: list[tuple[int, int | None]] = field(default_factory=list[tuple[int, int | None]])
    barrier: tuple[int, int] | None = None

    def active(self) -> Iterator[tuple[int, Thread]]:
        """Numbers and registers of the active threads, ascending."""
        return ((t, thread) for t, thread in enumerate(self.threads) if self.mask >> t & 1)

    @property
    def last(self) -> Thread:
        """The active thread with the highest number: it speaks for the warp."""
        return self.threads[self.mask.bit_length() - 1]


@dataclass
class SimtCore:
    """All warps of a core; ``thread`` is the number of the thread that executes just now."""

    machine: Simt
    warps: list[Warp] = field(init=False)
    current: int = 0
    thread: int = 0

    def __post_init__(self) -> None:
        self.warps = [
            Warp(number, [Thread() for _ in range(self.machine.threads)])
            for number in range(self.machine.warps)
        ]
        self.warps[0].mask = ONE_THREAD

    @property
    def warp(self) -> Warp:
        """The warp that executes just now."""
        return self.warps[self.current]

    @property
    def is_scalar(self) -> bool:
        """Whether only thread 0 of warp 0 is left, with nothing to join."""
        first = self.warps[0]
        others = any(warp.mask for warp in self.warps[1:])
        return first.mask == ONE_THREAD and not others and not first.stack

    @property
    def active_warps(self) -> int:
        """A bit for every warp with an active thread."""
        return sum(1 << warp.number for warp in self.warps if warp.mask)

    def next_warp(self) -> Warp:
        """Another warp that can run; raises ``StateFault`` when there is none."""
        count = len(self.warps)
        for step in range(1, count + 1):
            warp = self.warps[(self.current + step) % count]
            if warp.mask and warp.barrier is None:
                self.current = warp.number
                return warp
        waiting = [warp.number for warp in self.warps if warp.barrier is not None]
        if waiting:
            raise StateFault(f"warps {waiting} wait at a barrier that no other warp can reach")
        raise StateFault("no warp is active")

    def control(self, name: str, operands: "Operands", following: int) -> None:
        """Execute a SIMT instruction of the present warp, which goes on at ``following``."""
        self.warp.pc = following
        CONTROL[name](self, self.warp, operands)


Operands = Mapping[str, int]
Control = Callable[[SimtCore, Warp, Operands], None]


def _write(thread: Thread, operands: Operands, value: int) -> None:
    if operands["rd"]:
        thread.x[operands["rd"]] = value & U64


def _set_mask(core: SimtCore, warp: Warp, operands: Operands) -> None:
    warp.mask = warp.last.x[operands["rs1"]] & (1 << len(warp.threads)) - 1


def _spawn(core: SimtCore, warp: Warp, operands: Operands) -> None:
    count, pc = (warp.last.x[operands[name]] for name in ("rs1", "rs2"))
    for other in core.warps[: min(count, len(core.warps))]:
        if other is warp:
            continue
        if other.mask:
            raise StateFault(f"ox.wspawn: warp {other.number} is active")
        other.mask, other.pc = ONE_THREAD, pc


def _condition(warp: Warp, operands: Operands, negated: bool) -> int:
    """Mask of the active threads whose condition, bit 0 of rs1, holds."""
    wanted = int(not negated)
    return sum(1 << t for t, thread in warp.active() if thread.x[operands["rs1"]] & 1 == wanted)


def _split(negated: bool) -> Control:
    def split(core: SimtCore, warp: Warp, operands: Operands) -> None:
        depth = len(warp.stack)
        chosen = _condition(warp, operands, negated)
        rest = warp.mask & ~chosen
        for _, thread in warp.active():
            _write(thread, operands, depth)
        if not chosen or not rest:
            return
        if depth >= 2 * len(warp.threads):
            raise StateFault(f"more than {len(warp.threads)} splits without a join")
        first, second = (chosen, rest) if chosen.bit_count() >= rest.bit_count() else (rest, chosen)
        warp.stack += [(warp.mask, None), (second, warp.pc)]
        warp.mask = first

    return split


def _join(core: SimtCore, warp: Warp, operands: Operands) -> None:
    if warp.last.x[operands["rs1"]] == len(warp.stack):
        return
    if not warp.stack:
        raise StateFault("ox.join without ox.split")
    warp.mask, pc = warp.stack.pop()
    warp.pc = warp.pc if pc is None else pc


def _predicate(negated: bool) -> Control:
    def predicate(core: SimtCore, warp: Warp, operands: Operands) -> None:
        restored = warp.last.x[operands["rs2"]] & (1 << len(warp.threads)) - 1
        warp.mask = _condition(warp, operands, negated) or restored

    return predicate


def _barrier(core: SimtCore, warp: Warp, operands: Operands) -> None:
    number, count = (warp.last.x[operands[name]] for name in ("rs1", "rs2"))
    warp.barrier = number, count
    waiting = [w for w in core.warps if w.barrier is not None and w.barrier[0] == number]
    if len(waiting) >= count:
        for other in waiting:
            other.barrier = None


def _vote(decide: Callable[[int, int], int]) -> Control:
    def vote(core: SimtCore, warp: Warp, operands: Operands) -> None:
        result = decide(_condition(warp, operands, False), warp.mask)
        for _, thread in warp.active():
            _write(thread, operands, result)

    return vote


def _shuffle(source: Callable[[int, int, int], int]) -> Control:
    """``source`` gives the lane to read from, by lane, operand and segment mask."""

    def shuffle(core: SimtCore, warp: Warp, operands: Operands) -> None:
        values = [thread.x[operands["rs1"]] for thread in warp.threads]
        results: dict[int, int] = {}
        for lane, thread in warp.active():
            packed = thread.x[operands["rs2"]]
            step, clamp, segment = (packed >> shift & LANE_BITS for shift in (0, 6, 12))
            low = lane & segment
            high = low | clamp & ~segment
            wanted = source(lane, step, segment)
            inside = low <= wanted <= high and wanted < len(values)
            results[lane] = values[wanted if inside else lane]
        for lane, thread in warp.active():
            _write(thread, operands, results[lane])

    return shuffle


CONTROL: Mapping[str, Control] = {
    "ox.tmc": _set_mask, "ox.wspawn": _spawn,
    "ox.split": _split(False), "ox.split.n": _split(True), "ox.join": _join,
    "ox.pred": _predicate(False), "ox.pred.n": _predicate(True), "ox.bar": _barrier,
    "ox.vote.all": _vote(lambda votes, mask: int(votes == mask)),
    "ox.vote.any": _vote(lambda votes, mask: int(votes != 0)),
    "ox.vote.uni": _vote(lambda votes, mask: int(votes in (0, mask))),
    "ox.vote.ballot": _vote(lambda votes, mask: votes),
    "ox.shfl.up": _shuffle(lambda lane, step, segment: lane - step),
    "ox.shfl.down": _shuffle(lambda lane, step, segment: lane + step),
    "ox.shfl.bfly": _shuffle(lambda lane, step, segment: lane ^ step),
    "ox.shfl.idx": _shuffle(lambda lane, step, segment: lane & segment | step & ~segment),
}  # fmt: skip
