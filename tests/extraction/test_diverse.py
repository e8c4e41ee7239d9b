"""Several choices: the k cheapest against brute force, and different ones."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings

from oxegg.extraction import Node, Problem, distance, diverse, evaluate, k_best
from tests.extraction.graphs import all_choices, problems


@given(problem=problems(classes=4, least=0))
@settings(max_examples=60)
def test_k_best_are_the_cheapest_distinct_choices(problem: Problem) -> None:
    wanted = sorted(evaluate(problem, choice) for choice in all_choices(problem))[:4]
    found = k_best(problem, 4, seconds=60)
    assert [solution.cost for solution in found] == wanted
    assert len({tuple(sorted(solution.choice.items())) for solution in found}) == len(found)


def test_diverse_choices_are_cheap_enough_and_far_apart() -> None:
    nodes = [Node("root", "root", tuple(range(6)), 0)]
    nodes += [Node(f"{c}.{way}", c, (), 10 + way) for c in range(6) for way in range(4)]
    problem = Problem.of(nodes, ["root"])
    found = diverse(problem, 4, slack=0.3, seconds=20)
    assert len(found) == 4
    assert found[0].cost == 60
    assert found[0].status == "optimal"
    assert all(solution.cost <= 78 for solution in found)
    gaps = [distance(a.choice, b.choice) for a, b in itertools.combinations(found, 2)]
    assert min(gaps) > 0.5


@pytest.mark.parametrize("many", [k_best, diverse])
def test_nothing_to_find(many: object) -> None:
    problem = Problem.of([Node("f", "c", ("c",))], ["c"])
    assert callable(many)
    assert many(problem, 3) == []
