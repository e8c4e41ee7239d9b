"""Every method against brute force on small e-graphs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings

from oxegg.extraction import Method, Problem, answer_set, extract
from oxegg.extraction.reduction import Residual
from oxegg.extraction.reduction.residual import total
from oxegg.extraction.scaling import integer_costs
from tests.extraction.graphs import optimum, overlapping, problems


@pytest.mark.parametrize("method", ["tree", "dag"])
@given(problem=problems())
@settings(max_examples=150)
def test_greedy_methods_are_sound(method: Method, problem: Problem) -> None:
    best = optimum(problem)
    solution = extract(problem, method)
    assert (solution.status == "infeasible") == (best == math.inf)
    assert solution.lower_bound <= best <= solution.cost


@given(problem=problems())
@settings(max_examples=300)
def test_exact_is_optimal(problem: Problem) -> None:
    best = optimum(problem)
    solution = extract(problem, "exact")
    assert solution.cost == best
    assert solution.status == ("infeasible" if best == math.inf else "optimal")


@given(problem=problems(least=-4))
@settings(max_examples=100)
def test_negative_costs_are_handled_exactly(problem: Problem) -> None:
    best = optimum(problem)
    for method in ("tree", "dag", "exact"):
        solution = extract(problem, method)
        assert solution.lower_bound <= best <= solution.cost
    assert solution.cost == best


@given(problem=problems(columns=3, classes=5))
@settings(max_examples=150)
def test_largest_unit_of_each_level_counts(problem: Problem) -> None:
    best = optimum(problem)
    for method in ("tree", "dag", "exact"):
        solution = extract(problem, method)
        assert solution.lower_bound <= best <= solution.cost
    assert solution.cost == best


@given(problem=problems(columns=2))
@settings(max_examples=60)
def test_no_time_still_gives_a_checked_choice_and_a_bound(problem: Problem) -> None:
    best = optimum(problem)
    solution = extract(problem, "exact", seconds=0)
    assert solution.lower_bound <= best <= solution.cost
    assert solution.cost <= extract(problem, "dag").cost


@given(problem=problems(largest=2))
@settings(max_examples=40)
def test_same_seed_same_choice(problem: Problem) -> None:
    first, second = (extract(problem, "exact", seed=3) for _ in range(2))
    assert first.choice == second.choice


def _never(_: object) -> bool:
    return False


@pytest.mark.parametrize("seed", range(4))
def test_solver_without_answer_sets_agrees(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = overlapping(seed)
    both = extract(problem, "exact", seed=seed)
    monkeypatch.setattr(answer_set, "available", _never)
    alone = extract(problem, "exact", seed=seed)
    assert both.status == alone.status == "optimal"
    assert both.cost == alone.cost
    assert both.cost < extract(problem, "tree").cost


@pytest.mark.parametrize("style", [answer_set.GROUNDED, answer_set.FREE])
@given(problem=problems())
@settings(max_examples=100)
def test_both_styles_of_answer_sets_find_the_optimum(
    style: answer_set.Style, problem: Problem
) -> None:
    best = optimum(problem)
    above = 1000
    residual = Residual.of(problem, integer_costs(problem, above).costs, above)
    outcome = answer_set.solve(residual, 60, seed=0, style=style)
    assert outcome.exhausted
    if best == math.inf:
        assert outcome.selection is None
        assert outcome.bound == above
    else:
        assert outcome.selection is not None
        assert outcome.bound == total(residual, outcome.selection) == best
