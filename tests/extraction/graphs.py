"""Small random e-graphs, and the optimum by brute force."""

from __future__ import annotations

import itertools
import math
from random import Random

from hypothesis import strategies as st

from oxegg.errors import ExtractionError
from oxegg.extraction import Node, Problem, evaluate
from oxegg.extraction.solution import restrict, topological


@st.composite
def problems(
    draw: st.DrawFn, *, columns: int = 1, least: int = 0, largest: int = 6, classes: int = 6
) -> Problem:
    """E-graphs with up to ``classes`` classes of one to three nodes; cycles are common."""
    count = draw(st.integers(1, classes))
    names = st.integers(0, count - 1)
    cost = st.tuples(*[st.integers(least, largest)] * columns)
    nodes = [
        Node(f"{eclass}.{index}", eclass, draw(st.lists(names, max_size=3)), draw(cost))
        for eclass in range(count)
        for index in range(draw(st.integers(1, 3)))
    ]
    roots = draw(st.lists(names, min_size=1, max_size=2, unique=True))
    levels = sorted(draw(st.lists(st.integers(0, 1), min_size=columns, max_size=columns)))
    return Problem.of(nodes, roots, levels=levels)


def optimum(problem: Problem) -> float:
    """The least cost over all closed acyclic choices, ``inf`` when there is none."""
    return min((evaluate(problem, choice) for choice in all_choices(problem)), default=math.inf)


def all_choices(problem: Problem) -> list[dict[int, int]]:
    """All distinct minimal closed acyclic choices."""
    found: dict[tuple[tuple[int, int], ...], dict[int, int]] = {}
    for nodes in itertools.product(*(nodes or [None] for nodes in problem.class_nodes)):
        full = {c: node for c, node in enumerate(nodes) if node is not None}
        try:
            choice = restrict(problem, full)
            topological(problem, choice)
        except ExtractionError:
            continue
        found[tuple(sorted(choice.items()))] = choice
    return list(found.values())


def overlapping(seed: int) -> Problem:
    """Forty needs, each met by any of three overlapping suppliers: a set cover that rules leave."""
    random = Random(seed)
    nodes = [Node("all", "root", range(40), 0)]
    nodes += [Node("supplier", ("s", s), (), random.randint(2, 6)) for s in range(20)]
    for need in range(40):
        nodes += [Node("by", need, (("s", s),), 1) for s in random.sample(range(20), 3)]
    return Problem.of(nodes, ["root"])


def interleaved(seed: int) -> Problem:
    """120 classes in a row whose options need one or two of the next twelve: much is shared."""
    random = Random(seed)
    nodes: list[Node] = []
    for eclass in range(120):
        for _ in range(random.choice([1, 1, 2, 3])):
            steps = [random.randint(1, 12) for _ in range(random.randint(1, 2))]
            children = [min(119, eclass + step) for step in steps] if eclass < 108 else []
            nodes.append(Node("n", eclass, children, random.randint(1, 3)))
    return Problem.of(nodes, [0, 1])
