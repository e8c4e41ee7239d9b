"""A hundred thousand random e-graphs against brute force, under short and long limits.

pytest -n 2 -m slow tests/extraction/test_campaign.py
"""

from __future__ import annotations

from random import Random

import pytest

from oxegg.errors import ExtractionError
from oxegg.extraction import Node, Problem, check, extract
from tests.extraction.graphs import optimum

SHARDS = 100
GRAPHS = 1000  # in each shard
LIMITS = (0.05, 0.5, 5.0)  # seconds, by turns


def random_problem(random: Random) -> Problem:
    """Up to seven classes of one to three nodes: cycles, shared children, free nodes, many roots.

    Half of the e-graphs refer to later classes only, so that the deep ones can be built.
    """
    count = random.randint(1, 7)
    acyclic = random.random() < 0.5
    dearest = random.choice((1, 3, 20))
    nodes: list[Node] = []
    for eclass in range(count):
        below = range(eclass + 1, count) if acyclic else range(count)
        for index in range(random.randint(1, 3)):
            width = random.randint(0, 3) if below else 0
            children = [random.choice(below) for _ in range(width)]
            nodes.append(Node(f"{eclass}.{index}", eclass, children, random.randint(0, dearest)))
    roots = random.sample(range(count), random.randint(1, min(3, count)))
    return Problem.of(nodes, roots)


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_random_graphs_against_brute_force(shard: int) -> None:
    random = Random(shard)
    for index in range(GRAPHS):
        problem = random_problem(random)
        best = optimum(problem)
        violation = _violation(problem, best, LIMITS[index % len(LIMITS)])
        assert violation is None, f"shard {shard}, e-graph {index}: {violation}"


def _violation(problem: Problem, best: float, seconds: float) -> str | None:
    """What is wrong with the exact answer within ``seconds``; None when nothing is."""
    solution = extract(problem, "exact", seconds=seconds)
    try:
        check(problem, solution)
    except ExtractionError as error:
        return error.message
    greedy = min(extract(problem, "tree").cost, extract(problem, "dag").cost)
    if (solution.status == "infeasible") != (best == float("inf")):
        return f"{solution.status}, but the optimum is {best}"
    if solution.cost > greedy:
        return f"cost {solution.cost} above the greedy {greedy}"
    if not solution.lower_bound <= best <= solution.cost:
        return f"bound {solution.lower_bound}, optimum {best}, cost {solution.cost}"
    if solution.status == "optimal" and solution.cost != best:
        return f"cost {solution.cost} is called optimal, the optimum is {best}"
    return None
