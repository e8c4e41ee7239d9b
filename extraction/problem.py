"""The extraction problem: an e-graph as flat arrays, a cost per node, roots to be built.

A class is a set of interchangeable nodes; a node needs all of its child classes. A *choice* picks
one node for each class that is reachable from the roots through chosen nodes, without a cycle.
Shared classes are paid once. Costs are vectors: column ``j`` counts the work put on one unit at
one level (a loop, say), and a choice costs ``Σ_level max_{columns of level} Σ_chosen cost``.
With one column this is the plain sum of node costs.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from oxegg.errors import ExtractionError

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Node:
    """One e-node as the caller sees it; class names are anything hashable.

    ``cost`` is absolute (cycles x execution count), one number or one per column; ``inf`` marks a
    node that must not be chosen.
    """

    label: str
    eclass: Hashable
    children: Sequence[Hashable] = ()
    cost: float | Sequence[float] = 1.0
    name: str | None = None


@dataclass(frozen=True, eq=False)
class Problem:
    """An e-graph to extract from. Build it with ``Problem.of`` or ``oxegg.extraction.load``.

    Shapes: N nodes, C classes, K cost columns. The children of node ``n`` are
    ``child_class[child_start[n]:child_start[n + 1]]`` (repeats kept, order kept).
    ``column_level[j]`` is the level of column ``j``. ``dropped_roots`` names the roots of the
    input that exist nowhere in it.
    """

    labels: tuple[str, ...]
    node_names: tuple[str, ...]
    class_names: tuple[str, ...]
    node_class: IntArray
    child_start: IntArray
    child_class: IntArray
    costs: FloatArray
    column_level: IntArray
    roots: tuple[int, ...]
    dropped_roots: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_shapes(self)
        _check_costs(self)

    @classmethod
    def of(
        cls, nodes: Iterable[Node], roots: Iterable[Hashable], *, levels: Sequence[int] = (0,)
    ) -> Problem:
        """The problem of these nodes; ``levels[j]`` is the level of cost column ``j``.

        Raises ExtractionError for unknown classes, bad costs, or no roots.
        """
        nodes = list(nodes)
        ids: dict[Hashable, int] = {}
        for node in nodes:
            ids.setdefault(node.eclass, len(ids))
        try:
            children = [[ids[child] for child in node.children] for node in nodes]
            root_ids = tuple(dict.fromkeys(ids[root] for root in roots))
        except KeyError as error:
            raise ExtractionError(
                f"class {error.args[0]!r} is used but has no nodes",
                hint="give every child and every root class at least one node",
            ) from None
        rows = [_row(node, len(levels)) for node in nodes]
        return cls(
            labels=tuple(node.label for node in nodes),
            node_names=tuple(node.name or node.label for node in nodes),
            class_names=tuple(str(name) for name in ids),
            node_class=np.array([ids[node.eclass] for node in nodes], dtype=np.int64),
            child_start=np.cumsum([0, *map(len, children)], dtype=np.int64),
            child_class=np.array([c for row in children for c in row], dtype=np.int64),
            costs=np.array(rows, dtype=np.float64).reshape(len(nodes), len(levels)),
            column_level=np.array(levels, dtype=np.int64),
            roots=root_ids,
        )

    def with_costs(self, costs: FloatArray, levels: Sequence[int]) -> Problem:
        """The same e-graph under other costs (N x K): another machine, another loop nest."""
        return replace(self, costs=costs, column_level=np.array(levels, dtype=np.int64))

    def objective(self, totals: FloatArray | Sequence[float]) -> float:
        """The cost of summed columns: the sum over levels of the largest column of the level."""
        if len(self.levels) == len(totals):
            return math.fsum(totals)
        return math.fsum(max(totals[j] for j in columns) for columns in self.levels)

    @cached_property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """The columns of each level."""
        values = self.column_level.tolist()
        return tuple(
            tuple(j for j, v in enumerate(values) if v == level) for level in sorted(set(values))
        )

    @cached_property
    def node_cost(self) -> list[float]:
        """What each node costs when it is alone: exact for one column, else a fair surrogate."""
        if self.costs.shape[1] == 1:
            return self.costs[:, 0].tolist()
        return [self.objective(row) for row in self.costs.tolist()]

    @cached_property
    def children(self) -> list[tuple[int, ...]]:
        """Distinct child classes of each node, in order of first use."""
        flat, start = self.child_class.tolist(), self.child_start.tolist()
        return [tuple(dict.fromkeys(flat[a:b])) for a, b in pairwise(start)]

    @cached_property
    def class_nodes(self) -> list[list[int]]:
        """The usable (finite cost) nodes of each class."""
        result: list[list[int]] = [[] for _ in self.class_names]
        owner: list[int] = self.node_class.tolist()
        for node in np.flatnonzero(np.isfinite(self.costs).all(axis=1)).tolist():
            result[owner[node]].append(node)
        return result

    @cached_property
    def reachable(self) -> list[int]:
        """Classes that some choice could need, in depth-first order from the roots."""
        seen = dict.fromkeys(self.roots)
        stack = list(reversed(self.roots))
        while stack:
            for node in self.class_nodes[stack.pop()]:
                for child in self.children[node]:
                    if child not in seen:
                        seen[child] = None
                        stack.append(child)
        return list(seen)

    @cached_property
    def users(self) -> list[list[int]]:
        """For each class the reachable usable nodes that have it as a child."""
        users: list[list[int]] = [[] for _ in self.class_names]
        for eclass in self.reachable:
            for node in self.class_nodes[eclass]:
                for child in self.children[node]:
                    users[child].append(node)
        return users

    @cached_property
    def has_negative_costs(self) -> bool:
        """True when some usable node is paid for being chosen."""
        return bool((self.costs < 0).any())


def _row(node: Node, width: int) -> Sequence[float]:
    row = node.cost if isinstance(node.cost, Sequence) else (node.cost,)
    if len(row) != width:
        raise ExtractionError(
            f"node {node.label!r} has {len(row)} cost columns, the problem has {width}",
            hint="give one number per entry of `levels`",
        )
    return row


def _check_shapes(problem: Problem) -> None:
    nodes, classes = len(problem.labels), len(problem.class_names)
    if not problem.roots:
        raise ExtractionError(
            "the e-graph has no root class", hint="name at least one class to be built"
        )
    sizes = (
        len(problem.node_class) == nodes == len(problem.node_names)
        and len(problem.child_start) == nodes + 1
        and problem.costs.shape == (nodes, len(problem.column_level))
        and len(problem.column_level) > 0
    )
    if not sizes:
        raise ExtractionError("the arrays of the extraction problem disagree in length")
    for what, ids in (
        ("owner", problem.node_class),
        ("child", problem.child_class),
        ("root", np.array(problem.roots)),
    ):
        if ids.size and (ids.min() < 0 or ids.max() >= classes):
            raise ExtractionError(f"a {what} class lies outside 0..{classes - 1}")


def _check_costs(problem: Problem) -> None:
    bad = np.flatnonzero((np.isnan(problem.costs) | (problem.costs == -np.inf)).any(axis=1))
    if bad.size:
        raise ExtractionError(
            f"node {problem.node_names[bad[0]]!r} costs {problem.costs[bad[0]].tolist()}",
            hint="costs are finite numbers, or inf for a node that must not be chosen",
        )
    if problem.has_negative_costs and problem.costs.shape[1] > 1:
        raise ExtractionError(
            "negative costs make no sense under a max-over-units objective",
            hint="use one cost column, or shift the costs",
        )
