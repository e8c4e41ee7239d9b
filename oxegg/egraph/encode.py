"""From terms to e-graph facts: numbering axes, leaves and index maps on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from oxegg.egraph.rule_text import operator_key, signed_bits
from oxegg.egraph.views import as_read, index_value, pushed, with_own_axes
from oxegg.errors import LoweringError
from oxegg.ir.affine import Affine, Axis
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.ranges import integer_ranges, whole_range
from oxegg.ir.term import Kernel, Term, iota, pointwise, topological
from oxegg.ir.types import BOOL, I32, U8, U16, U32, ElementType, bits_to_value

MAX_AXES = 62  # one bit each in a signed 64-bit integer
MAX_CONCATS, MAX_PARTS = 998, 1000  # layout codes have three decimal digits for each
IndexMap = tuple[tuple[Axis, Affine], ...]


@dataclass
class Encoding:
    """An encoded kernel: the egglog text and the host tables that its numbers point into."""

    kernel: Kernel
    axes: list[Axis] = field(default_factory=list[Axis])
    leaves: list[Term] = field(default_factory=list[Term])
    views: list[IndexMap] = field(default_factory=list[IndexMap])
    concats: list[Term] = field(default_factory=list[Term])
    folds: list[Term] = field(default_factory=list[Term])
    forms: list[str] = field(default_factory=list[str])
    operators: set[str] = field(default_factory=set[str])
    types: set[ElementType] = field(default_factory=set[ElementType])
    ids: dict[int, int] = field(default_factory=dict[int, int])
    held: list[Term] = field(default_factory=list[Term])  # keeps encoded terms alive
    roots: list[int] = field(default_factory=list[int])

    def axis(self, axis: Axis) -> int:
        if axis not in self.axes:
            self.axes.append(axis)
            if len(self.axes) > MAX_AXES:
                raise LoweringError(
                    f"the kernel has more than {MAX_AXES} axes",
                    hint="split it into several kernels",
                )
        return self.axes.index(axis)

    def axis_at(self, number: int) -> Axis:
        return self.axes[number]

    def leaf(self, number: int) -> Term:
        return self.leaves[number]

    def concat(self, number: int) -> Term:
        return self.concats[number]

    def fold(self, number: int) -> Term:
        return self.folds[number]

    def view(self, number: int) -> IndexMap:
        return self.views[number]

    def mask(self, axes: tuple[Axis, ...]) -> int:
        return sum(1 << self.axis(a) for a in axes)


def encode(kernel: Kernel) -> Encoding:
    """Facts for every term of ``kernel``; ``roots[i]`` is the id of output ``i``."""
    encoding = Encoding(kernel)
    for output in kernel.outputs:
        value = output.value
        if value.type is BOOL:
            value = pointwise("convert", value, to=U8)
        encoding.roots.append(_encode(encoding, value))
    _bounds(encoding)
    return encoding


def _bounds(encoding: Encoding) -> None:
    """Bounds of the sums that tiles may hold, where not every number of the type can occur."""
    for key, found in integer_ranges(encoding.held).items():
        term = encoding.held[encoding.ids[key]] if key in encoding.ids else None
        if term is not None and term.type is I32 and found != whole_range(I32):
            for name, bound in zip(("low", "high"), found, strict=True):
                encoding.forms.append(f"(set ({name} (Id {encoding.ids[key]})) {bound})")


def _encode(encoding: Encoding, root: Term) -> int:
    for term in topological([root]):
        if id(term) in encoding.ids:
            continue
        number = len(encoding.held)
        encoding.held.append(term)
        encoding.types.add(term.type)
        text = _node(encoding, term)
        encoding.ids[id(term)] = number
        encoding.forms.append(f"(union (Id {number}) {text})")
        _facts(encoding, term, number)
    return encoding.ids[id(root)]


def _child(encoding: Encoding, term: Term) -> str:
    return f"(Id {encoding.ids[id(term)]})"


def _list(encoding: Encoding, terms: tuple[Term, ...]) -> str:
    text = "(TNil)"
    for term in reversed(terms):
        text = f"(TCons {_child(encoding, term)} {text})"
    return text


def _node(encoding: Encoding, term: Term) -> str:
    if term.operator in OPERATIONS:
        return _pointwise(encoding, term)
    return _STRUCTURAL[term.operator](encoding, term)


def _pointwise(encoding: Encoding, term: Term) -> str:
    row = OPERATIONS[term.operator]
    operand = term.children[-1].type
    target = term.type if row.types == "convert" else None
    key = operator_key(term.operator, operand, target)
    encoding.operators.add(key)
    children = " ".join(_child(encoding, c) for c in term.children)
    return f'(P{row.arity} "{key}" {children})'


def _leaf(encoding: Encoding, term: Term) -> str:
    read = as_read(term)
    if read is not term:
        return f"(Id {_encode(encoding, read)})"
    encoding.leaves.append(term)
    return f"(Leaf {len(encoding.leaves) - 1})"


def _const(encoding: Encoding, term: Term) -> str:
    del encoding
    value = bits_to_value(term.attributes[0], term.type)
    return f'(Const {signed_bits(value, term.type)} "{term.type}")'


def _folded(constructor: str) -> Any:
    def node(encoding: Encoding, term: Term) -> str:
        operator, axis = term.attributes
        key = operator_key(operator, term.type)
        encoding.operators.add(f"{'reduce:' if constructor == 'Red' else 'scan:'}{key}")
        child = _child(encoding, term.children[0])
        return f'({constructor} "{key}" {encoding.axis(axis)} {child})'

    return node


def _view(encoding: Encoding, term: Term) -> str:
    if term.attributes not in encoding.views:
        encoding.views.append(term.attributes)
        number = len(encoding.views) - 1
        removed = encoding.mask(tuple(axis for axis, _ in term.attributes))
        added = encoding.mask(tuple({a for _, i in term.attributes for a in i.axes}))
        every = (1 << 63) - 1
        encoding.forms.append(f"(set (viewmask {number}) {every & ~removed})")
        encoding.forms.append(f"(set (viewadd {number}) {added})")
    return f"(View {encoding.views.index(term.attributes)} {_child(encoding, term.children[0])})"


def _gather(encoding: Encoding, term: Term) -> str:
    data, index = (_child(encoding, c) for c in term.children)
    return f"(Gather {encoding.axis(term.attributes[0])} {data} {index})"


def _concat(encoding: Encoding, term: Term) -> str:
    apart = with_own_axes(term)
    if len(encoding.concats) == MAX_CONCATS or len(apart.children) > MAX_PARTS:
        raise LoweringError(
            f"the kernel has more than {MAX_CONCATS} concatenations, or one of over {MAX_PARTS}",
            hint="split it into several kernels",
        )
    for part in apart.children:
        _encode(encoding, part)
    encoding.concats.append(apart)
    return f"(Cat {len(encoding.concats) - 1} {_list(encoding, apart.children)})"


def _fold(encoding: Encoding, term: Term) -> str:
    encoding.folds.append(term)
    return f"(Fold {len(encoding.folds) - 1} {_list(encoding, term.children)})"


_STRUCTURAL: dict[str, Any] = {
    "input": _leaf,
    "iota": _leaf,
    "state": _leaf,
    "const": _const,
    "reduce": _folded("Red"),
    "scan": _folded("Scan"),
    "at": _view,
    "gather": _gather,
    "concat": _concat,
    "fold": _fold,
}


def _narrow_index(term: Term) -> Term | None:
    """Positions in the narrowest unsigned type that holds them, widened again."""
    if term.operator != "iota" or not term.type.is_integer:
        return None
    largest = term.axes[0].size - 1
    fitting = [t for t in (U8, U16, U32) if largest <= t.maximum and t.bits < term.type.bits]
    return pointwise("convert", iota(term.axes[0], fitting[0]), to=term.type) if fitting else None


def _facts(encoding: Encoding, term: Term, number: int) -> None:
    """Axes of nodes that no rule creates, and the equalities of views."""
    if term.operator in ("input", "iota", "state", "concat", "fold", "scan", "gather"):
        encoding.forms.append(f"(set (free (Id {number})) {encoding.mask(term.axes)})")
    narrow = _narrow_index(term)
    if narrow is not None:
        encoding.forms.append(f"(union (Id {number}) (Id {_encode(encoding, narrow)}))")
    if term.operator == "at":
        for other in (pushed(term), index_value(term)):
            if other is not None:
                same = _encode(encoding, other)
                encoding.forms.append(f"(union (Id {number}) (Id {same}))")
