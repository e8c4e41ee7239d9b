"""From a residual to problems and solvers, and from what they select back to a choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from oxegg.extraction.greedy_dag import shared_trees
from oxegg.extraction.problem import Problem
from oxegg.extraction.reduction.residual import Option, Residual, Selection
from oxegg.extraction.solution import restrict


def lift(problem: Problem, residual: Residual, selection: Selection) -> dict[int, int]:
    """The choice in ``problem`` that settled picks and ``selection`` make together."""
    picks = [*residual.picks, *(n for option in selection.values() for n in option.picks)]
    return {int(problem.node_class[node]): node for node in picks}


@dataclass(frozen=True)
class Rest:
    """What is left of a residual as a problem of its own; node ``i`` is ``options[i]``."""

    problem: Problem
    classes: list[int]
    options: list[Option]

    @classmethod
    def of(cls, residual: Residual) -> Rest:
        """Integer costs become floats, which hold them exactly."""
        ids = {eclass: index for index, eclass in enumerate(residual.options)}
        flat = [(eclass, o) for eclass, options in residual.options.items() for o in options]
        children = [[ids[child] for child in sorted(option.children)] for _, option in flat]
        names = ("",) * len(flat)
        problem = Problem(
            labels=names,
            node_names=names,
            class_names=("",) * len(ids),
            node_class=np.array([ids[eclass] for eclass, _ in flat], dtype=np.int64),
            child_start=np.cumsum([0, *map(len, children)], dtype=np.int64),
            child_class=np.array([c for row in children for c in row], dtype=np.int64),
            costs=np.array([option.cost for _, option in flat], dtype=np.float64),
            column_level=np.array(_column_levels(residual), dtype=np.int64),
            roots=tuple(ids[root] for root in sorted(residual.roots)),
        )
        return cls(problem, list(ids), [option for _, option in flat])

    def selection(self, choice: Mapping[int, int]) -> Selection:
        """The needed part of a choice in ``problem`` as a selection of the residual."""
        needed = restrict(self.problem, choice)
        return {self.classes[eclass]: self.options[node] for eclass, node in needed.items()}


def greedy_selection(residual: Residual) -> Selection | None:
    """The greedy DAG extraction of what is left, restricted to what its roots need."""
    if not residual.options:
        return {}
    rest = Rest.of(residual)
    choice = shared_trees(rest.problem)
    return None if choice is None else rest.selection(choice)


def split(residual: Residual) -> list[Residual]:
    """Independent parts, smallest first: no option of one refers to another.

    Parts have nothing paid. Only sums of columns split; a maximum ties everything together.
    """
    if any(len(level) > 1 for level in residual.levels):
        return [residual]
    parts: list[Residual] = []
    for group in _connected(residual):
        options = {eclass: residual.options[eclass] for eclass in group}
        nothing = (0,) * len(residual.paid)
        roots = residual.roots & options.keys()
        parts.append(replace(residual, options=options, roots=roots, paid=nothing, picks=[]))
    return sorted(parts, key=lambda part: part.size)


def _connected(residual: Residual) -> list[list[int]]:
    leader = {eclass: eclass for eclass in residual.options}

    def find(eclass: int) -> int:
        while leader[eclass] != eclass:
            leader[eclass] = leader[leader[eclass]]
            eclass = leader[eclass]
        return eclass

    for eclass, options in residual.options.items():
        for option in options:
            for child in option.children:
                leader[find(child)] = find(eclass)
    groups: dict[int, list[int]] = {}
    for eclass in residual.options:
        groups.setdefault(find(eclass), []).append(eclass)
    return list(groups.values())


def _column_levels(residual: Residual) -> list[int]:
    level_of = {
        column: level for level, columns in enumerate(residual.levels) for column in columns
    }
    return [level_of[column] for column in range(len(residual.paid))]
