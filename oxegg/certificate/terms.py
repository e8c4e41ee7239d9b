"""The terms of a certificate: operations on terms, with axes as names, and nothing hidden.

The kernels' own language (:mod:`oxegg.ir`) one step down: each operation carries its element types
in its name (``add.f32``), a reduction may run over an axis that its operand lacks, and views are
kept as written. Equal terms are the same object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from oxegg.ir.affine import Affine, Axis
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.term import Term, topological
from oxegg.ir.types import BOOL, TYPES, U8, ElementType, bits_to_value, value_to_bits

View = tuple[tuple[Axis, Affine], ...]
LEAVES = ("input", "const", "iota", "state")


@dataclass(frozen=True, eq=False)
class Node:
    """One operation; ``free`` are the axes that its value depends on."""

    operator: str
    attributes: tuple[Any, ...]
    children: tuple[Node, ...]
    free: frozenset[Axis]


@dataclass
class Terms:
    """Makes terms, each once."""

    known: dict[tuple[Any, ...], Node] = field(default_factory=dict[tuple[Any, ...], Node])

    def node(self, operator: str, attributes: tuple[Any, ...] = (), *children: Node) -> Node:
        key = (operator, attributes, tuple(map(id, children)))
        found = self.known.get(key)
        if found is None:
            found = Node(operator, attributes, children, _free(operator, attributes, children))
            self.known[key] = found
        return found

    def constant(self, value: float | int | bool, type_: ElementType) -> Node:
        return self.node("const", (value_to_bits(value, type_), type_))

    def view(self, index: Mapping[Axis, Affine], child: Node) -> Node:
        """A view of the axes that ``child`` has; itself when none moves."""
        moved = {a: i for a, i in index.items() if a in child.free and i != Affine.axis(a)}
        if not moved:
            return child
        return self.node("view", tuple(sorted(moved.items(), key=lambda p: p[0].name)), child)

    def of(self, roots: Sequence[Term]) -> list[Node]:
        """The kernel's terms; truth values that lie in memory are bytes there."""
        made: dict[int, Node] = {}
        for term in topological(roots):
            children = tuple(made[id(child)] for child in term.children)
            made[id(term)] = self._of(term, children)
        return [made[id(root)] for root in roots]

    def _of(self, term: Term, children: tuple[Node, ...]) -> Node:
        name = term.operator
        if name in OPERATIONS:
            operand = term.children[-1].type
            converts = OPERATIONS[name].types == "convert"
            return self.node(key(name, operand, term.type if converts else None), (), *children)
        if name == "input":
            parameter, layout = term.attributes
            if term.type is not BOOL:
                return self.node("input", (parameter, layout, term.type))
            stored = self.node("input", (parameter, layout, U8))
            return self.node("ne.u8", (), stored, self.constant(0, U8))
        if name in ("reduce", "scan"):
            operator: str = term.attributes[0]
            return self.node(f"{name}:{key(operator, term.type)}", term.attributes[1:], *children)
        if name == "const":
            return self.node("const", (term.attributes[0], term.type))
        if name == "iota":
            return self.node("iota", (term.axes[0], term.type))
        if name == "state":
            return self.node("state", (*term.attributes, term.type, term.axes))
        if name == "at":
            return self.node("view", term.attributes, *children)
        return self.node(name, term.attributes, *children)


def key(operator: str, operand: ElementType, target: ElementType | None = None) -> str:
    """``add.f32``, ``convert.i8.i16``."""
    return f"{operator}.{operand}.{target}" if target is not None else f"{operator}.{operand}"


def type_of(node: Node) -> ElementType:
    """The element type of a term."""
    name = node.operator
    if name in ("input", "state"):
        return node.attributes[2]
    if name in ("const", "iota"):
        return node.attributes[1]
    if name in ("view", "gather", "concat"):
        return type_of(node.children[0])
    if name == "fold":
        which: int = node.attributes[2]
        return type_of(node.children[which])
    operator, *types = name.split(":")[-1].split(".")
    if OPERATIONS[operator].types == "bool":
        return BOOL
    return TYPES[types[-1]]


def _free(
    operator: str, attributes: tuple[Any, ...], children: tuple[Node, ...]
) -> frozenset[Axis]:
    below = frozenset[Axis]().union(*(child.free for child in children))
    kind = operator.split(":")[0]
    if kind == "iota":
        return frozenset[Axis]({attributes[0]})
    if kind in ("input", "state"):
        return frozenset[Axis](attributes[1 if kind == "input" else 3])
    if kind == "reduce":
        return below - {attributes[0]}
    if kind == "scan":
        return below | {attributes[0]}
    if kind == "view":
        removed = {axis for axis, _ in attributes}
        added = {a for axis, i in attributes if axis in children[0].free for a in i.axes}
        return (below - removed) | added
    if kind == "gather":
        return (children[0].free - {attributes[0]}) | children[1].free
    if kind == "concat":
        axis, owns = attributes
        parts = (c.free - {own} for own, c in zip(owns, children, strict=True))
        return frozenset({axis}).union(*parts)
    if kind == "fold":
        which: int = attributes[2]
        return children[which].free - {attributes[0]}
    return below


def show(node: Node, depth: int = 3) -> str:
    """A term as text, cut off below ``depth``."""
    if node.operator == "const":
        bits, type_ = node.attributes
        return f"{bits_to_value(bits, type_)!s}"
    if node.operator in ("input", "state"):
        return str(node.attributes[0])
    if node.operator == "iota":
        return f"iota({node.attributes[0].name})"
    if depth == 0:
        return "..."
    parts = [show(child, depth - 1) for child in node.children]
    kind, _, rest = node.operator.partition(":")
    if rest:
        return f"{kind} {rest.split('.')[0]} {node.attributes[0].name} ({', '.join(parts)})"
    if kind == "view":
        walks = ", ".join(f"{axis.name} := {i}" for axis, i in node.attributes)
        return f"{parts[0]}[{walks}]"
    return f"{kind.split('.')[0]}({', '.join(parts)})"
