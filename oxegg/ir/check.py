"""Well-formedness of a whole kernel: what the constructors of single terms can't see."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from oxegg.errors import IRError
from oxegg.ir.affine import Axis
from oxegg.ir.term import Kernel, Term, topological


def check(kernel: Kernel) -> None:
    """Raise :class:`IRError` unless the kernel is closed and its names are unambiguous."""
    if not kernel.outputs:
        raise IRError(f"kernel {kernel.name} has no output")
    _unique("input", (term.attributes[0] for term in kernel.inputs))
    _unique("output", (out.name for out in kernel.outputs))
    terms = list(topological([*kernel.inputs, *(out.value for out in kernel.outputs)]))
    _check_axes(terms)
    _check_inputs(kernel, terms)
    _check_states(kernel, terms)
    for out in kernel.outputs:
        _unique(f"axis of output {out.name}:", (a.name for a in out.layout))
        missing = set(out.value.axes) - set(out.layout)
        if missing:
            names = ", ".join(sorted(a.name for a in missing))
            raise IRError(f"output {out.name}: its layout lacks {names}")
        if out.shape is not None and _product(out.shape) != _product(a.size for a in out.layout):
            raise IRError(f"output {out.name}: shape {out.shape} does not fit its layout")


def _product(numbers: Iterable[int]) -> int:
    total = 1
    for number in numbers:
        total *= number
    return total


def _unique(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise IRError(f"{what} {name} occurs twice")
        seen.add(name)


def _check_axes(terms: Iterable[Term]) -> None:
    sizes: dict[str, int] = {}
    for axis in chain.from_iterable(term.axes for term in terms):
        if sizes.setdefault(axis.name, axis.size) != axis.size:
            raise IRError(f"axis {axis.name} has sizes {sizes[axis.name]} and {axis.size}")


def _check_inputs(kernel: Kernel, terms: Iterable[Term]) -> None:
    for term in terms:
        if term.operator == "input" and term not in kernel.inputs:
            raise IRError(f"input {term.attributes[0]} is not among the kernel's inputs")


# What a term that depends on a fold's state may do along the fold's own axis: nothing but
# computing step by step.
_ALONG_AXIS = {"reduce": 1, "scan": 1, "gather": 0, "concat": 0}


def _check_states(kernel: Kernel, terms: Iterable[Term]) -> None:
    """Every state is used only inside its fold, and there only one step at a time."""
    open_states: dict[int, frozenset[tuple[str, Axis]]] = {}
    for term in terms:
        free = frozenset[tuple[str, Axis]]().union(*(open_states[id(c)] for c in term.children))
        if term.operator == "state":
            free = frozenset({(term.attributes[0], term.attributes[1])})
        elif term.operator == "fold":
            free = _closed(term, open_states)
        else:
            _check_step(term, {axis for _, axis in free})
        open_states[id(term)] = free
    for out in kernel.outputs:
        for name, axis in open_states[id(out.value)]:
            raise IRError(
                f"output {out.name}: state {name} is used outside of its loop {axis.name}"
            )


def _closed(
    term: Term, open_states: dict[int, frozenset[tuple[str, Axis]]]
) -> frozenset[tuple[str, Axis]]:
    axis, names, _ = term.attributes
    n = len(names)
    own = {(name, axis) for name in names}
    _unique("state", names)
    for start in term.children[n : 2 * n]:
        if open_states[id(start)] & own:
            raise IRError(f"fold: a start uses a state of its own loop {axis.name}")
    inside = frozenset[tuple[str, Axis]]().union(*(open_states[id(c)] for c in term.children))
    return inside - own


def _check_step(term: Term, loops: set[Axis]) -> None:
    walked: set[Axis] = set()
    if term.operator == "at":
        walked = {axis for axis, _ in term.attributes}
    elif term.operator in _ALONG_AXIS:
        walked = {term.attributes[_ALONG_AXIS[term.operator]]}
    for axis in walked & loops:
        raise IRError(f"{term.operator} along {axis.name}, the counter of a loop still open")
