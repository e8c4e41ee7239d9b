"""A residual as a logic program: stable models are well founded, so cycles never arise.

Core-guided optimisation proves bounds on sums of costs that linear relaxations miss. The solver
is optional: without the ``clingo`` package, ``available`` says so and the other solver does all.
Costs must be one non-negative column. Source of the encoding: He et al., EGRAPHS 2023 (weighted
acyclicity), and the stable-model reading of e-graphs by Yang and Sergey, 2026.
"""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from oxegg.extraction.reduction.residual import Option, Outcome, Residual, Selection

if TYPE_CHECKING:
    import clingo

_LARGEST_WEIGHT = 2**31 - 1


class Style(NamedTuple):
    """How the program is written and searched; which one proves more depends on the e-graph.

    ``grounded``: options wait for their children, so only what can be built can be chosen.
    """

    grounded: bool
    options: tuple[str, ...]


GROUNDED = Style(True, ("--opt-strategy=usc,oll,disjoint,stratify",))
# Cores that overlap, and variables eliminated first: ahead on the e-graphs of RTL datapaths.
FREE = Style(False, ("--opt-strategy=usc,oll,stratify,succinct", "--sat-prepro=2"))


def available(residual: Residual) -> bool:
    """True when the solver is installed and ``residual`` has a plain non-negative sum to cut."""
    return (
        len(residual.paid) == 1
        and not residual.pays
        and importlib.util.find_spec("clingo") is not None
    )


def solve(
    residual: Residual,
    seconds: float,
    seed: int,
    *,
    conflicts: int | None = None,
    style: Style = GROUNDED,
) -> Outcome:
    """Look for a selection cheaper than ``upper`` until ``seconds`` or ``conflicts`` are over.

    A run that ends at the number of conflicts does not depend on the load of the machine.
    """
    import clingo

    deadline = time.perf_counter() + seconds
    slack = residual.upper - 1 - residual.paid[0]
    # Weights are 32-bit: dearer ones are divided, rounding down, which keeps bounds valid.
    unit = max(1, -(-slack // _LARGEST_WEIGHT))
    program, chosen = _program(residual, slack, unit, grounded=style.grounded)
    control = clingo.Control(
        [
            *style.options,
            f"--opt-mode=opt,{slack // unit}",
            f"--seed={seed}",
            f"--solve-limit={'umax' if conflicts is None else conflicts},umax",
        ]
    )
    _load(control, program)
    best: list[Selection] = []
    costs = [0]
    bounds = [0]

    def keep(model: clingo.Model) -> None:
        true = [pair for atom, pair in chosen if model.is_true(atom)]
        best[:] = [_derivation(true)]
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
        return Outcome(None, residual.upper, exhausted)
    bound = min(residual.paid[0] + bound * unit, residual.upper)
    return Outcome(best[0] if best else None, bound, exhausted)


def _program(
    residual: Residual, slack: int, unit: int, *, grounded: bool
) -> tuple[str, list[tuple[int, tuple[int, Option]]]]:
    """The program in clasp's text format, and the atom of each option that can be chosen.

    ``{chosen(option)} :- built(child)...`` and ``built(class) :- chosen(option)`` for each option
    that is not too dear: only what can be built can be chosen, which keeps unfounded choices out
    of the search; in most e-graphs it takes a fraction of the conflicts. Not ``grounded``, options
    are chosen freely, and the children move to the second rule.
    """
    atoms = {eclass: atom for atom, eclass in enumerate(residual.options, 1)}
    chosen: list[tuple[int, tuple[int, Option]]] = []
    weights: list[str] = []
    lines = ["asp 1 0 0"]
    atom = len(atoms)
    for eclass, options in residual.options.items():
        built = atoms[eclass]
        for option in options:
            cost = option.cost[0]
            if cost > slack:
                continue
            atom += 1
            chosen.append((atom, (eclass, option)))
            body = [atoms[child] for child in option.children]
            body.sort()
            if grounded:
                lines.append(f"1 1 1 {atom} 0 {' '.join(map(str, (len(body), *body)))}")
                lines.append(f"1 0 1 {built} 0 1 {atom}")
            else:
                lines.append(f"1 1 1 {atom} 0 0")
                lines.append(f"1 0 1 {built} 0 {' '.join(map(str, (len(body) + 1, atom, *body)))}")
            if cost >= unit:
                weights.append(f"{atom} {cost // unit}")
    lines += [f"1 0 0 0 1 -{atoms[root]}" for root in sorted(residual.roots)]
    lines.append(" ".join(["2 0", str(len(weights)), *weights]))
    lines.append("0\n")
    return "\n".join(lines), chosen


def _load(control: clingo.Control, program: str) -> None:
    # Writing and reading a file of rules takes a third of the time of adding them one by one.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "residual.aspif"
        path.write_text(program, encoding="ascii")
        control.load_aspif([str(path)])


def _derivation(true: list[tuple[int, Option]]) -> Selection:
    """One true option per class that can be built from true options, in the order of building."""
    selection: Selection = {}
    waiting = true
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
