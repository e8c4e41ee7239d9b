"""Choosing one program from a saturated e-graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from oxegg.egraph.readout import PhysicalGraph, PhysicalNode
from oxegg.emit.physical import PhysicalProgram
from oxegg.errors import LoweringError
from oxegg.extraction import Method, Node, Problem, Solution, extract
from oxegg.search.costs import Costs
from oxegg.search.readback import read_back

Filter = Callable[[PhysicalNode], bool]


@dataclass(frozen=True)
class Choice:
    """An extracted program with what extraction says about it."""

    program: PhysicalProgram
    solution: Solution
    nodes: tuple[PhysicalNode, ...]
    graph: PhysicalGraph  # what it was chosen from


def choose(
    graph: PhysicalGraph,
    costs: Costs,
    *,
    keep: Filter = lambda node: True,
    method: Method = "dag",
    seconds: float = 10.0,
) -> Choice:
    """Extract one program; ``keep`` restricts the nodes (lane axes, say)."""
    nodes = realizable([n for n in graph.nodes if keep(n)])
    if not set(graph.roots) <= {n.eclass for n in nodes}:
        raise LoweringError("no combination of instructions computes this kernel")
    problem = Problem.of(
        [Node(n.operator, n.eclass, n.children, costs.cost(n)) for n in nodes], graph.roots
    )
    solution = extract(problem, method, seconds=seconds)
    if solution.status == "infeasible":
        raise LoweringError("no combination of instructions computes this kernel")
    chosen = {nodes[n].eclass: nodes[n] for n in solution.choice.values()}
    return Choice(read_back(graph, chosen), solution, tuple(chosen.values()), graph)


def realizable(nodes: Sequence[PhysicalNode]) -> list[PhysicalNode]:
    """Nodes whose needs can all be met by others, found from the leaves up."""
    missing = {id(node): len(set(node.children)) for node in nodes}
    users: dict[int, list[PhysicalNode]] = {}
    for node in nodes:
        for child in set(node.children):
            users.setdefault(child, []).append(node)
    built: set[int] = set()
    ready = [node for node in nodes if not node.children]
    for node in ready:  # grows while it is walked
        if node.eclass in built:
            continue
        built.add(node.eclass)
        for user in users.get(node.eclass, ()):
            missing[id(user)] -= 1
            if not missing[id(user)]:
                ready.append(user)
    return ready
