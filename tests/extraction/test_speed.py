"""What keeps extraction fast: few conflicts in the first proof, no garbage collection."""

from __future__ import annotations

import gc
import math

import numpy as np
import pytest

from oxegg.extraction import Node, Problem, answer_set, extract, integer_program, methods, reduction
from oxegg.extraction.reduction import Residual, tidy
from oxegg.extraction.scaling import integer_costs
from tests.extraction.graphs import interleaved, overlapping


@pytest.mark.parametrize("seed", [19, 27])
def test_only_what_can_be_built_is_chosen_so_a_proof_takes_few_conflicts(seed: int) -> None:
    problem = interleaved(seed)
    upper = round(extract(problem, "tree").cost)
    residual = Residual.of(problem, integer_costs(problem, upper).costs, upper)
    tidy(residual)
    best = extract(problem, "exact").cost
    assert answer_set.solve(residual, 60, seed=0, conflicts=200).bound == best


def test_the_garbage_collector_rests_during_an_extraction(monkeypatch: pytest.MonkeyPatch) -> None:
    trees = methods.cheapest_trees
    enabled: list[bool] = []

    def record(problem: Problem) -> dict[int, int] | None:
        enabled.append(gc.isenabled())
        return trees(problem)

    monkeypatch.setattr(methods, "cheapest_trees", record)
    extract(overlapping(0), "exact")
    assert enabled == [False]
    assert gc.isenabled()


def test_a_bound_that_meets_the_cost_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    # Weights of 32 bits round irrational costs, by far less than what the tolerance allows here.
    plain = overlapping(0)
    costs = [math.sqrt(cost) for cost in plain.node_cost]
    costs[0] = 10_000 * math.pi
    problem = plain.with_costs(np.array(costs)[:, None], levels=(0,))

    def refuse(*_: object) -> None:
        raise AssertionError("nothing is left to prove")

    monkeypatch.setattr(integer_program, "solve", refuse)
    assert extract(problem, "exact").status == "optimal"


def test_must_sets_see_a_graph_whose_chains_are_inlined(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each class is dear, or cheap by way of the next, and used in one place.
    chain = 2000
    dear = [Node("dear", i, (), 2.0 * (chain - i)) for i in range(chain)]
    cheap = [Node("cheap", i, (i + 1,), 1) for i in range(chain - 1)]
    problem = Problem.of(dear + cheap, [0])
    residual = Residual.of(problem, integer_costs(problem, chain + 1).costs, chain + 2)
    prune = reduction.prune
    classes: list[int] = []
    widths: list[int] = []

    def record(residual: Residual, deadline: float) -> None:
        classes.append(len(residual.options))
        widths.append(max(map(len, residual.options.values())))
        prune(residual, deadline)

    monkeypatch.setattr(reduction, "prune", record)
    reduction.reduce(residual, math.inf)
    assert max(classes) < chain / 20
    assert widths[0] < 100  # inlining copies the options of the user: wide ones take quadratic time
