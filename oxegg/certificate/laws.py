"""What a step of a certificate may say: an instance of a named rule, or a law of the structure.

Each function rebuilds one side of an equation from the other, from rule rows and the meaning of
views alone; finding chains and checking them both go through here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import accumulate

from oxegg.certificate.terms import Node, Terms, key, type_of
from oxegg.ir.affine import Affine, Axis
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.types import U8, U16, U32, ElementType
from oxegg.rules.pattern import Apply, Constant, Pattern, Rule, Variable
from oxegg.rules.wellformed import operand_types, result_type

Binding = Mapping[str, Node | Axis]


def build(pattern: Pattern, type_: ElementType, wanted: ElementType, bound: Binding,
          terms: Terms) -> Node:  # fmt: skip
    """A side of a rule in the instance at ``type_``, its variables replaced."""
    return _Builder(type_, bound, terms).build(pattern, wanted)


class _Builder:
    """Shared parts are built once."""

    def __init__(self, type_: ElementType, bound: Binding, terms: Terms) -> None:
        self.type, self.bound, self.terms = type_, bound, terms
        self.known: dict[tuple[int, ElementType], Node] = {}

    def build(self, pattern: Pattern, wanted: ElementType) -> Node:
        if isinstance(pattern, Variable):
            value = self.bound[pattern.name]
            assert isinstance(value, Node)
            return value
        if isinstance(pattern, Constant):
            return self.terms.constant(pattern.value, pattern.type or wanted)
        assert isinstance(pattern, Apply)
        place = (id(pattern), wanted)
        if place not in self.known:
            types = operand_types(pattern, self.type)
            children = [self.build(c, t) for c, t in zip(pattern.children, types, strict=True)]
            attributes = (self.bound[pattern.axis],) if pattern.axis else ()
            self.known[place] = self.terms.node(operator(pattern, self.type), attributes, *children)
        return self.known[place]


def operator(pattern: Apply, type_: ElementType) -> str:
    """The operation of a pattern in the instance at ``type_``."""
    name, operand = pattern.operator, pattern.operand_type or type_
    if pattern.axis:
        return f"reduce:{key(name.removeprefix('reduce.'), operand)}"
    converts = OPERATIONS[name].types == "convert"
    return key(name, operand, result_type(pattern, type_) if converts else None)


def instance(
    rule: Rule, type_: ElementType, bound: Binding, terms: Terms
) -> tuple[Node, Node] | None:
    """Both sides of a rule with its variables replaced; None where a condition fails."""
    for condition in rule.when:
        value = bound[condition.variable]
        if not isinstance(value, Node) or bound[condition.axis] in value.free:
            return None
    left = build(rule.left, type_, type_, bound, terms)
    return left, build(rule.right, type_, type_of(left), bound, terms)


# ------------------------------------------------------------------ structure


def view_absent(node: Node, terms: Terms) -> Node | None:
    """A view of axes that a value doesn't have is the value."""
    if node.operator != "view":
        return None
    return terms.view(dict(node.attributes), node.children[0])


def gather_absent(node: Node, terms: Terms) -> Node | None:
    """A gather along an axis that the data doesn't have is the data."""
    del terms
    absent = node.operator == "gather" and node.attributes[0] not in node.children[0].free
    return node.children[0] if absent else None


def view_pushed(node: Node, terms: Terms) -> Node | None:
    """A view of an operation is the operation on views."""
    if node.operator != "view":
        return None
    child, index = node.children[0], dict(node.attributes)
    kind = child.operator.split(":")[0]
    clash = kind in ("reduce", "gather") and any(
        child.attributes[0] in affine.axes for affine in index.values()
    )
    if kind == "const":
        return child
    if clash or kind in ("input", "iota", "state", "scan", "fold"):
        return None
    if kind == "view":
        return _composed(child, index, terms)
    if kind == "concat":
        return _inside_part(child, index, terms)
    if kind in ("reduce", "gather"):
        rest = {a: i for a, i in index.items() if a != child.attributes[0]}
        second = [terms.view(index, c) for c in child.children[1:]]
        return terms.node(
            child.operator, child.attributes, terms.view(rest, child.children[0]), *second
        )
    return terms.node(child.operator, (), *(terms.view(index, c) for c in child.children))


def _composed(child: Node, index: dict[Axis, Affine], terms: Terms) -> Node:
    """A view of a view walks by the composed index."""
    mapping = {axis.name: affine for axis, affine in index.items()}
    inner = {a: i.substitute(mapping) for a, i in child.attributes}
    kept = {a: i for a, i in index.items() if a in child.children[0].free and a not in inner}
    return terms.view({**inner, **kept}, child.children[0])


def _inside_part(child: Node, index: dict[Axis, Affine], terms: Terms) -> Node | None:
    """A view that stays inside one part of a concatenation is a view of that part."""
    axis, owns = child.attributes
    walk = index.get(axis)
    if walk is None:
        return None
    low, high = walk.range
    lengths = [own.size if own else 1 for own in owns]
    ends = list(accumulate(lengths))
    for own, part, length, end in zip(owns, child.children, lengths, ends, strict=True):
        if end - length <= low and high < end:
            rest = {a: i for a, i in index.items() if a != axis}
            if own is not None:
                rest[own] = Affine(walk.offset - (end - length), walk.terms)
            return terms.view(rest, part)
    return None


def index_value(node: Node, terms: Terms) -> Node | None:
    """A view of positions is arithmetic on positions."""
    if node.operator != "view" or node.children[0].operator != "iota":
        return None
    type_ = node.children[0].attributes[1]
    ((_, affine),) = node.attributes
    total = terms.constant(affine.offset, type_)
    for axis, coefficient in affine.terms:
        position = terms.node("iota", (axis, type_))
        scaled = terms.node(key("mul", type_), (), terms.constant(coefficient, type_), position)
        total = terms.node(key("add", type_), (), total, scaled)
    return total


def index_narrow(node: Node, terms: Terms) -> Node | None:
    """Positions fit the narrowest unsigned type that holds them."""
    if node.operator != "iota":
        return None
    axis, type_ = node.attributes
    fitting = [t for t in (U8, U16, U32) if axis.size - 1 <= t.maximum and t.bits < type_.bits]
    if not fitting or not type_.is_integer:
        return None
    narrow = terms.node("iota", (axis, fitting[0]))
    return terms.node(key("convert", fitting[0], type_), (), narrow)


def scan_bfloat(node: Node, terms: Terms) -> Node | None:
    """A running reduction of bfloat16 in float32, rounded at each place (kind real)."""
    head, _, type_ = node.operator.rpartition(".")
    if not head.startswith("scan:") or type_ != "bf16":
        return None
    wide = terms.node("convert.bf16.f32", (), node.children[0])
    running = terms.node(f"{head}.f32", node.attributes, wide)
    return terms.node("convert.f32.bf16", (), running)


def scan_number(node: Node, terms: Terms) -> Node | None:
    """A running minimum or maximum where no operand is NaN (kind real)."""
    kind, _, rest = node.operator.partition(":")
    name, _, type_ = rest.partition(".")
    if kind != "scan" or name not in ("min", "max") or not type_.startswith(("f", "b")):
        return None
    return terms.node(f"scan:{name}num.{type_}", node.attributes, *node.children)


def truth_xor(node: Node, terms: Terms) -> Node | None:
    """Truth values differ where their exclusive or is true."""
    return terms.node("ne.bool", (), *node.children) if node.operator == "xor.bool" else None


Law = Callable[[Node, Terms], Node | None]
LAWS: dict[str, Law] = {
    "structure.view-absent": view_absent,
    "structure.view-pushed": view_pushed,
    "structure.gather-absent": gather_absent,
    "structure.truth-xor": truth_xor,
    "structure.index-value": index_value,
    "structure.index-narrow": index_narrow,
    "structure.scan-bf16-in-f32": scan_bfloat,
    "structure.scan-by-number": scan_number,
}
REAL_LAWS = ("structure.scan-bf16-in-f32", "structure.scan-by-number")
