"""Terms of a certificate as terms of a kernel, which can be evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oxegg.certificate.document import read_terms
from oxegg.certificate.terms import Node, Terms, type_of
from oxegg.errors import IRError
from oxegg.ir import Term
from oxegg.ir.affine import Axis


def computed_results(proof: Mapping[str, Any]) -> list[Term]:
    """The results as a proved program's operations compute them; none of what can't be said."""
    if proof["status"] != "proved":
        return []
    nodes = read_terms(proof["terms"], Terms())
    outputs: Sequence[Mapping[str, int]] = proof["outputs"]
    try:
        return computable([nodes[output["computed"]] for output in outputs])
    except IRError:
        return []


def computable(roots: Sequence[Node]) -> list[Term]:
    """The same computations, operands first; raises ``IRError`` for what a kernel can't say."""
    made: dict[int, Term] = {}
    stack = list(roots)
    while stack:
        node = stack[-1]
        missing = [child for child in node.children if id(child) not in made]
        if missing:
            stack += missing
            continue
        stack.pop()
        if id(node) not in made:
            made[id(node)] = _term(node, tuple(made[id(child)] for child in node.children))
    return [made[id(root)] for root in roots]


def _term(node: Node, children: tuple[Term, ...]) -> Term:
    kind, _, key = node.operator.partition(":")
    operator, attributes = kind.split(".")[0], node.attributes
    match operator:
        case "input" | "state":
            attributes = node.attributes[:2]
        case "const":
            attributes = node.attributes[:1]
        case "view":
            operator = "at"
        case "reduce" | "scan":
            axis: Axis = node.attributes[0]
            if axis not in children[0].axes:
                raise IRError(f"a {operator} along {axis.name} of what is the same all along it")
            attributes = (key.split(".")[0], axis)
        case _:
            pass
    axes = tuple(sorted(node.free, key=lambda axis: axis.name))
    return Term(operator, children, attributes, type_of(node), axes)
