"""Different programs for one kernel: extraction under different restrictions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from oxegg.costmodels import Machine
from oxegg.egraph.near_memory_rules import RESULTS
from oxegg.egraph.readout import OUTPUT_LAYOUT, PhysicalGraph, PhysicalNode
from oxegg.egraph.tile_rules import STORED
from oxegg.emit.loop_tree import LoopConflict
from oxegg.emit.physical import PhysicalProgram, walk
from oxegg.emit.stages import Stage, split
from oxegg.errors import LoweringError
from oxegg.extraction import Method
from oxegg.search.choose import Choice, Filter, choose
from oxegg.search.costs import Costs, Objective
from oxegg.search.refusal import refusal


@dataclass(frozen=True)
class Candidate:
    """An extracted program cut into stages; ``label`` says under which restriction.

    ``changed``: the program with some of its stages fused, or with inputs copied.
    """

    label: str
    choice: Choice
    stages: tuple[Stage, ...]
    changed: PhysicalProgram | None = None

    @property
    def program(self) -> PhysicalProgram:
        """What the stages are emitted from."""
        return self.changed or self.choice.program

    @property
    def tiled(self) -> bool:
        """Whether anything is computed on the tensor engine."""
        return any(store.tile for store in self.choice.program.stores)

    @property
    def near_memory(self) -> bool:
        """Whether anything is computed in the memory's banks."""
        return any(stage.near_memory for stage in self.stages)

    @property
    def engine(self) -> str:
        """The engine that does the arithmetic."""
        if self.near_memory:
            return "near_memory"
        if self.tiled:
            return "tensor"
        return "vector" if any(v.lane for v in walk(self.choice.program.stores)) else "scalar"


def candidates(
    graph: PhysicalGraph, machine: Machine, method: Method, objective: Objective = "cycles"
) -> list[Candidate]:
    """Programs that differ, cheapest first by extraction cost."""
    found: dict[tuple[object, ...], Candidate] = {}
    costs = Costs(graph, machine, objective)
    for label, keep in _all_filters(graph):
        with suppress(LoweringError, LoopConflict):
            choice = choose(graph, costs, keep=keep, method=method)
            key = _signature(choice)
            if key not in found:
                found[key] = Candidate(label, choice, tuple(split(choice.program)))
    if not found:
        raise refusal(graph)
    return sorted(found.values(), key=lambda c: c.choice.solution.cost)


def generic(graph: PhysicalGraph, machine: Machine) -> Candidate:
    """The baseline's choice: lanes along the innermost axis in source order, no buffers."""
    kernel = graph.encoding.kernel
    layouts = [o.layout for o in kernel.outputs] + [i.attributes[1] for i in kernel.inputs]
    axes = [layout[-1] for layout in layouts if layout]
    wanted = [graph.encoding.axes.index(a) + 1 for a in axes if a in graph.encoding.axes]
    costs = Costs(graph, machine)
    tries = [_both(_lanes({0, lane}), _no_buffers) for lane in wanted]
    for keep in (*tries, _no_buffers, _any):
        with suppress(LoweringError, LoopConflict):
            choice = choose(graph, costs, keep=keep)
            return Candidate("generic", choice, tuple(split(choice.program)))
    raise refusal(graph)


def _all_filters(graph: PhysicalGraph) -> Iterator[tuple[str, Filter]]:
    """Programs that use the banks where they can, and programs that don't."""
    if any(node.operator in RESULTS for node in graph.nodes):
        yield "near memory", _in_banks(graph)
    for label, keep in _filters(graph):
        yield label, _both(keep, _no_banks)


def _filters(graph: PhysicalGraph) -> Iterator[tuple[str, Filter]]:
    """Restrictions that lead to different programs: buffers of our own or not, one lane axis."""
    tiled = any(node.operator == STORED for node in graph.nodes)
    if tiled:
        yield "tiles", _in_tiles(graph)
        yield "no tiles", _both(_no_tiles, _no_buffers)
        yield "no tiles, buffers", _no_tiles
    yield "no buffers", _no_buffers
    yield "free", _any
    for number, axis in enumerate(graph.encoding.axes):
        if axis.size > 1:
            lanes = _both(_lanes({0, number + 1}), _no_tiles)
            yield f"lanes {axis.name}", _both(lanes, _no_buffers)
            yield f"lanes {axis.name}, buffers", lanes
    yield "scalar", _both(_lanes({0}), _no_tiles)


def _any(node: PhysicalNode) -> bool:
    del node
    return True


def _no_buffers(node: PhysicalNode) -> bool:
    return not (node.operator == "Stored" and node.attributes[0] < OUTPUT_LAYOUT)


def _no_tiles(node: PhysicalNode) -> bool:
    return node.operator != STORED


def _in_tiles(graph: PhysicalGraph) -> Filter:
    """Whatever accumulators can come to hold is computed there, and read from memory."""
    stored = {graph.classes[n.eclass].term for n in graph.nodes if n.operator == STORED}

    def keep(node: PhysicalNode) -> bool:
        other = node.operator in ("Stored", "Acc1", "Acc2", "Lanes1", "Lanes2")
        return not (other and graph.classes[node.eclass].term in stored)

    return keep


def _in_banks(graph: PhysicalGraph) -> Filter:
    """Results that near-memory units can compute are computed there."""
    banked = {node.eclass for node in graph.nodes if node.operator in RESULTS}
    return lambda node: node.eclass not in banked or node.operator in RESULTS


def _no_banks(node: PhysicalNode) -> bool:
    return node.operator not in RESULTS


def _lanes(allowed: set[int]) -> Filter:
    """Only nodes whose lanes run along one of these axes (0: scalars)."""

    def keep(node: PhysicalNode) -> bool:
        match node.operator:
            case "Stored":
                return node.attributes[1] in allowed
            case "Load":
                return node.attributes[0] in allowed
            case "LoadView" | "GatherL" | "Index" | "FoldL":
                return node.attributes[1] in allowed
            case "ScanL":
                return node.attributes[2] in allowed
            case "Count":
                return node.attributes[0] + 1 in allowed
            case "Lanes1" | "Lanes2":
                return node.attributes[1] + 1 in allowed
            case _:
                return True

    return keep


def _both(first: Filter, second: Filter) -> Filter:
    return lambda node: first(node) and second(node)


def _signature(choice: Choice) -> tuple[object, ...]:
    """What distinguishes programs: every value's kind, form, lanes and place in memory."""
    return tuple(
        (v.kind, v.form, v.name, v.lane, v.axis, v.bits, v.access.strides if v.access else None)
        for v in walk(choice.program.stores)
    )
