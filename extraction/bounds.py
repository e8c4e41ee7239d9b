"""Cheap lower bounds on the cost of any choice, column by column.

The objective grows with every column total, so the objective of per-column bounds is a bound.
"""

from __future__ import annotations

import math
from heapq import heapify, heappop, heappush

from oxegg.extraction.problem import Problem
from oxegg.extraction.tree import leaves


def quick_bound(problem: Problem) -> float:
    """The dearest unavoidable path, per column; ``inf`` when a root can't be built."""
    if problem.has_negative_costs:
        return _paid_bound(problem)
    width = problem.costs.shape[1]
    return problem.objective([_dearest_path(problem, column) for column in range(width)])


def _dearest_path(problem: Problem, column: int) -> float:
    """Least over choices, greatest over paths from a root: the sum of one column along it."""
    cost = problem.costs[:, column].tolist()
    owner: list[int] = problem.node_class.tolist()
    users = problem.users
    missing = [len(children) for children in problem.children]
    heap = [(cost[node], node) for node in leaves(problem)]
    heapify(heap)
    bound: dict[int, float] = {}
    while heap:
        value, node = heappop(heap)
        eclass = owner[node]
        if eclass in bound:
            continue
        bound[eclass] = value
        for user in users[eclass]:
            missing[user] -= 1
            if not missing[user]:
                # Classes settle in ascending order: the last child to arrive is the dearest.
                heappush(heap, (cost[user] + value, user))
    return max(bound.get(root, math.inf) for root in problem.roots)


def _paid_bound(problem: Problem) -> float:
    """With negative costs: every class that can pay does, and nothing else is needed."""
    cost = problem.node_cost
    return math.fsum(
        min(0.0, *(cost[node] for node in nodes))
        for nodes in (problem.class_nodes[eclass] for eclass in problem.reachable)
        if nodes
    )
