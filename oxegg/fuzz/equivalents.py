"""Metamorphic runs: programs from one e-graph that differ as much as they can."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from oxegg.costmodels import Machine
from oxegg.egraph.readout import PhysicalNode
from oxegg.emit.loop_tree import LoopConflict
from oxegg.emit.stages import split
from oxegg.errors import EmitError, LoweringError
from oxegg.extraction import Node, Problem
from oxegg.extraction.diverse import diverse
from oxegg.fuzz.variants import LIMITS, Variant, compiled
from oxegg.ir import Kernel
from oxegg.search import nests
from oxegg.search.choose import Choice, realizable
from oxegg.search.costs import Costs
from oxegg.search.programs import Candidate
from oxegg.search.readback import read_back
from oxegg.search.refusal import refusal
from oxegg.search.saturation import allowed_rules, prepare

SLACK = 3.0  # how much dearer than the best an equivalent may be


def equivalents(kernel: Kernel, machine: Machine, mode: str, wanted: int) -> Iterator[Variant]:
    """Up to ``wanted`` programs far apart, each in the plainest loops.

    Raises :class:`oxegg.errors.LoweringError` for a kernel that has no program.
    """
    graph = prepare(kernel, allowed_rules(mode), LIMITS).graph
    costs = Costs(graph, machine)
    nodes = realizable([n for n in graph.nodes if not n.operator.startswith("T")])
    if not {node.eclass for node in nodes}.issuperset(graph.roots):
        raise refusal(graph)
    rows = [Node(n.operator, n.eclass, n.children, costs.cost(n)) for n in nodes]
    problem = Problem.of(rows, graph.roots)
    for solution in diverse(problem, wanted, slack=SLACK, seconds=4.0):
        chosen: dict[int, PhysicalNode] = {
            nodes[n].eclass: nodes[n] for n in solution.choice.values()
        }
        with suppress(EmitError, LoweringError, LoopConflict):
            choice = Choice(read_back(graph, chosen), solution, tuple(chosen.values()), graph)
            candidate = Candidate("equivalent", choice, tuple(split(choice.program)))
            plan = tuple(nests.generic_nest(stage, machine) for stage in candidate.stages)
            yield compiled(kernel, candidate, plan, machine, mode)
