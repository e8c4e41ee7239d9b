"""Every method against brute force on small e-graphs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings

from oxegg.extraction import Method, Problem, extract
from tests.extraction.graphs import optimum, problems


@pytest.mark.parametrize("method", ["tree", "dag"])
@given(problem=problems())
@settings(max_examples=150)
def test_greedy_methods_are_sound(method: Method, problem: Problem) -> None:
    best = optimum(problem)
    solution = extract(problem, method)
    assert (solution.status == "infeasible") == (best == math.inf)
    assert solution.lower_bound <= best <= solution.cost
