"""Better incumbents: the greedy method again and again under perturbed costs.

What the best selection uses becomes cheaper for a round, so that sharing with it looks good, and
all costs get noise. This finds most of the sharing that the greedy order misses.
"""

from __future__ import annotations

import time

import numpy as np

from oxegg.extraction.greedy_dag import shared_trees
from oxegg.extraction.reduction.lift import Rest
from oxegg.extraction.reduction.residual import Residual, Selection
from oxegg.extraction.solution import evaluate, restrict

_DISCOUNT = 0.2  # what a node of the best selection costs in a round, relative to its price
_DISCOUNTED = 0.7  # the share of them that gets it
_NOISE = (0.0, 0.3)  # standard deviation of log cost, by turns


def perturb(residual: Residual, *, patience: int, deadline: float, seed: int) -> Selection | None:
    """The best selection of rounds that stop after ``patience`` of them brought nothing.

    Each round depends on the seed and on earlier rounds only; ``deadline`` (on the clock of
    ``time.perf_counter``) merely cuts the sequence short.
    """
    rest = Rest.of(residual)
    problem = rest.problem
    choice = shared_trees(problem)
    if choice is None:
        return None
    best = restrict(problem, choice)
    best_cost = evaluate(problem, best)
    random = np.random.default_rng(seed)
    tiny = 1e-9 * max(best_cost, 1.0)
    idle = turn = 0
    while idle < patience and time.perf_counter() < deadline:
        factor = np.exp(random.normal(0.0, _NOISE[turn % len(_NOISE)], len(rest.options)))
        used = np.array(list(best.values()), dtype=np.int64)
        factor[used[random.random(len(used)) < _DISCOUNTED]] *= _DISCOUNT
        costs = np.maximum(problem.costs * factor[:, None], tiny)
        choice = shared_trees(problem.with_costs(costs, problem.column_level.tolist()))
        assert choice is not None  # what can be built does not depend on costs
        candidate = restrict(problem, choice)
        cost = evaluate(problem, candidate)
        idle, turn = idle + 1, turn + 1
        if cost < best_cost:
            best, best_cost, idle = candidate, cost, 0
    return rest.selection(best)
