"""Why a kernel has no program: what no instruction computes, in the kernel's own terms."""

from __future__ import annotations

from oxegg.egraph.readout import PhysicalGraph
from oxegg.errors import LoweringError
from oxegg.ir.term import Term, topological
from oxegg.search.choose import realizable


def refusal(graph: PhysicalGraph) -> LoweringError:
    """The error to raise when extraction finds no program."""
    lacking = sorted({_described(term) for term in missing(graph)})
    if not lacking:
        return LoweringError(
            "no order of loops computes this kernel: a fold needs another loop's result halfway",
            hint="split the kernel into several",
        )
    return LoweringError(
        f"no instructions compute {', '.join(lacking)}",
        hint="mode exact has neither elementary functions nor sums in bfloat16: try --mode real",
    )


def missing(graph: PhysicalGraph) -> list[Term]:
    """The kernel's terms that can be in no place, unless that is for want of their operands."""
    built = {node.eclass for node in realizable(graph.nodes)}
    wanted = {place.term for place in graph.classes.values()}
    possible = {place.term for eclass, place in graph.classes.items() if eclass in built}
    found: list[Term] = []
    stuck: set[int] = set()
    number = {id(term): eclass for eclass, term in graph.terms.items()}
    for term in topological(list(graph.terms.values())):
        below = any(id(child) in stuck for child in term.children)
        eclass = number.get(id(term))
        if eclass in wanted - possible and not below:
            found.append(term)
        if below or eclass in wanted - possible:
            stuck.add(id(term))
    return found


def _described(term: Term) -> str:
    name = " ".join([term.operator, *(a for a in term.attributes if isinstance(a, str))])
    return f"{name} ({term.children[0].type if term.children else term.type})"
