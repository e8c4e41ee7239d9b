"""Between which values the integers of a kernel lie, by interval arithmetic over its terms.

Inputs take all values of their types. Where a result could leave its type, and for operations that
this table doesn't know, the range is that of the type: so it holds whatever wraps around.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence

from oxegg.ir.term import Term, topological
from oxegg.ir.types import ElementType

Range = tuple[int, int]
"""Least and largest value; both belong to it."""
Rule = Callable[[Term, Sequence[Range]], Range | None]
"""The range of a term from those of its children; None where nothing is known."""


def integer_ranges(roots: Iterable[Term]) -> dict[int, Range]:
    """Ranges of all integer terms below ``roots``, by ``id`` of the term."""
    ranges: dict[int, Range] = {}
    for term in topological(list(roots)):
        if term.type.is_integer:
            ranges[id(term)] = _range(term, ranges)
    return ranges


def whole_range(type_: ElementType) -> Range:
    """All values of an integer type."""
    return int(type_.minimum), int(type_.maximum)


def _range(term: Term, ranges: Mapping[int, Range]) -> Range:
    whole = whole_range(term.type)
    rule = _RULES.get(term.operator)
    if rule is None or any(child.type.is_float for child in term.children):
        return whole
    found = rule(term, [ranges.get(id(child), (0, 1)) for child in term.children])
    fits = found is not None and whole[0] <= found[0] and found[1] <= whole[1]
    return found if found is not None and fits else whole


def _union(term: Term, operands: Sequence[Range]) -> Range:
    del term
    return min(low for low, _ in operands), max(high for _, high in operands)


def _first(term: Term, operands: Sequence[Range]) -> Range:
    del term
    return operands[0]


def _constant(term: Term, operands: Sequence[Range]) -> Range | None:
    del operands
    value = term.constant
    return (value, value) if isinstance(value, int) else None


def _iota(term: Term, operands: Sequence[Range]) -> Range:
    del operands
    return 0, term.attributes[0].size - 1


def _ends(function: Callable[..., int]) -> Rule:
    """Of a function that is monotonic in each operand while the others stay."""

    def rule(term: Term, operands: Sequence[Range]) -> Range:
        del term
        values = [function(*ends) for ends in _choices(operands)]
        return min(values), max(values)

    return rule


def _choices(operands: Sequence[Range]) -> list[tuple[int, ...]]:
    """Every way to take one end of each range."""
    chosen: list[tuple[int, ...]] = [()]
    for ends in operands:
        chosen = [(*before, end) for before in chosen for end in ends]
    return chosen


def _shift_right(term: Term, operands: Sequence[Range]) -> Range | None:
    """By one amount that is known: amounts count modulo the width."""
    (low, high), (least, most) = operands
    amount = least % term.type.bits
    return (low >> amount, high >> amount) if least == most else None


def _shift_left(term: Term, operands: Sequence[Range]) -> Range | None:
    (low, high), (least, most) = operands
    amount = least % term.type.bits
    return (low << amount, high << amount) if least == most else None


def _and(term: Term, operands: Sequence[Range]) -> Range | None:
    """Not above either operand that isn't negative."""
    del term
    tops = [high for low, high in operands if low >= 0]
    return (0, min(tops)) if tops else None


def _absolute(term: Term, operands: Sequence[Range]) -> Range:
    del term
    ((low, high),) = operands
    return max(0, low, -high), max(-low, high)


def _negated(term: Term, operands: Sequence[Range]) -> Range:
    del term
    ((low, high),) = operands
    return -high, -low


def _select(term: Term, operands: Sequence[Range]) -> Range:
    return _union(term, operands[1:])


def _reduce(term: Term, operands: Sequence[Range]) -> Range | None:
    name, axis = term.attributes
    low, high = operands[0]
    if name in ("min", "max"):
        return low, high
    return (axis.size * low, axis.size * high) if name == "add" else None


def _scan(term: Term, operands: Sequence[Range]) -> Range | None:
    """As a reduction over the first elements: one of them, or all, or some."""
    whole = _reduce(term, operands)
    return _union(term, [whole, operands[0]]) if whole is not None else None


_RULES: Mapping[str, Rule] = {
    "const": _constant,
    "iota": _iota,
    "at": _first,
    "gather": _first,
    "concat": _union,
    "reduce": _reduce,
    "scan": _scan,
    "convert": _first,
    "select": _select,
    "and": _and,
    "abs": _absolute,
    "shl": _shift_left,
    "shr": _shift_right,
    "add": _ends(operator.add),
    "sub": _ends(operator.sub),
    "mul": _ends(operator.mul),
    "neg": _negated,
    "min": _ends(min),
    "max": _ends(max),
}
