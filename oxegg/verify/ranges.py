"""What a kernel tells about useful inputs: how large numbers may be, where indices may point."""

from __future__ import annotations

import math
from collections.abc import Sequence

from oxegg.ir import ElementType, Term, topological


def index_limits(terms: Sequence[Term]) -> dict[int, int]:
    """For inputs (by id) that gathers are indexed by: the size of the smallest such axis."""
    limits: dict[int, int] = {}
    for gather in (t for t in terms if t.operator == "gather"):
        size: int = gather.attributes[0].size
        for term in topological([gather.children[1]]):
            if term.operator == "input" and term.type.is_integer:
                limits[id(term)] = min(size, limits.get(id(term), size))
    return limits


# Their results leave the format, or lose all digits, for large arguments.
_STEEP = frozenset(["exp", "exp2", "expm1", "sin", "cos", "tanh", "erf", "sigmoid", "gelu"])
_STEEP_EXPONENT = 3
_LONGEST_PRODUCT = 64


def exponent_limit(terms: Sequence[Term], type_: ElementType) -> int:
    """Largest exponent of inputs with which products and sums of the kernel stay in range."""
    if not type_.is_float:
        return 0
    if any(t.operator in _STEEP for t in terms):
        return _STEEP_EXPONENT
    length = math.prod({a: a.size for t in terms for a in t.axes}.values())
    room = min((t.type.max_exponent for t in terms if t.type.is_float), default=16) - 2
    to_integer = [t.type.bits - 2 for t in terms if t.operator == "convert" and t.type.is_integer]
    room = min([room - math.ceil(math.log2(length)), *to_integer])
    return max(1, room // max(_degrees(terms)))


def _degrees(terms: Sequence[Term]) -> list[int]:
    """How many inputs are multiplied (or divided) together, at most, in each term."""
    found: dict[int, int] = {}
    for term in terms:
        below = [found[id(c)] for c in term.children]
        found[id(term)] = min(_degree(term, below), _LONGEST_PRODUCT)
    return [max(1, degree) for degree in found.values()]


def _degree(term: Term, below: Sequence[int]) -> int:
    if term.operator in ("input", "state"):
        return 1
    if term.operator == "const":
        value = term.constant
        return 0 if value is None or 2.0**-8 <= abs(value) <= 2.0**8 else 1
    if term.operator in ("mul", "div", "reciprocal", "rsqrt"):
        return sum(below) + (term.operator != "mul")
    if term.operator in ("fma", "fms", "fnma"):
        return max(below[0] + below[1], below[2])
    if term.operator in ("reduce", "scan") and term.attributes[0] == "mul":
        return below[0] * term.attributes[1].size
    if term.operator == "fold":
        return max(below) * term.attributes[0].size
    return max(below, default=0)
