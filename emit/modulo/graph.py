"""A loop body as its scheduler sees it: operations, dependences, resources, register webs.

Times are issue cycles: operation ``i`` of iteration ``n`` issues in cycle ``times[i] + n * ii``. In
the kernel's text it stands at a *position*, a slot of that cycle, ``width`` slots per cycle.
Positions order reads and writes of registers exactly, also within a cycle.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from oxegg.emit.program import Bank


@dataclass(frozen=True)
class Usage:
    """``amount`` copies of a resource, from ``start`` cycles after issue for ``length`` cycles.

    ``held``: longer if the operation waits for its operands there.
    """

    resource: str
    start: int
    length: int
    amount: int = 1
    held: bool = False


@dataclass(frozen=True)
class Edge:
    """``target`` of iteration n + distance stands behind ``source`` of iteration n in the program

    and issues at least ``latency`` (>= 0) cycles after it. ``least`` is what the machine asks for
    if what has issued may wait at its unit: cycles from start to start, perhaps negative, or
    ``None`` where only the order of the text counts.
    """

    source: int
    target: int
    latency: int
    distance: int
    least: int | None


@dataclass(frozen=True)
class Use:
    """A read of a web by an operation of ``distance`` iterations later than its definition."""

    operation: int
    distance: int


@dataclass(frozen=True)
class Web:
    """Values that share a register: one definition, and those that update it in place.

    ``definition`` writes first, ``ready`` cycles after its start (``None``: the loop only reads or
    carries it in place). A
    ``resident`` web has its register to itself in every cycle. ``overhang`` positions belong to
    the web after its last use (1 when a result may not overlap it). ``mask`` webs share v0.
    """

    bank: Bank
    group: int
    definition: int | None
    uses: tuple[Use, ...]
    resident: bool = False
    overhang: int = 0
    mask: bool = False
    ready: int = 0


@dataclass(frozen=True)
class Graph:
    """A loop body. ``branch`` (if any) ends the kernel, ``dead`` cycles after it issue nothing.

    ``capacity`` maps resources to copies, ``files`` banks to registers that the webs may take.
    """

    usages: tuple[tuple[Usage, ...], ...]
    edges: tuple[Edge, ...]
    webs: tuple[Web, ...]
    capacity: Mapping[str, int]
    files: Mapping[Bank, int]
    width: int
    branch: int | None = None
    dead: int = 0
    free: frozenset[int] = frozenset()
    """Operations that take no issue slot: loop control that somebody else accounts for."""
    queued: frozenset[int] = frozenset()
    """Operations that leave a queue of ``depth`` in order, and start when unit and operands are

    ready, while others issue.
    """
    depth: int = 1
    apart: int = 1
    """Cycles from one operation that leaves the queue to the next: 0 where several may at once."""

    @property
    def count(self) -> int:
        """Number of operations."""
        return len(self.usages)

    @cached_property
    def demand(self) -> dict[str, int]:
        """Per resource the copies times cycles that one iteration takes."""
        total: dict[str, int] = {}
        for usages in self.usages:
            for usage in usages:
                taken = usage.length * usage.amount
                total[usage.resource] = total.get(usage.resource, 0) + taken
        return total

    def live_webs(self, bank: Bank) -> tuple[Web, ...]:
        """Webs of ``bank`` that are taken for a part of the iteration only."""
        return tuple(w for w in self.webs if w.bank == bank and not w.resident)

    def free_registers(self, bank: Bank) -> int:
        """Registers of ``bank`` left by the webs that are always taken."""
        always = sum(w.group for w in self.webs if w.bank == bank and w.resident)
        return self.files[bank] - always


def by_starts(graph: Graph) -> Graph:
    """The same loop by the starts of its operations alone: what no order of the text can beat."""
    edges = (replace(e, latency=e.least) for e in graph.edges if e.least is not None)
    return replace(graph, edges=tuple(edges))


def one_stage(graph: Graph) -> Graph:
    """The same loop with no two iterations in flight at once: the branch follows everything."""
    branch = graph.branch
    assert branch is not None
    others = [i for i in range(graph.count) if i != branch]
    last = tuple(Edge(i, branch, 0, 0, None if i in graph.queued else 0) for i in others)
    apart = 1 + graph.dead
    first = tuple(Edge(branch, i, apart, 1, apart) for i in others)
    return replace(graph, edges=(*graph.edges, *last, *first))


@dataclass(frozen=True)
class Schedule:
    """``times[i]``: issue cycle of operation i in iteration 0; ``order``: the kernel's text."""

    ii: int
    times: tuple[int, ...]
    order: tuple[int, ...]

    @property
    def stages(self) -> int:
        """Iterations in flight at once."""
        return 1 + max(time // self.ii for time in self.times)

    def stage(self, operation: int) -> int:
        """In which pass over the kernel after the first one the operation runs."""
        return self.times[operation] // self.ii

    def places(self) -> list[int]:
        """Of each operation its place in the unrolled text: stages times operations plus index."""
        index = {operation: place for place, operation in enumerate(self.order)}
        count = len(self.order)
        return [self.stage(i) * count + index[i] for i in range(count)]
