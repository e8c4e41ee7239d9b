"""Kernels as text, one term a line; :mod:`oxegg.ir.parse` reads it back.

    kernel rowsum
    %0 = input x [rows=4, cols=8] : f32 {cols=8, rows=4}
    %1 = reduce add cols %0 : f32 {rows=4}
    output out %1 [rows=4]

Where operands give the type and axes of a line, the parser checks them. A number sign starts a
comment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from oxegg.ir.affine import Axis
from oxegg.ir.term import Kernel, Term, topological


def to_text(kernel: Kernel) -> str:
    """The kernel as text that :func:`oxegg.ir.parse.parse` reads back to the same terms."""
    roots = [*kernel.inputs, *(out.value for out in kernel.outputs)]
    numbers: dict[int, int] = {}
    lines = [f"kernel {kernel.name}"]
    for term in topological(roots):
        numbers[id(term)] = len(numbers)
        shown = f"%{numbers[id(term)]} = {_body(term, numbers)} : {term.type} {_set(term.axes)}"
        value = f"  # {term.constant}" if term.operator == "const" else ""
        lines.append(shown + value)
    for out in kernel.outputs:
        shape = f" shape {list(out.shape)}" if out.shape is not None else ""
        number = numbers[id(out.value)]
        lines.append(f"output {out.name} %{number} {_list(out.layout)}{shape}")
    return "\n".join(lines) + "\n"


def _set(axes: Sequence[Axis]) -> str:
    return "{" + ", ".join(map(str, axes)) + "}"


def _list(axes: Sequence[Axis]) -> str:
    return "[" + ", ".join(map(str, axes)) + "]"


def _body(term: Term, numbers: Mapping[int, int]) -> str:
    children = [f"%{numbers[id(c)]}" for c in term.children]
    form = _FORMS.get(term.operator)
    return form(term, children) if form else " ".join([term.operator, *children])


def _show_fold(term: Term, children: Sequence[str]) -> str:
    axis, names, which = term.attributes
    n = len(names)
    states = [f"{names[i]}: {' '.join(children[i::n])}" for i in range(n)]
    return f"fold {axis.name} {which} [{', '.join(states)}]"


def _show_concat(term: Term, children: Sequence[str]) -> str:
    axis, owns = term.attributes
    parts = [f"{own or '.'} {c}" for own, c in zip(owns, children, strict=True)]
    return f"concat {axis.name} [{', '.join(parts)}]"


def _show_at(term: Term, children: Sequence[str]) -> str:
    walks = ", ".join(f"{axis.name} := {index}" for axis, index in term.attributes)
    return f"at {children[0]} [{walks}]"


def _show_reduction(term: Term, children: Sequence[str]) -> str:
    operator, axis = term.attributes
    return f"{term.operator} {operator} {axis.name} {children[0]}"


_FORMS: dict[str, Callable[[Term, Sequence[str]], str]] = {
    "input": lambda t, _: f"input {t.attributes[0]} {_list(t.attributes[1])}",
    "const": lambda t, _: f"const {t.attributes[0]:#x}",
    "iota": lambda t, _: f"iota {t.axes[0].name}",
    "reduce": _show_reduction,
    "scan": _show_reduction,
    "at": _show_at,
    "gather": lambda t, c: f"gather {t.attributes[0].name} {' '.join(c)}",
    "concat": _show_concat,
    "state": lambda t, _: f"state {t.attributes[0]} {t.attributes[1].name}",
    "fold": _show_fold,
}
