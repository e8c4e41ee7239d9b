"""A residual as a logic program: stable models are well founded, so cycles never arise.

Core-guided optimisation proves bounds on sums of costs that linear relaxations miss. The solver
is optional: without the ``clingo`` package, ``available`` says so and the other solver does all.
Costs must be one non-negative column. Source of the encoding: He et al., EGRAPHS 2023 (weighted
acyclicity), and the stable-model reading of e-graphs by Yang and Sergey, 2026.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from oxegg.extraction.reduction.residual import Option, Outcome, Residual, Selection

if TYPE_CHECKING:
    import clingo

_LARGEST_WEIGHT = 2**31 - 1


def available(residual: Residual) -> bool:
    """True when the solver is installed and ``residual`` has a plain non-negative sum to cut."""
    return (
        len(residual.paid) == 1
        and not residual.pays
        and importlib.util.find_spec("clingo") is not None
    )


def solve(
    residual: Residual, seconds: float, seed: int, *, conflicts: int | None = None
) -> Outcome:
    """Look for a selection cheaper than ``upper`` until ``seconds`` or ``conflicts`` are over.

    A run that ends at the number of conflicts does not depend on the load of the machine.
    """
    import clingo

    deadline = time.perf_counter() + seconds
    slack = residual.upper - 1 - residual.paid[0]
    # Weights are 32-bit: dearer ones are divided, rounding down, which keeps bounds valid.
    unit = max(1, -(-slack // _LARGEST_WEIGHT))
    control = clingo.Control(
        [
            "--opt-strategy=usc,oll,disjoint,stratify",
            f"--opt-mode=opt,{slack // unit}",
            f"--seed={seed}",
            f"--solve-limit={'umax' if conflicts is None else conflicts},umax",
        ]
    )
    literals = _ground(control, residual, slack, unit)
    best: list[Selection] = []
    costs = [0]
    bounds = [0]

    def keep(model: clingo.Model) -> None:
        true = {key for key, literal in literals.items() if model.is_true(literal)}
        best[:] = [_derivation(residual, true)]
        costs[:] = model.cost

    def raise_bound(lower: Sequence[int]) -> None:
        bounds[0] = max(bounds[0], *lower)

    with control.solve(async_=True, on_model=keep, on_unsat=raise_bound) as run:
        finished = run.wait(max(0.0, deadline - time.perf_counter()))
        if not finished:
            run.cancel()
        # A cancelled run proves what it reported as bounds, and no more.
        exhausted = bool(run.get().exhausted) and finished
    if not exhausted:
        bound = bounds[0]
    elif best:
        bound = costs[0]
    else:
        return Outcome(None, residual.upper)
    bound = min(residual.paid[0] + bound * unit, residual.upper)
    return Outcome(best[0] if best else None, bound)


def _ground(
    control: clingo.Control, residual: Residual, slack: int, unit: int
) -> dict[tuple[int, int], int]:
    """Add the program; the literal of each option, by class and index.

    ``built(class) :- chosen(option), built(child)...`` for each option that is not too dear.
    """
    literals: dict[tuple[int, int], int] = {}
    weights: list[tuple[int, int]] = []
    with control.backend() as backend:
        built = {eclass: backend.add_atom() for eclass in residual.options}
        for eclass, options in residual.options.items():
            for index, option in enumerate(options):
                cost = option.cost[0]
                if cost > slack:
                    continue
                literal = literals[eclass, index] = backend.add_atom()
                backend.add_rule([literal], choice=True)
                children = [built[child] for child in sorted(option.children)]
                backend.add_rule([built[eclass]], [literal, *children])
                if cost >= unit:
                    weights.append((literal, cost // unit))
        for root in sorted(residual.roots):
            backend.add_rule([], [-built[root]])
        backend.add_minimize(0, weights)
    return literals


def _derivation(residual: Residual, true: set[tuple[int, int]]) -> Selection:
    """One true option per class that can be built from true options, in the order of building."""
    selection: Selection = {}
    waiting = [(eclass, residual.options[eclass][index]) for eclass, index in sorted(true)]
    while True:
        left: list[tuple[int, Option]] = []
        for eclass, option in waiting:
            if eclass in selection:
                continue
            if option.children <= selection.keys():
                selection[eclass] = option
            else:
                left.append((eclass, option))
        if len(left) == len(waiting):
            return selection
        waiting = left
