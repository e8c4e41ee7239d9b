"""The independent check catches every kind of wrong claim."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from oxegg.errors import ExtractionError
from oxegg.extraction import Node, Problem, Solution, check, extract, tree_cost

# Two ways to build the root; a and b may also be built from each other, in a circle.
PROBLEM = Problem.of(
    [
        Node("pair", "root", ("a", "b"), 1),
        Node("leaf", "a", (), 4),
        Node("from b", "a", ("b",), 1),
        Node("from a", "b", ("a",), 1),
        Node("forbidden", "b", (), math.inf),
        Node("spare", "unneeded", (), 1),
    ],
    ["root"],
)
GOOD = extract(PROBLEM, "exact")


def test_the_optimum() -> None:
    assert (GOOD.cost, GOOD.lower_bound, GOOD.status) == (6, 6, "optimal")
    assert GOOD.choice == {0: 0, 1: 1, 2: 3}
    assert tree_cost(PROBLEM, GOOD.choice) == 10


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (replace(GOOD, choice={0: 0, 1: 2, 2: 3}), "cyclic"),
        (replace(GOOD, choice={0: 0, 1: 1}), "no node is chosen"),
        (replace(GOOD, choice={**GOOD.choice, 3: 5}), "do not need"),
        (replace(GOOD, choice={**GOOD.choice, 2: 1}), "can't be chosen"),
        (replace(GOOD, choice={**GOOD.choice, 2: 4}), "can't be chosen"),
        (replace(GOOD, cost=5.0, lower_bound=5.0), "the choice costs 6"),
        (replace(GOOD, lower_bound=7.0), "above the cost"),
        (replace(GOOD, lower_bound=5.0), "says optimal"),
        (Solution({}, math.inf, math.inf, "infeasible", "exact", 0.0), "a choice exists"),
    ],
)
def test_wrong_claims_are_caught(wrong: Solution, message: str) -> None:
    check(PROBLEM, GOOD)
    with pytest.raises(ExtractionError, match=message):
        check(PROBLEM, wrong)


def test_gap() -> None:
    assert GOOD.gap == 0
    assert replace(GOOD, lower_bound=3.0, status="feasible").gap == 0.5
