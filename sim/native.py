"""The native tier: hot regions of guest code as machine code of the host.

The Python tier counts how often it executes each block under each vector configuration. A block
that has cost enough time to pay for a compilation becomes the seed of a region: the blocks executed
so far that are connected with it. Compiled regions are kept for later runs of the same code.
"""

import ctypes
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from oxegg.sim.blocks import Block, Decoded
from oxegg.sim.clock import Clock
from oxegg.sim.events import Event
from oxegg.sim.ieee import NEAREST_EVEN
from oxegg.sim.memory import LINE_SHIFT
from oxegg.sim.native_clock import Transitions
from oxegg.sim.native_library import Compiled, compile_region, find_compiled
from oxegg.sim.native_llvm import QUICK, Function
from oxegg.sim.native_runtime import FIELDS, WORD, MemoryTables, Words, memory_tables
from oxegg.sim.native_selection import connected
from oxegg.sim.region import REDO, UNTIMED, Config, Node, Region, Target
from oxegg.sim.state import Mode, Operations, State
from oxegg.sim.vector_groups import scalar_sources

SCALAR_MICROSECONDS, VECTOR_MICROSECONDS = 0.25, 8.0
"""What an instruction costs in the Python tier, roughly."""
HOT_MICROSECONDS = 4000.0
"""Time spent on a block in the Python tier after which it is worth compiling."""
HOT_SECONDS = 0.1
"""Time spent in a region after which better code pays."""
SLICE = 4_000_000
"""Instructions after which native code returns, to hear signals and to change to better code."""
SAFETY = 1 << 16
"""Instructions before the limit at which the Python tier takes over, to stop exactly there."""
NEVER = 1 << 62
U64 = (1 << 64) - 1
CALL = ctypes.CFUNCTYPE(ctypes.c_uint64, *(ctypes.c_uint64,) * 4)
FUNCTION_TYPE = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64)
REGISTERS = struct.Struct("32Q")


class Host(Protocol):
    """What the tier needs of the run loop."""

    state: State
    clock: Clock | None
    events: list[tuple[int, Event]]

    def new_site(self, decoded: Decoded, place: int) -> int:
        """Register a vector instruction; gives its number for ``Operations``."""
        ...

    def retire(self, block: Block, count: int) -> None:
        """Account for the first instructions of a block that was left in the middle."""
        ...


@dataclass(eq=False)
class Visit:
    """A block under one vector configuration, and how often it was met.

    From the ``limit``-th time on the native tier is asked to execute it.
    """

    block: Block
    operations: Operations
    limit: int
    runs: int = 0
    native: "Installed | None" = None
    number: int = 0
    """Number of the node in the region."""


@dataclass(eq=False)
class Installed:
    """A compiled region in one run; ``operations`` belong to its configurations."""

    compiled: Compiled
    function: Function
    run: Callable[[int, int], int]
    first_exit: int
    operations: list[Operations]
    sites: list[int]
    counts: Words
    seconds: float = 0.0
    """Time spent in it during this run."""


@dataclass
class NativeTier:
    """Compiles and runs the hot regions of one run."""

    host: Host
    mode: Mode
    hot_microseconds: float
    visits: dict[tuple[int, int], Visit] = field(default_factory=dict[tuple[int, int], Visit])
    """By address and number of the configuration."""
    _installed: list[Installed] = field(default_factory=list[Installed])

    def __post_init__(self) -> None:
        state, clock = self.host.state, self.host.clock
        self.target = Target(
            clock is not None, state.vlen, state.fill_agnostic,
            self.mode.float_off, self.mode.vector_off,
        )  # fmt: skip
        self._context: Words = np.zeros(len(FIELDS), np.uint64)
        self._words = self._context.view(np.int64).data
        self._address = self._context.ctypes.data
        self._x = bytearray(REGISTERS.size)
        self._transitions = None if clock is None else Transitions(clock)
        self._callback = CALL(self._call)
        self._running: Installed | None = None
        self._tables: MemoryTables | None = None
        self._exits = 1

    # Decide

    def meet(self, block: Block, operations: Operations) -> None:
        """Keep a record of a block under a configuration from now on."""
        visit = Visit(block, operations, self._limit(block), runs=1)
        self.visits[block.start, operations.number] = visit
        if visit.limit == NEVER:
            return
        memory = self.host.state.memory
        compiled = find_compiled(self.target, block.start, _config(operations), memory)
        if compiled is not None:
            self._install(compiled)

    def _limit(self, block: Block) -> int:
        """Executions in the Python tier after which a block is hot."""
        if block.special:
            return NEVER
        vectors = sum(d.record.is_vector or d.record.is_custom for d in block.instructions)
        scalars = len(block.instructions) - vectors
        cost = SCALAR_MICROSECONDS * (scalars + 2) + VECTOR_MICROSECONDS * vectors
        return max(2, int(self.hot_microseconds / cost))

    def _compile(self, visit: Visit) -> None:
        """Compile the region around a block that has become hot."""
        # Most short runs get by without the code generator.
        from oxegg.sim.native_region import region_code

        chosen = [v for v in connected(visit, self.visits.values()) if v.limit != NEVER]
        while True:
            region = _region(chosen, self.target)
            code = region_code(region)
            # What a region can't execute to its end is better left to the Python tier as a whole.
            for candidate, complete in zip(chosen, code.complete, strict=True):
                if not complete:
                    candidate.limit = NEVER
            if visit.limit == NEVER:
                return
            if all(code.complete):
                break
            chosen = [v for v in chosen if v.limit != NEVER]
        self._install(compile_region(region, code, self.host.state.memory))

    def _install(self, compiled: Compiled) -> None:
        region, code = compiled.region, compiled.code
        operations = [self._operations(config) for config in region.configs]
        sites = [
            self.host.new_site(region.nodes[node].block.instructions[place], place)
            for node, place in code.calls
        ]
        installed = Installed(
            compiled,
            compiled.function,
            FUNCTION_TYPE(compiled.function.address),
            self._exits,
            operations,
            sites,
            np.zeros(len(region.nodes), np.uint64),
        )
        self._exits += 2 * len(region.nodes)
        self._installed.append(installed)
        for number, node in enumerate(region.nodes):
            present = operations[node.config]
            new = Visit(node.block, present, 0)
            visit = self.visits.setdefault((node.block.start, present.number), new)
            visit.native, visit.number, visit.limit = installed, number, 0

    def _operations(self, config: Config) -> Operations:
        """The vector instructions of a configuration."""
        state = self.host.state
        before = state.vl, state.vtype, state.vxrm
        if config.vtype is None:
            state.vl, state.vtype = config.vl, None
        else:
            state.set_vl(config.vl, config.vtype.encode())
        state.vxrm = config.vxrm
        found = state.refresh()
        state.vl, state.vtype, state.vxrm = before
        state.refresh()
        return found

    def forget(self) -> None:
        """Drop all code: the program has changed its own."""
        self.settle()
        self._installed.clear()
        self.visits.clear()

    # Run

    def enter(self, visit: Visit, limit: int) -> int:
        """Execute from a block on for as long as native code can; gives the next pc.

        A negative result is ~pc: the Python tier must execute what follows there.
        """
        if visit.native is None:
            self._compile(visit)
        installed = visit.native
        budget = min(SLICE, limit - self.host.state.instructions - SAFETY)
        if installed is None or budget <= 0:
            return ~visit.block.start
        if installed.seconds > HOT_SECONDS:
            self._improve(installed)
        self._load(installed, budget)
        self._running = installed
        start = time.perf_counter()
        installed.run(self._address, visit.number)
        installed.seconds += time.perf_counter() - start
        return self._unload(installed, budget)

    def _improve(self, installed: Installed) -> None:
        """Use the region's good code, made now if need be."""
        compiled = installed.compiled
        if compiled.level == QUICK:
            compiled.improve()
        if installed.function is not compiled.function:
            installed.function = compiled.function
            installed.run = FUNCTION_TYPE(compiled.function.address)

    def _load(self, installed: Installed, budget: int) -> None:
        """Bring the context up to date."""
        words, state = self._words, self.host.state
        if self._tables is None:
            self._tables = self._connect()
        REGISTERS.pack_into(self._x, 0, *state.x)
        words[WORD["budget"]] = budget
        words[WORD["counts"]] = installed.counts.ctypes.data
        words[WORD["exits"]] = installed.first_exit
        words[WORD["vxsat"]] = words[WORD["failed"]] = 0
        if self._transitions is not None:
            words[WORD["state"]] = self._transitions.state()
            words[WORD["step"]] = -1
            words[WORD["ticks"]] = 0
            words[WORD["transitions"]] = self._transitions.table.ctypes.data
            words[WORD["mask"]] = self._transitions.mask

    def _connect(self) -> MemoryTables:
        """Put the addresses of what never moves into the context."""
        state = self.host.state
        memory, tables = state.memory, memory_tables(state.memory, self.target.timed)
        addresses = {
            "memory": memory.bytes,
            "touched": memory.touched_lines,
            "x": np.frombuffer(self._x, np.uint64),
            "f": np.frombuffer(state.f_u64, np.uint64),
            "v": state.v,
            "readable": tables.readable,
            "writable": tables.writable,
            "quick_readable": tables.quick_readable,
            "quick_writable": tables.quick_writable,
            "dram": tables.dram,
            "owner": tables.owner,
        }
        for name, array in addresses.items():
            self._words[WORD[name]] = array.ctypes.data
        self._words[WORD["lines"]] = memory.space >> LINE_SHIFT
        callback = ctypes.cast(self._callback, ctypes.c_void_p).value
        assert callback is not None
        self._words[WORD["callback"]] = callback
        return tables

    def _unload(self, installed: Installed, budget: int) -> int:
        """Bring the state up to date; gives the next pc."""
        words, state = self._words, self.host.state
        state.x[:] = REGISTERS.unpack_from(self._x)
        state.instructions += budget - words[WORD["budget"]]
        if words[WORD["vxsat"]]:
            state.vxsat = 1
        if self._transitions is not None:
            self._transitions.arrive(words[WORD["step"]], words[WORD["ticks"]])
        status = words[WORD["status"]]
        number, place, way = status >> 16, status >> 8 & 0xFF, status & 0xFF
        node = installed.compiled.region.nodes[number]
        if way == REDO:
            self._enter_config(installed.operations[node.config])
            self.host.events[:] = self._events(installed, number, place)
            self.host.retire(node.block, place)
            return ~node.block.instructions[place].pc
        if way == UNTIMED:
            self._learn(installed, number, taken=bool(place))
        config = words[WORD["config"]]
        if config >= 0:
            self._enter_config(installed.operations[config])
        else:
            state.set_vl(words[WORD["vl"]], ~config)
            state.refresh()
        if self.host.clock is not None:
            state.cycles = self.host.clock.cycle
        return words[WORD["pc"]] & U64

    def _enter_config(self, operations: Operations) -> None:
        state = self.host.state
        state.vl, state.vtype = operations.config.vl, operations.config.vtype
        state.present = operations

    def _events(self, installed: Installed, number: int, before: int) -> list[tuple[int, Event]]:
        """What the instructions of a block before a place have told the clock."""
        found: list[tuple[int, Event]] = []
        words = self._words[WORD["event0"]] & U64, self._words[WORD["event1"]] & U64
        for event in installed.compiled.code.events[number]:
            value = words[event.word] >> event.position & ((1 << event.width) - 1)
            if value and event.index < before:
                found.append((event.index, value - 1))
        return found

    def _learn(self, installed: Installed, number: int, *, taken: bool) -> None:
        """Have the clock time a block that native code didn't know the time of."""
        clock, transitions = self.host.clock, self._transitions
        assert clock is not None
        assert transitions is not None
        block = installed.compiled.region.nodes[number].block
        operations = installed.operations[installed.compiled.region.nodes[number].config]
        events = self._events(installed, number, len(block.instructions))
        state = transitions.state()
        step = clock.advance(block, operations.number, operations.config, events, taken)
        words = self._words[WORD["event0"]] & U64, self._words[WORD["event1"]] & U64
        transitions.learn(state, installed.first_exit + 2 * number + taken, words, step)

    def _call(self, site: int, a: int, b: int, c: int) -> int:
        """Execute a vector instruction for native code, which can't take exceptions."""
        installed = self._running
        assert installed is not None
        region, code = installed.compiled.region, installed.compiled.code
        node, place = code.calls[site]
        decoded = region.nodes[node].block.instructions[place]
        arguments = (a, b, c)[: len(scalar_sources(decoded.record))]
        try:
            operation = installed.operations[region.nodes[node].config][installed.sites[site]]
            return operation(*arguments) or 0
        except Exception:
            # The Python tier executes the instruction again, and meets the exception there.
            self._words[WORD["failed"]] = 1
            return 0

    def settle(self) -> None:
        """Complete the clock's counts."""
        if self._transitions is not None:
            self._transitions.settle()

    def executed(self) -> Iterator[tuple[Block, int]]:
        """How often native code has executed each block."""
        for installed in self._installed:
            nodes = installed.compiled.region.nodes
            for node, count in zip(nodes, installed.counts.tolist(), strict=True):
                yield node.block, count


def has_native_code(mode: Mode) -> bool:
    """Whether native code can be made for a mode."""
    return mode.frm == NEAREST_EVEN and not (mode.vstart or mode.bytewise or mode.space)


def _config(operations: Operations) -> Config:
    config = operations.config
    return Config(config.vl, config.vtype, config.vxrm)


def _region(visits: Sequence[Visit], target: Target) -> Region:
    """The region of some blocks under their configurations."""
    configs = list(dict.fromkeys(_config(visit.operations) for visit in visits))
    nodes = (Node(visit.block, configs.index(_config(visit.operations))) for visit in visits)
    return Region(tuple(nodes), tuple(configs), target)
