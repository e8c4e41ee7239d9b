"""Several programs instead of one: the k cheapest, or a few that differ as much as they can.

A cost model is never the machine; a search driver simulates several choices and keeps the best.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from heapq import heappop, heappush
from itertools import count as counter

import numpy as np

from oxegg.errors import ExtractionError
from oxegg.extraction.methods import Method, extract
from oxegg.extraction.problem import Problem
from oxegg.extraction.solution import Solution, conclude, evaluate, restrict

_Choice = Mapping[int, int]


def k_best(
    problem: Problem,
    count: int,
    *,
    method: Method = "exact",
    seconds: float = 10.0,
    seed: int = 0,
) -> list[Solution]:
    """Up to ``count`` distinct choices, cheapest first; fewer when time or choices run out.

    They are the ``count`` cheapest ones if ``method`` is ``"exact"`` and no run hit the clock.
    Each found choice splits what is left: agree with it up to some class, differ there. Source:
    K. G. Murty, Operations Research 16(3), 1968. One extraction per class of each choice.
    """
    start = time.perf_counter()
    first = extract(problem, method, seconds=seconds / 2, seed=seed)
    ticket = counter()
    heap: list[tuple[float, int, Solution, Problem, int]] = []
    if first.status != "infeasible":
        heappush(heap, (first.cost, next(ticket), first, problem, 0))
    found: list[Solution] = []
    while heap and len(found) < count:
        _, _, solution, space, fixed = heappop(heap)
        found.append(_as_one_of_many(problem, solution.choice, first, start))
        for depth, part in _differing(space, solution.choice, fixed):
            left = seconds - (time.perf_counter() - start)
            if left <= 0 or len(found) == count:
                break
            other = extract(part, method, seconds=min(left, seconds / 20), seed=seed)
            if other.status != "infeasible":
                heappush(heap, (other.cost, next(ticket), other, part, depth))
    return found


def diverse(
    problem: Problem,
    count: int,
    *,
    slack: float = 0.25,
    seconds: float = 10.0,
    seed: int = 0,
) -> list[Solution]:
    """Up to ``count`` choices, cheapest first, far apart, none dearer than (1 + slack) x the best.

    Distance is the share of chosen nodes that two choices do not have in common. Candidates come
    from extraction under growing penalties on the nodes of earlier candidates; the result is the
    greedy farthest-point subset, which starts with the best choice known.
    """
    if count < 1:
        raise ExtractionError(f"can't return {count} choices", hint="ask for at least one")
    start = time.perf_counter()
    best = extract(problem, "exact", seconds=seconds / 2, seed=seed)
    if best.status == "infeasible":
        return []
    limit = best.cost + slack * abs(best.cost)
    pool: list[_Choice] = [best.choice]
    for choice in _penalised(problem, best, start + seconds, seed, rounds=8 * count):
        if choice not in pool and evaluate(problem, choice) <= limit:
            pool.append(choice)
    picked = [pool.pop(0)]
    while pool and len(picked) < count:
        farthest = max(pool, key=lambda c: min(distance(c, other) for other in picked))
        pool.remove(farthest)
        picked.append(farthest)
    picked[1:] = sorted(picked[1:], key=lambda choice: evaluate(problem, choice))
    return [_as_one_of_many(problem, choice, best, start) for choice in picked]


def distance(first: _Choice, second: _Choice) -> float:
    """Jaccard distance of the sets of chosen nodes: 0 for equal choices, 1 for disjoint ones."""
    a, b = set(first.values()), set(second.values())
    return 1.0 - len(a & b) / len(a | b)


def _differing(space: Problem, choice: _Choice, fixed: int) -> Iterator[tuple[int, Problem]]:
    """Disjoint subspaces that hold every choice of ``space`` except this one.

    Classes come in the order in which the roots need them, so the class that differs is needed
    whenever the ones before it agree. The first ``fixed`` classes already agree by construction.
    """
    order = list(restrict(space, choice).items())
    costs = space.costs.copy()
    for depth, (eclass, node) in enumerate(order):
        others = [other for other in space.class_nodes[eclass] if other != node]
        if depth >= fixed and others:
            without = costs.copy()
            without[node] = np.inf
            yield depth, space.with_costs(without, space.column_level.tolist())
        costs[others] = np.inf


def _penalised(
    problem: Problem, best: Solution, deadline: float, seed: int, *, rounds: int
) -> Iterator[_Choice]:
    """Greedy choices that avoid, more and more, the nodes used so far."""
    random = np.random.default_rng(seed)
    uses = np.zeros(len(problem.labels))
    uses[list(best.choice.values())] += 1
    # A free node that was used must become dearer too, hence the additive part.
    step = max(abs(best.cost), 1e-9) / len(best.choice)
    for _ in range(rounds):
        if time.perf_counter() >= deadline:
            return
        weight = random.uniform(0.1, 1.0) * uses[:, None]
        costs = np.maximum(problem.costs, 0.0) * (1.0 + weight) + 0.25 * step * weight
        choice = extract(
            problem.with_costs(costs, problem.column_level.tolist()), "dag", seed=seed
        ).choice
        uses[list(choice.values())] += 1
        yield choice


def _as_one_of_many(problem: Problem, choice: _Choice, first: Solution, start: float) -> Solution:
    """A checked Solution; its bound is the one on the best choice of all."""
    return conclude(
        problem,
        choice,
        first.lower_bound,
        method=first.method,
        seconds=time.perf_counter() - start,
    )
