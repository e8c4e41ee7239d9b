"""Substitution of axes: rewriting a term so that its axes are walked by other axes.

Renames and other bijections are pushed down to the inputs, where they cost nothing; a view that
drops or repeats elements of something computed stays an ``at`` above it, so that nothing is
computed twice. Reduced axes are bound: they are renamed when a new axis would be captured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from oxegg.frontend.names import names
from oxegg.ir import Affine, Axis, Term, at, concat, const, gather, iota, pointwise, reduce, scan

Mapping_ = Mapping[str, Affine]
_PUSH_LIMIT = 400  # nodes; larger terms keep the view on top
_LIGHT = {"convert", "bitcast"}


def substitute(term: Term, mapping: Mapping_) -> Term:
    """``term`` with each named axis replaced by an affine expression, all at once."""
    mapping = _relevant(term, mapping)
    if mapping and weight(term, _PUSH_LIMIT + 1) > _PUSH_LIMIT:
        return _on_top(term, mapping)
    return _walk(term, mapping)


def rename(term: Term, mapping: Mapping[Axis, Axis]) -> Term:
    """``term`` with axes renamed."""
    return substitute(term, {old.name: Affine.axis(new) for old, new in mapping.items()})


def weight(term: Term, limit: int) -> int:
    """Nodes of the term as a tree, counted up to ``limit``."""
    count, stack = 0, [term]
    while stack and count < limit:
        count += 1
        stack.extend(stack.pop().children)
    return count


def affine_of(term: Term) -> Affine | None:
    """The integer term as an affine expression of its axes, or None (also where it may wrap)."""
    found = _affine(term) if term.type.is_integer else None
    if found is None or found.range[0] < term.type.minimum or found.range[1] > term.type.maximum:
        return None
    return found


def _affine(term: Term) -> Affine | None:
    if term.operator == "const":
        return Affine(int(term.constant or 0))
    if term.operator == "iota":
        return Affine.axis(term.axes[0])
    parts = [affine_of(c) for c in term.children] if term.operator in _AFFINE else [None]
    known = [p for p in parts if p is not None]
    return _AFFINE[term.operator](*known) if len(known) == len(parts) else None


def _scaled(a: Affine, factor: int) -> Affine:
    return Affine.of(a.offset * factor, {axis: c * factor for axis, c in a.terms})


def _sum(a: Affine, b: Affine) -> Affine:
    total = dict(a.terms)
    for axis, coefficient in b.terms:
        total[axis] = total.get(axis, 0) + coefficient
    return Affine.of(a.offset + b.offset, total)


def _product(a: Affine, b: Affine) -> Affine | None:
    if not a.terms:
        return _scaled(b, a.offset)
    return _scaled(a, b.offset) if not b.terms else None


def _negated(a: Affine) -> Affine:
    return _scaled(a, -1)


def _difference(a: Affine, b: Affine) -> Affine:
    return _sum(a, _negated(b))


def _same(a: Affine) -> Affine:
    return a


_AFFINE: dict[str, Callable[..., Affine | None]] = {
    "convert": _same,
    "add": _sum,
    "sub": _difference,
    "mul": _product,
    "neg": _negated,
}


def is_bijective(axis: Axis, index: Affine) -> bool:
    """Whether ``index`` visits each position of ``axis`` exactly once."""
    if index.range != (0, axis.size - 1):
        return False
    steps = sorted((abs(c), a.size) for a, c in index.terms)
    expected = 1
    for step, size in steps:
        if step != expected:
            return False
        expected *= size
    return expected == axis.size


def _relevant(term: Term, mapping: Mapping_) -> dict[str, Affine]:
    return {
        a.name: mapping[a.name]
        for a in term.axes
        if a.name in mapping and mapping[a.name] != Affine.axis(a)
    }


def _on_top(term: Term, mapping: Mapping_) -> Term:
    return at(term, {a: mapping[a.name] for a in term.axes if a.name in mapping})


def _walk(term: Term, mapping: Mapping_) -> Term:
    mapping = _relevant(term, mapping)
    if not mapping:
        return term
    if term.operator in _HANDLERS:
        return _HANDLERS[term.operator](term, mapping)
    if not (term.operator in _LIGHT or _cheap(term, mapping)):
        return _on_top(term, mapping)
    children = [_walk(c, mapping) for c in term.children]
    return pointwise(term.operator, *children, to=term.type)


def _cheap(term: Term, mapping: Mapping_) -> bool:
    """Whether a view computes nothing twice: each index a bijection or one position."""
    targets = [a for index in mapping.values() for a in index.axes]
    kept = [a for a in term.axes if a.name not in mapping]
    distinct = len({*targets, *kept}) == len(targets) + len(kept)
    return distinct and all(
        not mapping[a.name].terms or is_bijective(a, mapping[a.name])
        for a in term.axes
        if a.name in mapping
    )


def _fresh_if_captured(bound: Axis, child: Term, mapping: Mapping_) -> Axis:
    targets = {a for index in mapping.values() for a in index.axes}
    if bound not in targets:
        return bound
    return names().derive(bound.name, bound.size, targets | set(child.axes))


def _walk_iota(term: Term, mapping: Mapping_) -> Term:
    """An affine index as arithmetic on the indices of the new axes (wraps like any integer)."""
    if not term.type.is_integer:
        return _on_top(term, mapping)
    index = mapping[term.axes[0].name]
    total: Term | None = None
    for axis, coefficient in index.terms:
        part = iota(axis, term.type)
        if coefficient != 1:
            part = pointwise("mul", part, const(coefficient, term.type))
        total = part if total is None else pointwise("add", total, part)
    offset = const(index.offset, term.type)
    if total is None:
        return offset
    return pointwise("add", total, offset) if index.offset else total


def _walk_reduce(term: Term, mapping: Mapping_) -> Term:
    operator, axis = term.attributes
    child = term.children[0]
    if not _cheap(term, mapping):
        return _on_top(term, mapping)
    fresh = _fresh_if_captured(axis, child, mapping)
    inner = {**mapping, axis.name: Affine.axis(fresh)}
    return reduce(operator, fresh, _walk(child, inner))


def _walk_scan(term: Term, mapping: Mapping_) -> Term:
    operator, axis = term.attributes
    target = _plain(axis, mapping)
    if target is None or not _cheap(term, mapping):
        return _on_top(term, mapping)
    return scan(operator, target, _walk(term.children[0], mapping))


def _plain(axis: Axis, mapping: Mapping_) -> Axis | None:
    """The axis that replaces ``axis`` one for one, or None."""
    index = mapping.get(axis.name, Affine.axis(axis))
    found = index.axes[0] if len(index.terms) == 1 else axis
    return found if index == Affine.axis(found) and found.size == axis.size else None


def _walk_at(term: Term, mapping: Mapping_) -> Term:
    composed = {a.name: index.substitute(mapping) for a, index in term.attributes}
    return _walk(term.children[0], {**mapping, **composed})


def _walk_gather(term: Term, mapping: Mapping_) -> Term:
    (axis,) = term.attributes
    child, index = term.children
    fresh = _fresh_if_captured(axis, child, mapping)
    inner = {**mapping, axis.name: Affine.axis(fresh)}
    return gather(_walk(child, inner), fresh, _walk(index, mapping))


def _walk_concat(term: Term, mapping: Mapping_) -> Term:
    axis: Axis = term.attributes[0]
    others = {name: index for name, index in mapping.items() if name != axis.name}
    index = mapping.get(axis.name, Affine.axis(axis))
    kept = {a for a in term.axes if a.name not in mapping}
    targets = {a for other in others.values() for a in other.axes}
    if axis in targets or ((kept | targets) - {axis}) & set(index.axes):
        return _on_top(term, mapping)
    parts = [_walk_part(own, part, others) for own, part in _parts(term)]
    start = 0
    for own, part in parts:
        size = own.size if own else 1
        low, high = index.range
        if start <= low and high < start + size:
            return part if own is None else _walk(part, {own.name: _shifted(index, -start)})
        start += size
    sliced = _slice_parts(parts, index)
    if sliced is None:
        return at(concat(axis, parts), {axis: index})
    return concat(index.axes[0], sliced)


def _is_moved(term: Term) -> bool:
    """Whether the term computes nothing: data that is there already, in other places."""
    inner = ("at", "concat", *_LIGHT)
    return not term.children or (term.operator in inner and all(map(_is_moved, term.children)))


def _parts(term: Term) -> list[tuple[Axis | None, Term]]:
    return list(zip(term.attributes[1], term.children, strict=True))


def _walk_part(own: Axis | None, part: Term, mapping: Mapping_) -> tuple[Axis | None, Term]:
    inner = dict(mapping)
    if own is not None:
        inner.pop(own.name, None)
        fresh = _fresh_if_captured(own, part, mapping)
        inner[own.name] = Affine.axis(fresh)
        own = fresh
    return own, _walk(part, inner)


def _shifted(index: Affine, by: int) -> Affine:
    return Affine(index.offset + by, index.terms)


def _slice_parts(
    parts: list[tuple[Axis | None, Term]], index: Affine
) -> list[tuple[Axis | None, Term]] | None:
    """The parts under a contiguous run of positions.

    None for any other index, and where a part would be cut that has to be computed: several such
    views of one concatenation would compute it several times.
    """
    if len(index.terms) != 1 or index.terms[0][1] != 1:
        return None
    low, high = index.range
    out: list[tuple[Axis | None, Term]] = []
    start = 0
    for own, part in parts:
        size = own.size if own else 1
        first, last = max(low, start) - start, min(high, start + size - 1) - start
        if 0 < last - first + 1 < size and not _is_moved(part):
            return None
        if first <= last:
            out.append(_piece(own, part, first, last - first + 1))
        start += size
    return out


def _piece(own: Axis | None, part: Term, first: int, size: int) -> tuple[Axis | None, Term]:
    if own is None or size == own.size:
        return own, part
    if size == 1:
        return None, _walk(part, {own.name: Affine(first)})
    fresh = names().derive(own.name, size, part.axes)
    return fresh, _walk(part, {own.name: Affine(first, ((fresh, 1),))})


def _leaf(term: Term, mapping: Mapping_) -> Term:
    return _on_top(term, mapping)


_HANDLERS: dict[str, Callable[[Term, Mapping_], Term]] = {
    "input": _leaf,
    "state": _leaf,
    "fold": _leaf,
    "iota": _walk_iota,
    "reduce": _walk_reduce,
    "scan": _walk_scan,
    "at": _walk_at,
    "gather": _walk_gather,
    "concat": _walk_concat,
}


def flat_index(axes: tuple[Axis, ...]) -> Affine:
    """Row-major position of a point in the box spanned by ``axes``."""
    total, step = dict[Axis, int](), 1
    for axis in reversed(axes):
        total[axis] = step
        step *= axis.size
    return Affine.of(0, total)
