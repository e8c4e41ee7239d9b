"""What is left of an extraction problem while rules shrink it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from oxegg.extraction.problem import IntArray, Problem

Cost = tuple[int, ...]


class Option(NamedTuple):
    """A node, or several nodes of inlined classes taken together (``picks``)."""

    cost: Cost
    children: frozenset[int]
    picks: tuple[int, ...]

    def without(self, classes: Iterable[int]) -> Option:
        return Option(self.cost, self.children.difference(classes), self.picks)


@dataclass
class Residual:
    """Classes still open, each with its options; ``paid`` and ``picks`` are settled for good.

    Rules keep at least one choice cheaper than ``upper`` if there was one: lifting the best
    residual choice, or keeping the incumbent when none is left, is optimal.
    """

    options: dict[int, list[Option]]
    roots: set[int]
    levels: tuple[tuple[int, ...], ...]
    paid: Cost
    upper: int
    picks: list[int] = field(default_factory=list[int])
    lower: int = -(2**62)  # a proven bound, as far as the rules have seen one
    hopeless: bool = False  # no choice is cheaper than `upper`
    pays: bool = False  # some option may have a negative cost

    @classmethod
    def of(cls, problem: Problem, costs: IntArray, upper: int) -> Residual:
        """The reachable part of the problem; nodes that need their own class are left out."""
        rows: list[Cost] = [tuple(row) for row in costs.tolist()]
        options = {
            eclass: [
                Option(rows[node], frozenset(problem.children[node]), (node,))
                for node in problem.class_nodes[eclass]
                if eclass not in problem.children[node]
            ]
            for eclass in problem.reachable
        }
        paid = (0,) * costs.shape[1]
        pays = problem.has_negative_costs
        return cls(options, set(problem.roots), problem.levels, paid, upper, pays=pays)

    def objective(self, columns: Iterable[int]) -> int:
        """The integer objective of column totals."""
        totals = tuple(columns)
        if len(totals) == 1:
            return totals[0]
        return sum(max(totals[j] for j in level) for level in self.levels)

    def users(self) -> dict[int, set[int]]:
        """For each open class the classes with an option that needs it."""
        users: dict[int, set[int]] = {eclass: set() for eclass in self.options}
        for eclass, options in self.options.items():
            for option in options:
                for child in option.children:
                    users[child].add(eclass)
        return users

    @property
    def size(self) -> int:
        """The number of options."""
        return sum(map(len, self.options.values()))

    def floor(self) -> int:
        """A bound that needs no proof: every class that can pay does, and nothing costs."""
        if not self.pays:
            return 0
        return sum(
            min(0, *(min(option.cost) for option in options))
            for options in self.options.values()
            if options
        )

    def settle(self, eclass: int, option: Option) -> None:
        """Choose ``option`` for good; its children become roots. Callers drop references."""
        del self.options[eclass]
        self.roots.discard(eclass)
        self.roots |= option.children
        self.paid = add(self.paid, option.cost)
        self.picks.extend(option.picks)


def add(a: Cost, b: Cost) -> Cost:
    """Column-wise sum."""
    return (a[0] + b[0],) if len(a) == 1 else tuple(x + y for x, y in zip(a, b, strict=True))


def at_most(a: Cost, b: Cost) -> bool:
    """True when no column of ``a`` exceeds ``b``."""
    return a[0] <= b[0] if len(a) == 1 else all(x <= y for x, y in zip(a, b, strict=True))


Selection = dict[int, Option]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a solver found: a selection cheaper than ``upper`` (or None) and a proven bound.

    The bound is on the residual's objective, paid part included; it is at most ``upper``, and
    equal to it when nothing cheaper exists. ``exhausted``: more time would change nothing.
    """

    selection: Selection | None
    bound: int
    exhausted: bool = False


def total(residual: Residual, selection: Selection) -> int:
    """The residual's objective under ``selection``."""
    rows = [residual.paid, *(option.cost for option in selection.values())]
    return residual.objective(map(sum, zip(*rows, strict=True)))
