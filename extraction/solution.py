"""Solutions, and an independent check of everything they claim."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from oxegg.errors import ExtractionError
from oxegg.extraction.problem import Problem

Status = Literal["optimal", "feasible", "infeasible"]

TOLERANCE = 1e-9
"""Relative distance under which a cost and a bound are the same number."""


@dataclass(frozen=True)
class Solution:
    """One node per needed class, its cost, and a proven lower bound on every choice's cost.

    ``choice`` maps class to node for exactly the classes reachable from the roots through chosen
    nodes. ``status`` is ``"optimal"`` only when ``lower_bound`` meets ``cost``. An infeasible
    solution has an empty choice and infinite cost and bound.
    """

    choice: Mapping[int, int]
    cost: float
    lower_bound: float
    status: Status
    method: str
    seconds: float

    @property
    def gap(self) -> float:
        """(cost - lower bound) / cost: 0 when optimal, 1 when nothing is known."""
        if self.status != "feasible":
            return 0.0
        return (self.cost - self.lower_bound) / max(abs(self.cost), 1e-300)


def conclude(
    problem: Problem,
    choice: Mapping[int, int] | None,
    lower_bound: float,
    *,
    method: str,
    seconds: float,
) -> Solution:
    """The checked Solution of ``choice`` (any superset of what is needed; None: infeasible)."""
    if choice is None:
        solution = Solution({}, math.inf, math.inf, "infeasible", method, seconds)
    else:
        needed = restrict(problem, choice)
        cost = evaluate(problem, needed)
        status = "optimal" if meets(lower_bound, cost) else "feasible"
        bound = min(lower_bound, cost)
        solution = Solution(needed, cost, bound, status, method, seconds)
    check(problem, solution)
    return solution


def restrict(problem: Problem, choice: Mapping[int, int]) -> dict[int, int]:
    """The part of ``choice`` that the roots need; raises ExtractionError where it has holes."""
    needed: dict[int, int] = {}
    stack = list(reversed(problem.roots))
    while stack:
        eclass = stack.pop()
        if eclass in needed:
            continue
        if eclass not in choice:
            raise ExtractionError(f"no node is chosen for class {problem.class_names[eclass]!r}")
        needed[eclass] = choice[eclass]
        stack.extend(reversed(problem.children[choice[eclass]]))
    return needed


def cheaper(
    problem: Problem, first: Mapping[int, int], second: Mapping[int, int] | None
) -> dict[int, int]:
    """The part that the roots need of the cheaper choice; the first one when they tie."""
    best = restrict(problem, first)
    if second is None:
        return best
    other = restrict(problem, second)
    return other if evaluate(problem, other) < evaluate(problem, best) else best


def evaluate(problem: Problem, choice: Mapping[int, int]) -> float:
    """The cost of the chosen nodes, each once."""
    rows = problem.costs[sorted(choice.values())]
    return problem.objective([math.fsum(column) for column in rows.T.tolist()])


def tree_cost(problem: Problem, choice: Mapping[int, int]) -> float:
    """The cost of the roots written out as trees: shared classes are paid at each use."""
    total: dict[int, float] = {}
    flat, start = problem.child_class, problem.child_start
    for eclass in topological(problem, choice):
        node = choice[eclass]
        uses = flat[start[node] : start[node + 1]].tolist()
        total[eclass] = problem.node_cost[node] + math.fsum(total[child] for child in uses)
    return math.fsum(total[root] for root in problem.roots)


def topological(problem: Problem, choice: Mapping[int, int]) -> list[int]:
    """The chosen classes, children first; raises ExtractionError when they form a cycle."""
    order: list[int] = []
    open_, done = 1, 2
    state: dict[int, int] = {}
    stack = [(eclass, False) for eclass in reversed(list(choice))]
    while stack:
        eclass, finished = stack.pop()
        if finished:
            state[eclass] = done
            order.append(eclass)
            continue
        if eclass in state:
            continue
        state[eclass] = open_
        stack.append((eclass, True))
        for child in problem.children[choice[eclass]]:
            if state.get(child) == open_:
                raise ExtractionError(
                    f"the choice is cyclic through class {problem.class_names[child]!r}"
                )
            if child not in state:
                stack.append((child, False))
    return order


def check(problem: Problem, solution: Solution) -> None:
    """Raise ExtractionError unless ``solution`` is exactly what it claims to be.

    Recomputes from the problem alone: nodes belong to their classes and are usable, the choice is
    closed, minimal and acyclic, its cost is the stated one, the bound is consistent with the
    status, and an infeasible problem really can't be built.
    """
    if solution.status == "infeasible":
        if buildable(problem).issuperset(problem.roots):
            raise ExtractionError("a choice exists, but the solution says infeasible")
        return
    choice = solution.choice
    for eclass, node in choice.items():
        if problem.node_class[node] != eclass or node not in problem.class_nodes[eclass]:
            raise ExtractionError(
                f"node {problem.node_names[node]!r} can't be chosen for class "
                f"{problem.class_names[eclass]!r}"
            )
    if restrict(problem, choice).keys() != choice.keys():
        raise ExtractionError("the choice names classes that the roots do not need")
    topological(problem, choice)
    cost = evaluate(problem, choice)
    if not math.isclose(cost, solution.cost, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
        raise ExtractionError(f"the choice costs {cost}, the solution says {solution.cost}")
    if solution.lower_bound > solution.cost:
        raise ExtractionError("the lower bound is above the cost")
    if solution.status == "optimal" and not meets(solution.lower_bound, solution.cost):
        raise ExtractionError("the solution says optimal, but its bound does not reach its cost")


def buildable(problem: Problem) -> set[int]:
    """The classes that have at least one finite, acyclic term."""
    users: dict[int, list[int]] = {}
    missing: dict[int, int] = {}
    done: set[int] = set()
    ready: list[int] = []
    for eclass, nodes in enumerate(problem.class_nodes):
        for node in nodes:
            missing[node] = len(problem.children[node])
            for child in problem.children[node]:
                users.setdefault(child, []).append(node)
            if not missing[node]:
                ready.append(eclass)
    while ready:
        eclass = ready.pop()
        if eclass in done:
            continue
        done.add(eclass)
        for node in users.get(eclass, ()):
            missing[node] -= 1
            if not missing[node]:
                ready.append(int(problem.node_class[node]))
    return done


def meets(lower_bound: float, cost: float) -> bool:
    """True when bound and cost are the same number as far as doubles can tell."""
    return lower_bound >= cost - TOLERANCE * max(1.0, abs(cost))
