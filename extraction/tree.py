"""The cheapest tree for each class, by Knuth's generalisation of Dijkstra's algorithm.

Source: D. E. Knuth, "A generalization of Dijkstra's algorithm", Information Processing Letters
6(1), 1977. Sharing is ignored while choosing: the result is optimal as a tree, a good start as a
DAG, and acyclic by construction because a class is settled after all children of its node.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush

from oxegg.extraction.problem import Problem


def cheapest_trees(problem: Problem) -> dict[int, int] | None:
    """A node for every buildable reachable class; None when a root can't be built.

    Negative costs count as 0 here, so that a tree never gets cheaper by growing.
    """
    cost = [max(0.0, value) for value in problem.node_cost]
    flat, start = problem.child_class.tolist(), problem.child_start.tolist()
    owner: list[int] = problem.node_class.tolist()
    users = problem.users
    missing = [len(children) for children in problem.children]
    heap = [(cost[node], node) for node in leaves(problem)]
    heapify(heap)
    total: dict[int, float] = {}
    choice: dict[int, int] = {}
    while heap:
        value, node = heappop(heap)
        eclass = owner[node]
        if eclass in choice:
            continue
        choice[eclass] = node
        total[eclass] = value
        for user in users[eclass]:
            missing[user] -= 1
            if not missing[user] and owner[user] not in choice:
                uses = flat[start[user] : start[user + 1]]
                heappush(heap, (cost[user] + sum(total[child] for child in uses), user))
    return choice if choice.keys() >= set(problem.roots) else None


def leaves(problem: Problem) -> Iterator[int]:
    """Reachable usable nodes without children."""
    for eclass in problem.reachable:
        for node in problem.class_nodes[eclass]:
            if not problem.children[node]:
                yield node
