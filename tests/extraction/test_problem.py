"""Building problems: what is refused, and costs that change under one e-graph."""

from __future__ import annotations

import math

import numpy as np
import pytest

from oxegg.errors import ExtractionError
from oxegg.extraction import Node, Problem, extract


@pytest.mark.parametrize(
    ("nodes", "roots", "levels", "message"),
    [
        ([Node("x", "c")], [], (0,), "no root"),
        ([Node("x", "c")], ["d"], (0,), "'d' is used but has no nodes"),
        ([Node("f", "c", ("d",))], ["c"], (0,), "'d' is used but has no nodes"),
        ([Node("x", "c", (), (1, 2))], ["c"], (0,), "2 cost columns"),
        ([Node("x", "c", (), math.nan)], ["c"], (0,), "costs"),
        ([Node("x", "c", (), -math.inf)], ["c"], (0,), "costs"),
        ([Node("x", "c", (), (1, -1))], ["c"], (0, 0), "negative costs make no sense"),
    ],
)
def test_refusals(
    nodes: list[Node], roots: list[str], levels: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ExtractionError, match=message):
        Problem.of(nodes, roots, levels=levels)


def test_objective_is_the_sum_over_levels_of_the_busiest_unit() -> None:
    problem = Problem.of([Node("x", "c", (), (1, 2, 4))], ["c"], levels=(0, 0, 1))
    assert problem.objective([1, 2, 4]) == 6
    assert problem.objective([5, 2, 4]) == 9


def test_balancing_two_units_beats_the_smaller_sum() -> None:
    # All on unit 0 costs 3 + 3; splitting costs more work but less time.
    nodes = [
        Node("pair", "root", ("a", "b"), (0, 0)),
        Node("a0", "a", (), (3, 0)),
        Node("b0", "b", (), (3, 0)),
        Node("b1", "b", (), (0, 4)),
    ]
    problem = Problem.of(nodes, ["root"], levels=(0, 0))
    solution = extract(problem, "exact")
    assert (solution.cost, solution.status) == (4, "optimal")
    one_unit = problem.with_costs(problem.costs.sum(axis=1, keepdims=True), (0,))
    assert extract(one_unit, "exact").cost == 6


def test_unknown_method() -> None:
    problem = Problem.of([Node("x", "c")], ["c"])
    with pytest.raises(ExtractionError, match="no extraction method"):
        extract(problem, "best")  # pyright: ignore[reportArgumentType]


def test_costs_without_few_decimals_are_still_proven() -> None:
    random = np.random.default_rng(1)
    nodes = [Node("root", "r", range(8), 0.0)]
    for eclass in range(8):
        children = [c for c in range(8) if c < eclass]
        nodes += [Node("leaf", eclass, (), random.random() * 9)]
        nodes += [Node("use", eclass, children[-2:], random.random())]
    solution = extract(Problem.of(nodes, ["r"]), "exact")
    assert solution.status == "optimal"
