"""What keeps extraction fast: few conflicts in the first proof, no garbage collection."""

from __future__ import annotations

import gc

import pytest

from oxegg.extraction import Problem, answer_set, extract, methods
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
