"""The one entry point: a method by name, in; a checked solution, out."""

from __future__ import annotations

import math
import time
from typing import Literal, get_args

from oxegg.errors import ExtractionError
from oxegg.extraction.bounds import quick_bound
from oxegg.extraction.collector import paused_collector
from oxegg.extraction.greedy_dag import shared_trees
from oxegg.extraction.problem import Problem
from oxegg.extraction.solution import Solution, cheaper, conclude, evaluate, meets
from oxegg.extraction.tree import cheapest_trees

Method = Literal["tree", "dag", "exact"]


@paused_collector()
def extract(
    problem: Problem, method: Method = "exact", *, seconds: float = 10.0, seed: int = 0
) -> Solution:
    """Choose a node per needed class; the returned Solution has passed ``check``.

    ``"tree"``: the cheapest trees, blind to sharing. ``"dag"``: greedy with sharing, never dearer
    than ``"tree"``. ``"exact"``: searches for a proven optimum until ``seconds`` (wall clock) are
    over, then returns the best choice found with its proven bound; never dearer than ``"dag"``.
    """
    start = time.perf_counter()
    if method not in get_args(Method):
        raise ExtractionError(f"no extraction method {method!r}", hint="use tree, dag or exact")
    choice = cheapest_trees(problem)
    if method == "dag" and choice is not None:
        choice = cheaper(problem, choice, shared_trees(problem))
    bound = math.inf if choice is None else -math.inf
    if method == "exact" and choice is not None:
        # Imported here: the cheap methods should not pay for what only this one needs.
        from oxegg.extraction.exact import prove

        left = seconds - (time.perf_counter() - start)
        choice, bound = prove(problem, choice, seconds=left, seed=seed)
    if choice is not None and not meets(bound, evaluate(problem, choice)):
        bound = max(bound, quick_bound(problem))
    return conclude(problem, choice, bound, method=method, seconds=time.perf_counter() - start)
