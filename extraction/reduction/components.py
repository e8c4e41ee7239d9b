"""Strongly connected components, leaves first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping


def strong_components(successors: Mapping[int, Iterable[int]]) -> list[list[int]]:
    """Components in reverse topological order: a component comes after all that it points to.

    Source: R. Tarjan, "Depth-first search and linear graph algorithms", SIAM J. Computing 1(2),
    1972, with an explicit stack.
    """
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    path: list[int] = []
    on_path: set[int] = set()
    components: list[list[int]] = []
    for start in successors:
        if start in index:
            continue
        work: list[tuple[int, Iterator[int]]] = []
        _enter(start, index, low, path, on_path, work, successors)
        while work:
            vertex, rest = work[-1]
            fresh = None
            for target in rest:
                if target not in index:
                    fresh = target
                    break
                if target in on_path and index[target] < low[vertex]:
                    low[vertex] = index[target]
            if fresh is not None:
                _enter(fresh, index, low, path, on_path, work, successors)
                continue
            work.pop()
            if work:
                above = work[-1][0]
                low[above] = min(low[above], low[vertex])
            if low[vertex] == index[vertex]:
                component: list[int] = []
                while not component or component[-1] != vertex:
                    component.append(path.pop())
                on_path.difference_update(component)
                components.append(component)
    return components


def _enter(
    vertex: int,
    index: dict[int, int],
    low: dict[int, int],
    path: list[int],
    on_path: set[int],
    work: list[tuple[int, Iterator[int]]],
    successors: Mapping[int, Iterable[int]],
) -> None:
    index[vertex] = low[vertex] = len(index)
    path.append(vertex)
    on_path.add(vertex)
    work.append((vertex, iter(successors[vertex])))
