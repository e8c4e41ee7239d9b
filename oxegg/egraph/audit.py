"""Auditing an e-graph: evaluate every logical node; the nodes of a class must agree.

Saturation trusts its rules and the axis analysis. The audit doesn't: each node is computed by the
reference evaluator from one representative per child class, on random inputs. Integers and truth
values must be equal; floats within a tolerance, since rules of kind "real" reorder roundings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.egraph.child import run_in_child
from oxegg.egraph.encode import Encoding, encode
from oxegg.egraph.engine import Engine, Table
from oxegg.egraph.rule_text import rule_texts
from oxegg.egraph.schema import ANALYSIS, DECLARATIONS, LOGICAL
from oxegg.errors import IRError, VerificationError
from oxegg.ir import (
    Affine,
    Axis,
    Kernel,
    Term,
    at,
    const,
    evaluate,
    gather,
    iota,
    pointwise,
    reduce,
    scan,
)
from oxegg.ir.types import I32, TYPES, bits_to_value
from oxegg.rules.pattern import Rule

Array = npt.NDArray[Any]
Node = tuple[str, tuple[Any, ...]]  # constructor, and its row without the class

ROUNDINGS = 64  # how many roundings two ways to the same value may differ by
_SECONDS, _MEMORY_MB = 60.0, 2500
_STEPS = 2  # of the one rule that is audited


@dataclass(frozen=True)
class Disagreement:
    """Two nodes of one class whose values differ, at the point where they differ most."""

    first: Term
    second: Term
    values: tuple[float, float]

    def __str__(self) -> str:
        return f"{self.first!r} is {self.values[0]!r}, {self.second!r} is {self.values[1]!r}"


def audit(encoding: Encoding, tables: Mapping[str, Table], seed: int = 0) -> list[Disagreement]:
    """Disagreements in the logical half of an e-graph (``tables`` as ``saturate`` returns them).

    Nodes under folds and concatenations are compared as far as the kernel's own terms go.
    """
    classes = list(_Terms(encoding, tables).alternatives())
    everything = [term for terms in classes for term in terms]
    with np.errstate(all="ignore"):
        values = iter(evaluate(everything, _inputs(encoding, seed)))
    found: list[Disagreement] = []
    for terms in classes:
        computed = [next(values) for _ in terms]
        for term, value in zip(terms[1:], computed[1:], strict=True):
            pair = _difference(terms[0], computed[0], term, value)
            if pair is not None:
                found.append(Disagreement(terms[0], term, pair))
    return found


def audit_rule(kernel: Kernel, rule: Rule, seed: int = 0) -> list[Disagreement]:
    """What goes wrong when ``rule`` alone, at all its types, is applied to ``kernel``."""
    encoding = encode(kernel)
    rows = "\n".join(rule_texts(rule, type_) for type_ in rule.types)

    def job(send: Callable[[Any], None]) -> None:
        engine = Engine()
        for text in (DECLARATIONS + ANALYSIS, "\n".join(encoding.forms), rows):
            engine.run(text)
        engine.saturate("analysis")
        for _ in range(_STEPS):
            engine.step(rule.phase)
            engine.saturate("analysis")
        send(engine.tables([*LOGICAL, "Id"]))

    tables, status = run_in_child(job, seconds=_SECONDS, memory_mb=_MEMORY_MB)
    if tables is None:
        raise VerificationError(f"the audit of {rule.name} ran out of {status}")
    return audit(encoding, tables, seed)


def blame(kernel: Kernel, rules: Sequence[Rule]) -> dict[str, Disagreement]:
    """Rules that, each alone, make a class of ``kernel`` disagree; with an example each."""
    found = {rule.name: audit_rule(kernel, rule) for rule in rules}
    return {name: disagreements[0] for name, disagreements in found.items() if disagreements}


def _inputs(encoding: Encoding, seed: int) -> dict[str, Array]:
    """Numbers that neither cancel much nor overflow soon; indices stay small."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, Array] = {}
    for leaf in encoding.leaves:
        if leaf.operator == "input":
            name, layout = leaf.attributes
            shape = [axis.size for axis in layout]
            low, high = (0.5, 2.0) if leaf.type.is_float else (0, 100)
            arrays[name] = np.asarray(rng.uniform(low, high, shape)).astype(leaf.type.numpy)
    return arrays


def _difference(
    first: Term, left: Array, second: Term, right: Array
) -> tuple[float, float] | None:
    """The worst pair of values, None where all of them agree."""
    axes = sorted({*first.axes, *second.axes}, key=lambda axis: axis.name)
    a, b = np.broadcast_arrays(*(_spread(v, t, axes) for v, t in ((left, first), (right, second))))
    if not first.type.is_float:
        wrong = a != b
        distance = wrong.astype(np.float64)
    else:
        a, b = a.astype(np.float64), b.astype(np.float64)
        finite = np.isfinite(a) & np.isfinite(b)
        distance = np.where(finite, np.abs(a - b), 0.0)
        scale = float(np.max(np.abs(a), initial=0.0, where=finite))
        wrong = distance > ROUNDINGS * first.type.unit_roundoff * scale
    if not wrong.any():
        return None
    worst = np.unravel_index(int(distance.argmax()), distance.shape)
    return float(a[worst]), float(b[worst])


def _spread(value: Array, term: Term, axes: Sequence[Axis]) -> Array:
    return value.reshape([axis.size if axis in term.axes else 1 for axis in axes])


class _Terms:
    """Terms for the classes of an e-graph, from the leaves up."""

    def __init__(self, encoding: Encoding, tables: Mapping[str, Table]) -> None:
        self.encoding = encoding
        self.chosen: dict[Any, Term] = {}  # class to its representative
        self.nodes: list[tuple[Node, Any]] = [
            ((name, row[:-1]), row[-1]) for name in LOGICAL for row in tables[name].rows
        ]
        self.kernel_classes: dict[Any, list[Term]] = {}
        for number, eclass in tables["Id"].rows:
            term = encoding.held[int(number)]
            if not _is_open(term):
                self.kernel_classes.setdefault(eclass, []).append(term)

    def alternatives(self) -> Iterator[list[Term]]:
        """For each class that has a representative: it, and a term per node that can be built."""
        for eclass, terms in self.kernel_classes.items():
            self.chosen[eclass] = terms[0]
        waiting = self.nodes
        while True:
            left: list[tuple[Node, Any]] = []
            for node, eclass in waiting:
                if eclass not in self.chosen:
                    term = self._build(node)
                    if term is None:
                        left.append((node, eclass))
                    else:
                        self.chosen[eclass] = term
            if len(left) == len(waiting):
                break
            waiting = left
        groups: dict[Any, list[Term]] = {e: [t] for e, t in self.chosen.items()}
        for eclass, terms in self.kernel_classes.items():
            groups[eclass] += terms[1:]
        for node, eclass in self.nodes:
            term = self._build(node)
            if term is not None:
                groups[eclass].append(term)
        yield from groups.values()

    def _build(self, node: Node) -> Term | None:
        """The node over its children's representatives; None where one is missing."""
        name, row = node
        builder = _BUILDERS.get(name)
        if builder is None:
            return None
        try:
            return builder(self, *row)
        except KeyError:
            return None
        except IRError as error:
            message = f"the e-graph has an ill-formed {name} node: {error.message}"
            raise VerificationError(message) from error

    def leaf(self, number: int) -> Term | None:
        term = self.encoding.leaves[number]
        return None if term.operator == "state" else term

    def constant(self, bits: int, type_: str) -> Term:
        own = TYPES[type_]
        return const(bits_to_value(bits & ((1 << own.bits) - 1), own), own)

    def pointwise(self, key: str, *children: Any) -> Term:
        name, *types = key.split(".")
        to = TYPES[types[1]] if len(types) == 2 else None
        return pointwise(name, *(self.chosen[c] for c in children), to=to)

    def reduction(self, key: str, axis: int, child: Any) -> Term:
        along = self.encoding.axes[axis]
        return reduce(key.split(".")[0], along, _along(self.chosen[child], along))

    def running(self, key: str, axis: int, child: Any) -> Term:
        along = self.encoding.axes[axis]
        return scan(key.split(".")[0], along, _along(self.chosen[child], along))

    def view(self, number: int, child: Any) -> Term:
        term = self.chosen[child]
        index: dict[Axis, Affine] = dict(self.encoding.views[number])
        return at(term, {axis: i for axis, i in index.items() if axis in term.axes})

    def gathered(self, axis: int, child: Any, index: Any) -> Term:
        term, along = self.chosen[child], self.encoding.axes[axis]
        return gather(_along(term, along), along, self.chosen[index])


_BUILDERS: Mapping[str, Callable[..., Term | None]] = {
    "Leaf": _Terms.leaf,
    "Const": _Terms.constant,
    "P1": _Terms.pointwise,
    "P2": _Terms.pointwise,
    "P3": _Terms.pointwise,
    "Red": _Terms.reduction,
    "Scan": _Terms.running,
    "View": _Terms.view,
    "Gather": _Terms.gathered,
}


def _along(term: Term, axis: Axis) -> Term:
    """The same values, repeated along ``axis`` where the term doesn't depend on it."""
    if axis in term.axes:
        return term
    position = iota(axis, I32)
    always = pointwise("eq", position, position)
    return pointwise("select", always, term, term)


def _is_open(term: Term) -> bool:
    """Whether a fold's state occurs outside of its fold: such terms have no value of their own."""
    if term.operator == "state":
        return True
    return term.operator != "fold" and any(_is_open(child) for child in term.children)
