"""The term that a chosen program computes: each instruction read as the algebra of its row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from oxegg.certificate.laws import build
from oxegg.certificate.terms import Node, Terms, key
from oxegg.egraph.readout import PhysicalGraph, PhysicalNode
from oxegg.ir.affine import Axis
from oxegg.ir.types import TYPES, ElementType
from oxegg.rules.near_memory import OPERATIONS as BANK_OPERATIONS
from oxegg.rules.near_memory import RELUS
from oxegg.rules.near_memory import SUMS as BANK_SUMS
from oxegg.rules.pattern import Apply, Pattern, Rule
from oxegg.rules.selection import Selection
from oxegg.rules.tensor_engine import OPERATIONS, PRODUCTS
from oxegg.rules.vector_engine import SELECTIONS
from oxegg.rules.wellformed import variable_types

ROWS: dict[str, list[Selection]] = {}
for _row in SELECTIONS:
    ROWS.setdefault(_row.form.key, []).append(_row)


def source_terms(graph: PhysicalGraph, terms: Terms) -> list[Node]:
    """The kernel's results as it states them."""
    held = graph.encoding.held
    return terms.of([held[root] for root in graph.encoding.roots])


def computed_terms(graph: PhysicalGraph, nodes: Iterable[PhysicalNode], terms: Terms) -> list[Node]:
    """The results as the chosen instructions compute them."""
    reader = _Reader(graph, {node.eclass: node for node in nodes}, terms)
    return [reader.term(root) for root in graph.roots]


class _Reader:
    """One term per chosen class."""

    def __init__(
        self, graph: PhysicalGraph, chosen: Mapping[int, PhysicalNode], terms: Terms
    ) -> None:
        self.graph, self.chosen, self.terms = graph, chosen, terms
        self.encoding = graph.encoding
        self.known: dict[int, Node] = {}
        self.leaves: dict[int, Node] = {}

    def term(self, eclass: int) -> Node:
        stack = [eclass]
        while stack:
            top = stack[-1]
            missing = [c for c in self.chosen[top].children if c not in self.known]
            if missing:
                stack += missing
                continue
            stack.pop()
            if top not in self.known:
                node = self.chosen[top]
                self.known[top] = _READERS[node.operator](self, node)
        return self.known[eclass]

    def children(self, node: PhysicalNode) -> tuple[Node, ...]:
        return tuple(self.known[c] for c in node.children)

    def leaf(self, number: int) -> Node:
        if number not in self.leaves:
            (self.leaves[number],) = self.terms.of([self.encoding.leaf(number)])
        return self.leaves[number]

    def axis(self, number: int) -> Axis:
        return self.encoding.axes[number]

    def type(self, eclass: int) -> ElementType:
        return self.graph.classes[eclass].type

    def algebra(self, form: str, node: PhysicalNode) -> tuple[Node, Selection | None]:
        """What an instruction computes of its operands."""
        children = self.children(node)
        if form.startswith("s:"):
            name = form[2:]
            if name.startswith("fma.") and node.operator == "Acc2":
                name = f"mul.{name[4:]}"
            elif node.operator.startswith("Acc"):
                return children[0], None
            return self.terms.node(name, (), *children), None
        row = self.row(form, node)
        operands = [name for name, _ in row.form.operands if name != "acc"]
        bound = dict(zip(operands, children, strict=True))
        type_ = row.form.type
        return build(row.pattern, type_, type_, bound, self.terms), row

    def row(self, form: str, node: PhysicalNode) -> Selection:
        """The row of a form; of several, the one about operands of these types."""
        rows = ROWS[form]
        for row in rows if len(rows) > 1 else ():
            types = _types(row.pattern, row.form.type)
            names = [name for name, _ in row.form.operands if name in types]
            if all(self.type(c) is types[n] for n, c in zip(names, node.children, strict=False)):
                return row
        return rows[0]

    def instruction(self, node: PhysicalNode) -> Node:
        return self.algebra(node.attributes[0], node)[0]

    def reduction(self, node: PhysicalNode) -> Node:
        form, axis = node.attributes
        body, row = self.algebra(form, node)
        name = row.reduction if row is not None else form[2:].split(".")[0]
        name = "add" if name == "fma" else name
        assert name is not None
        operator = f"reduce:{key(name, self.type(node.eclass))}"
        return self.terms.node(operator, (self.axis(axis),), body)

    def count(self, node: PhysicalNode) -> Node:
        type_ = self.type(node.eclass)
        one, zero = self.terms.constant(1, type_), self.terms.constant(0, type_)
        picked = self.terms.node(key("select", type_), (), *self.children(node), one, zero)
        axis = self.axis(node.attributes[0])
        return self.terms.node(f"reduce:{key('add', type_)}", (axis,), picked)

    def same(self, node: PhysicalNode) -> Node:
        return self.children(node)[0]

    def load_view(self, node: PhysicalNode) -> Node:
        return self.terms.view(dict(self.encoding.view(node.attributes[0])), *self.children(node))

    def gather(self, node: PhysicalNode) -> Node:
        axis = self.axis(node.attributes[0])
        return self.terms.node("gather", (axis,), *self.children(node))

    def alias(self, node: PhysicalNode) -> Node:
        (child,) = node.children
        name = key("bitcast", self.type(child), self.type(node.eclass))
        return self.terms.node(name, (), *self.children(node))

    def immediate(self, node: PhysicalNode) -> Node:
        bits, name = node.attributes
        type_ = TYPES[name]
        return self.terms.node("const", (bits & ((1 << type_.bits) - 1), type_))

    def index(self, node: PhysicalNode) -> Node:
        axis, _, type_ = node.attributes
        return self.terms.node("iota", (self.axis(axis), TYPES[type_]))

    def scan(self, node: PhysicalNode) -> Node:
        name, axis, _ = node.attributes
        return self.terms.node(f"scan:{name}", (self.axis(axis),), *self.children(node))

    def fold(self, node: PhysicalNode) -> Node:
        fold = self.encoding.fold(node.attributes[0])
        count = len(fold.attributes[1])
        states = self.terms.of(fold.children[:count])
        return self.terms.node("fold", fold.attributes, *states, *self.children(node))

    def tile_product(self, node: PhysicalNode) -> Node:
        """A product of tiles, and what it is added to where that isn't zero."""
        form, axis = node.attributes
        x, y, *start = self.children(node)
        row = PRODUCTS[form]
        body = build(row.pattern, row.type, row.type, {"x": x, "y": y}, self.terms)
        name = key("add", row.type)
        product = self.terms.node(f"reduce:{name}", (self.axis(axis),), body)
        return self.terms.node(name, (), product, *start) if start else product

    def tile_sum(self, node: PhysicalNode) -> Node:
        name = key("add", self.type(node.eclass))
        axis = self.axis(node.attributes[0])
        return self.terms.node(f"reduce:{name}", (axis,), *self.children(node))

    def tile_operation(self, node: PhysicalNode) -> Node:
        row = OPERATIONS[node.attributes[0]]
        bound = {"x": self.children(node)[0]}
        return build(row.pattern, row.type, row.type, bound, self.terms)

    def bank_operation(self, node: PhysicalNode) -> Node:
        row = BANK_OPERATIONS[node.attributes[0]]
        bound = dict(zip("xy", self.children(node), strict=True))
        return build(row.pattern, row.type, row.type, bound, self.terms)

    def bank_chain(self, node: PhysicalNode) -> Node:
        """A chain plus an array, or plus an array times a number."""
        type_ = self.type(node.eclass)
        chain, *factors = self.children(node)
        product = factors[0]
        if len(factors) == 2:
            product = self.terms.node(key("mul", type_), (), *factors)
        return self.terms.node(key("add", type_), (), chain, product)

    def bank_relu(self, node: PhysicalNode) -> Node:
        type_ = self.type(node.eclass)
        bound = {"x": self.children(node)[0]}
        return build(RELUS[type_], type_, type_, bound, self.terms)

    def bank_sum(self, node: PhysicalNode) -> Node:
        form, axis = node.attributes[-2:]
        row = BANK_SUMS[form]
        bound = dict(zip("xy", self.children(node), strict=False))
        pattern = row.pattern if len(bound) == 2 else row.total
        body = build(pattern, row.type, row.type, bound, self.terms)
        return self.terms.node(f"reduce:{key('add', row.type)}", (self.axis(axis),), body)

    def join(self, node: PhysicalNode) -> Node:
        concat = self.encoding.concat(node.attributes[0])
        return self.terms.node("concat", concat.attributes, *self.children(node))


def _types(pattern: Pattern, type_: ElementType) -> dict[str, ElementType]:
    assert isinstance(pattern, Apply)
    return variable_types(Rule("row", pattern, pattern, "exact", (type_,), ""), type_)


_READERS: dict[str, Callable[[_Reader, PhysicalNode], Any]] = {
    **dict.fromkeys(("Ins1", "Ins2", "Ins3", "Ins4"), _Reader.instruction),
    **dict.fromkeys(("Acc1", "Acc2", "Lanes1", "Lanes2"), _Reader.reduction),
    **dict.fromkeys(("Load", "Splat", "Stored", "TLoad", "TStored"), _Reader.same),
    **dict.fromkeys(("NBank", "NStart", "NStored"), _Reader.same),
    **dict.fromkeys(("NMac", "NAdd"), _Reader.bank_chain),
    "NIns": _Reader.bank_operation,
    "NRelu": _Reader.bank_relu,
    **dict.fromkeys(("NSum", "NTotal", "NProduct"), _Reader.bank_sum),
    **dict.fromkeys(("TMul", "TMulFrom"), _Reader.tile_product),
    "TLoadView": _Reader.load_view,
    "TSum": _Reader.tile_sum,
    "TOp": _Reader.tile_operation,
    "Count": _Reader.count,
    "LoadView": _Reader.load_view,
    "GatherL": _Reader.gather,
    "Alias": _Reader.alias,
    "Imm": _Reader.immediate,
    "Arg": lambda self, node: self.leaf(node.attributes[0]),
    "InBuf": lambda self, node: self.leaf(node.attributes[0]),
    "Held": lambda self, node: self.leaf(node.attributes[1]),
    "Index": _Reader.index,
    "ScanL": _Reader.scan,
    "FoldL": _Reader.fold,
    "Join": _Reader.join,
}
