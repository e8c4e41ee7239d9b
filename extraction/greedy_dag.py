"""Greedy extraction that sees sharing: Dijkstra's order over sets of needed classes.

Each settled class carries the set of classes that its term needs. A node's cost is the cost of
the union of its children's sets, each class once, plus its own; the union costs at least as much
as its dearest child, so settling the cheapest node first is final, as in Knuth's tree algorithm.
Every node is priced at most once, and only when its optimistic price reaches the front.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

import numpy as np

from oxegg.extraction.bitset import members, positions
from oxegg.extraction.problem import Problem
from oxegg.extraction.tree import leaves

_Columns = tuple[float, ...]
# (price, node, priced, needed set, its columns); an unpriced entry carries an optimistic price.
_Entry = tuple[float, int, bool, int, _Columns]


def shared_trees(problem: Problem) -> dict[int, int] | None:
    """A node for every buildable reachable class; None when a root can't be built.

    Deterministic, independent of the order of nodes up to ties. Negative costs count as 0.
    """
    prices = _Prices(problem)
    owner: list[int] = problem.node_class.tolist()
    users = problem.users
    missing = [len(children) for children in problem.children]
    heap = [prices.exact(node, ()) for node in leaves(problem)]
    heapify(heap)
    choice: dict[int, int] = {}
    while heap:
        price, node, priced, needed, columns = heappop(heap)
        eclass = owner[node]
        if eclass in choice:
            continue
        if not priced:
            heappush(heap, prices.exact(node, problem.children[node]))
            continue
        choice[eclass] = node
        prices.settle(eclass, node, price, needed, columns)
        for user in users[eclass]:
            missing[user] -= 1
            if not missing[user] and owner[user] not in choice:
                heappush(heap, prices.optimistic(user, problem.children[user]))
    return choice if choice.keys() >= set(problem.roots) else None


class _Prices:
    """Prices and needed sets of settled classes; bit ``i`` stands for the ``i``-th one settled."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.rows: list[_Columns] = [tuple(row) for row in np.maximum(problem.costs, 0.0).tolist()]
        self.none: _Columns = (0.0,) * problem.costs.shape[1]
        self.price: dict[int, float] = {}
        self.columns: dict[int, _Columns] = {}
        self.needed: dict[int, int] = {}
        self.settled: list[_Columns] = []
        self.weights = np.empty((len(problem.class_names), len(self.none)))

    def settle(self, eclass: int, node: int, price: float, needed: int, columns: _Columns) -> None:
        rank = len(self.settled)
        self.weights[rank] = self.rows[node]
        self.settled.append(self.rows[node])
        self.price[eclass] = price
        self.columns[eclass] = columns
        self.needed[eclass] = needed | 1 << rank

    def optimistic(self, node: int, children: Sequence[int]) -> _Entry:
        return (max(self.price[child] for child in children), node, False, 0, self.none)

    def exact(self, node: int, children: Sequence[int]) -> _Entry:
        columns, needed = self.rows[node], 0
        if children:
            dearest = max(children, key=self.price.__getitem__)
            needed = self.needed[dearest]
            rest = 0
            for child in children:
                rest |= self.needed[child]
            extra = self._total(rest & ~needed)
            columns = _add(_add(columns, self.columns[dearest]), extra)
            needed |= rest
        price = columns[0] if len(columns) == 1 else self.problem.objective(columns)
        return (price, node, True, needed, columns)

    def _total(self, mask: int) -> _Columns:
        if mask.bit_count() > 24:
            return tuple(self.weights[positions(mask)].sum(axis=0).tolist())
        total = self.none
        for rank in members(mask):
            total = _add(total, self.settled[rank])
        return total


def _add(a: _Columns, b: _Columns) -> _Columns:
    return (a[0] + b[0],) if len(a) == 1 else tuple(x + y for x, y in zip(a, b, strict=True))
