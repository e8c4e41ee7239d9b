"""Windows and views: pushing ``at`` through the operations under it.

Index maps are host data (egglog sees only their number), so this family of equalities runs at
encoding: every ``at`` of a computed value is united with the same value computed at the shifted
place, and extraction decides between recomputing and loading from a buffer.
"""

from __future__ import annotations

from oxegg.ir.affine import Affine, Axis
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.term import Term, at, concat, const, gather, input_, iota, pointwise, reduce
from oxegg.ir.types import BOOL, U8


def as_read(term: Term) -> Term:
    """A parameter of truth values as kernels find it: bytes, which are true unless they are 0."""
    if term.operator != "input" or term.type is not BOOL:
        return term
    name, layout = term.attributes
    return pointwise("ne", input_(name, U8, layout), const(0, U8))


def pushed(term: Term) -> Term | None:
    """The same value with the view moved below its operand's operation, or None if it stays."""
    child = as_read(term.children[0])
    index: dict[Axis, Affine] = dict(term.attributes)
    if child.operator == "at":
        mapping = {axis.name: affine for axis, affine in index.items()}
        inner = {a: i.substitute(mapping) for a, i in child.attributes}
        kept = {a: i for a, i in index.items() if a in child.children[0].axes and a not in inner}
        return at(child.children[0], {**inner, **kept})
    if child.operator in OPERATIONS:
        parts = [_restrict(c, index) for c in child.children]
        to = child.type if OPERATIONS[child.operator].types == "convert" else None
        return pointwise(child.operator, *parts, to=to)
    if child.operator == "reduce":
        operator, axis = child.attributes
        clash = any(axis in affine.axes for affine in index.values())
        return None if clash else reduce(operator, axis, _restrict(child.children[0], index))
    if child.operator == "gather":
        (axis,) = child.attributes
        data = {a: i for a, i in index.items() if a != axis}
        clash = any(axis in affine.axes for affine in index.values())
        if clash:
            return None
        return gather(_restrict(child.children[0], data), axis, _restrict(child.children[1], index))
    if child.operator == "const":
        return child
    if child.operator == "concat":
        return _inside_part(child, index)
    return None


def _restrict(term: Term, index: dict[Axis, Affine]) -> Term:
    return at(term, {a: i for a, i in index.items() if a in term.axes})


def _inside_part(child: Term, index: dict[Axis, Affine]) -> Term | None:
    """A view that stays inside one part of a concatenation is a view of that part."""
    axis, owns = child.attributes
    walk = index.get(axis)
    if walk is None:
        return None
    start, (low, high) = 0, walk.range
    for own, part in zip(owns, child.children, strict=True):
        length = own.size if own else 1
        if start <= low and high < start + length:
            rest = {a: i for a, i in index.items() if a != axis}
            if own is not None:
                rest[own] = Affine(walk.offset - start, walk.terms)
            elif any(a not in {x for i in rest.values() for x in i.axes} for a in walk.axes):
                return None
            return _restrict(part, rest)
        start += length
    return None


def with_own_axes(term: Term) -> Term:
    """A concatenation whose parts are not laid out along axes that mean something else as well.

    A part that is the same all along its place gets an axis for it, unlike that of a concatenation
    inside of the part; so does one whose axis the result has from another part.
    """
    axis, owns = term.attributes
    parts: list[tuple[Axis | None, Term]] = []
    for own, part in zip(owns, term.children, strict=True):
        if own is None or (own in part.axes and own not in term.axes):
            parts.append((own, part))
            continue
        place = Axis(f"place_{_nesting(term)}_{own.size}", own.size)
        parts.append((place, _restrict(part, {own: Affine.axis(place)})))
    return concat(axis, parts)


def _nesting(term: Term) -> int:
    """How many concatenations lie directly within each other."""
    return 1 + max(map(_nesting, set(term.children))) if term.operator == "concat" else 0


def index_value(term: Term) -> Term | None:
    """``at`` of an iota as arithmetic: offset + sum of coefficient * iota(axis)."""
    child = term.children[0]
    if child.operator != "iota":
        return None
    ((_, affine),) = term.attributes
    total = const(affine.offset, term.type)
    for axis, coefficient in affine.terms:
        scaled = pointwise("mul", const(coefficient, term.type), iota(axis, term.type))
        total = pointwise("add", total, scaled)
    return total
