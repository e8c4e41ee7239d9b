"""Vector kernels as graphs, for a dual-issue core with one unit of each kind.

Vector operations take their unit for LMUL cycles and chain; every value has one register.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from oxegg.emit.modulo.graph import Edge, Graph, Use, Web
from oxegg.emit.modulo.graph import Usage as Taken
from oxegg.emit.program import Bank

CAPACITY = {"ALU": 2, "LSU": 1, "BRU": 1, "VLSU": 1, "VFMA": 1, "VALU": 1}
FILES: dict[Bank, int] = {"x": 28, "f": 32, "v": 32}
VLE, FMA, FLW = 6, 4, 3

Value = tuple[int, int]
"""A result: the operation that makes it, and how many iterations ago."""


@dataclass
class Kernel:
    """Operations of a loop body, added in text order."""

    usages: list[tuple[Taken, ...]] = field(default_factory=list[tuple[Taken, ...]])
    latencies: list[int] = field(default_factory=list[int])
    edges: list[Edge] = field(default_factory=list[Edge])
    readers: dict[int, list[Use]] = field(default_factory=dict[int, list[Use]])
    banks: dict[int, tuple[Bank, int]] = field(default_factory=dict[int, tuple[Bank, int]])
    webs: list[Web] = field(default_factory=list[Web])
    place: dict[int, int] = field(default_factory=dict[int, int])

    def operation(
        self,
        unit: str,
        cycles: int,
        latency: int,
        reads: Sequence[Value],
        result: tuple[Bank, int] | None = None,
        updates: Value | None = None,
    ) -> Value:
        """One operation; ``updates`` is the value whose register its result takes over."""
        index = len(self.usages)
        self.usages.append((Taken(unit, 0, cycles),))
        self.latencies.append(latency)
        root = self.place[updates[0]] if updates is not None else index
        self.place[index] = root
        if result is not None and updates is None:
            self.banks[index] = result
        for source, distance in (*reads, *([updates] if updates else [])):
            if source >= 0:
                latency = self.latencies[source]
                self.edges.append(Edge(source, index, latency, distance, latency))
                self.readers.setdefault(self.place[source], []).append(Use(index, distance))
        return index, 0

    def resident(self, bank: Bank, group: int = 1) -> None:
        """A register that the loop keeps: a constant, or an accumulator."""
        self.webs.append(Web(bank, group, None, (), resident=True))

    def advancing(self) -> Value:
        """A pointer that is advanced once per iteration; read it one iteration later."""
        index, _ = self.operation("ALU", 1, 1, [], ("x", 1))
        self.edges.append(Edge(index, index, 1, 1, 1))
        self.readers.setdefault(index, []).append(Use(index, 1))
        return index, 1

    def graph(self) -> Graph:
        """Close the loop with a counter and the branch."""
        counter = self.advancing()
        self.operation("BRU", 1, 1, [(counter[0], 0)])
        reuse: list[Edge] = []
        for index, (bank, group) in self.banks.items():
            uses = tuple(self.readers.get(index, ()))
            self.webs.append(Web(bank, group, index, uses))
            reuse += [
                Edge(use.operation, index, 0, 1 - use.distance, 0)
                for use in uses
                if (use.operation, use.distance) != (index, 1)
            ]
        return Graph(
            tuple(self.usages), (*self.edges, *reuse), tuple(self.webs), CAPACITY, FILES, 2,
            len(self.usages) - 1,
        )  # fmt: skip


def saxpy(copies: int, lmul: int) -> Graph:
    """y += a x, ``copies`` strips per iteration, each with its own two pointers."""
    kernel = Kernel()
    kernel.resident("f")
    for _ in range(copies):
        x, y = kernel.advancing(), kernel.advancing()
        a = kernel.operation("VLSU", lmul, VLE, [x], ("v", lmul))
        b = kernel.operation("VLSU", lmul, VLE, [y], ("v", lmul))
        total = kernel.operation("VFMA", lmul, FMA, [a], updates=b)
        kernel.operation("VLSU", lmul, 1, [y, total])
    return kernel.graph()


def gemm(copies: int, rows: int, lmul: int) -> Graph:
    """``rows`` accumulators, each plus a scalar times a row of B, ``copies`` steps of k."""
    kernel = Kernel()
    pointer = kernel.advancing()
    last: list[int] = []
    for row in range(rows):
        kernel.resident("v", lmul)
        last.append(-1 - row)
    first: dict[int, int] = {}
    for _ in range(copies):
        b = kernel.operation("VLSU", lmul, VLE, [kernel.advancing()], ("v", lmul))
        for row in range(rows):
            a = kernel.operation("LSU", 1, FLW, [pointer], ("f", 1))
            step, _ = kernel.operation("VFMA", lmul, FMA, [a, b, (last[row], 0)])
            first.setdefault(row, step)
            last[row] = step
    for row in range(rows):
        kernel.edges.append(Edge(last[row], first[row], FMA, 1, FMA))
    return kernel.graph()
