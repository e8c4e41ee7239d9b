"""Why a kernel has no program: what no instruction computes, in the kernel's own terms."""

from __future__ import annotations

from collections.abc import Sequence

from oxegg.egraph.readout import PhysicalGraph
from oxegg.errors import LoweringError
from oxegg.ir.term import Term, topological
from oxegg.search.choose import realizable


def after_stale_rules(error: LoweringError, stale: Sequence[str]) -> LoweringError:
    """The error with the more likely reason, where rules were left out for want of evidence."""
    if not stale:
        return error
    some = ", ".join(stale[:3]) + (" ..." if len(stale) > 3 else "")
    return LoweringError(
        f"{error.message}; without current evidence, and so not used: {some}",
        where=error.where,
        hint="run `oxegg rules prove`",
    )


def refusal(graph: PhysicalGraph) -> LoweringError:
    """The error to raise when extraction finds no program."""
    unrolled = "write the loop in Python: each step is then an array of its own"
    lacking = missing(graph)
    steps = {fold.attributes[0] for fold in graph.encoding.folds}
    if any(steps.intersection(term.axes) for term in lacking):
        return LoweringError(
            "a step of oxegg.fori reads other elements of its state than the one it computes",
            hint=unrolled,
        )
    if not lacking:
        return LoweringError(
            "a step of oxegg.fori needs a sum over its whole state, or another loop's result",
            hint=unrolled,
        )
    return LoweringError(
        f"no instructions compute {', '.join(sorted(map(_described, lacking)))}",
        hint="mode exact has no elementary functions, no sums in bfloat16 and no running maxima "
        "of floats: try --mode real",
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
