"""A residual as a CP-SAT model: exactly one option per needed class, no cycles, least cost.

Rows are aggregated: all options of one class that need the same child exclude "child not needed"
and one another in a single clause set, which is much tighter than one row per option and child.
Cycles are excluded by integer levels, only inside strongly connected components, and by one loop
formula each: whoever uses a component must leave it somewhere.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from ortools.sat.python import cp_model

from oxegg.extraction.reduction.components import strong_components
from oxegg.extraction.reduction.residual import Outcome, Residual, Selection

# One worker, so that a run that is not stopped by the clock is a function of the seed. The full
# linear relaxation is what proves optima here: without it half of the bounds stay near zero.
_PARAMETERS: Mapping[str, int] = {"num_workers": 1, "linearization_level": 2}


@dataclass(frozen=True)
class _Model:
    residual: Residual
    model: cp_model.CpModel = field(default_factory=cp_model.CpModel)
    chosen: dict[int, list[cp_model.IntVar]] = field(
        default_factory=dict[int, "list[cp_model.IntVar]"]
    )
    needed: dict[int, cp_model.IntVar] = field(default_factory=dict[int, cp_model.IntVar])


def solve(residual: Residual, hint: Selection | None, seconds: float, seed: int) -> Outcome:
    """Look for a selection cheaper than ``upper`` until ``seconds`` are over."""
    deadline = time.perf_counter() + seconds
    built = _Model(residual)
    _choose_options(built)
    _require_children(built)
    _forbid_cycles(built)
    cost = _objective(built)
    built.model.minimize(cost)
    built.model.add(cost <= residual.upper - 1)
    if hint is not None:
        for eclass, options in residual.options.items():
            for variable, option in zip(built.chosen[eclass], options, strict=True):
                built.model.add_hint(variable, hint.get(eclass) is option)
    solver = cp_model.CpSolver()
    for name, value in _PARAMETERS.items():
        setattr(solver.parameters, name, value)
    solver.parameters.random_seed = seed
    solver.parameters.max_time_in_seconds = max(deadline - time.perf_counter(), 0.01)
    status = solver.solve(built.model)
    if status == cp_model.INFEASIBLE:
        return Outcome(None, residual.upper)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Outcome(None, _bound_without_solution(residual, solver))
    bound = min(round(solver.best_objective_bound), residual.upper)
    selection = {
        eclass: option
        for eclass, options in residual.options.items()
        for variable, option in zip(built.chosen[eclass], options, strict=True)
        if solver.boolean_value(variable)
    }
    return Outcome(selection, bound)


def _bound_without_solution(residual: Residual, solver: cp_model.CpSolver) -> int:
    # A solver stopped before it had a bound reports 0, which is one only if nothing pays.
    return (
        residual.floor()
        if residual.pays
        else min(round(solver.best_objective_bound), residual.upper)
    )


def _choose_options(built: _Model) -> None:
    model, residual = built.model, built.residual
    for eclass, options in residual.options.items():
        built.chosen[eclass] = [model.new_bool_var("") for _ in options]
        if eclass in residual.roots:
            model.add_exactly_one(built.chosen[eclass])
        else:
            built.needed[eclass] = model.new_bool_var("")
            model.add_exactly_one([*built.chosen[eclass], ~built.needed[eclass]])


def _require_children(built: _Model) -> None:
    residual = built.residual
    support: dict[int, list[cp_model.IntVar]] = {eclass: [] for eclass in built.needed}
    for eclass, options in residual.options.items():
        uses: dict[int, list[cp_model.IntVar]] = {}
        for variable, option in zip(built.chosen[eclass], options, strict=True):
            for child in option.children:
                if child in built.needed:
                    uses.setdefault(child, []).append(variable)
        for child, variables in uses.items():
            built.model.add_at_most_one([*variables, ~built.needed[child]])
            support[child].extend(variables)
    if residual.pays:
        # A class that pays for being chosen still has to be needed by something.
        for eclass, variables in support.items():
            built.model.add_bool_or([*variables, ~built.needed[eclass]])


def _forbid_cycles(built: _Model) -> None:
    model, options = built.model, built.residual.options
    successors = {
        eclass: sorted(frozenset[int]().union(*(option.children for option in choices)))
        for eclass, choices in options.items()
    }
    for part in strong_components(successors):
        if len(part) == 1:
            continue
        inside = frozenset(part)
        exits = [
            variable
            for eclass in part
            for variable, option in zip(built.chosen[eclass], options[eclass], strict=True)
            if inside.isdisjoint(option.children)
        ]
        for eclass in part:
            unused = [~built.needed[eclass]] if eclass in built.needed else []
            model.add_bool_or([*exits, *unused])
        level = {eclass: model.new_int_var(0, len(part) - 1, "") for eclass in part}
        for eclass in part:
            for variable, option in zip(built.chosen[eclass], options[eclass], strict=True):
                for child in option.children & inside:
                    model.add(level[eclass] > level[child]).only_enforce_if(variable)  # pyright: ignore[reportUnknownMemberType]


def _objective(built: _Model) -> cp_model.LinearExprT:
    model, residual = built.model, built.residual
    variables = [v for eclass in residual.options for v in built.chosen[eclass]]
    costs = [option.cost for options in residual.options.values() for option in options]
    terms: list[cp_model.LinearExprT] = []
    for columns in residual.levels:
        totals = [
            cp_model.LinearExpr.weighted_sum(  # pyright: ignore[reportUnknownMemberType]
                variables, [cost[column] for cost in costs]
            )
            + residual.paid[column]
            for column in columns
        ]
        if len(totals) == 1:
            terms.append(totals[0])
            continue
        largest = model.new_int_var(0, residual.upper, "")
        for total in totals:
            model.add(largest >= total)
        terms.append(largest)
    return cp_model.LinearExpr.sum(terms)  # pyright: ignore[reportUnknownMemberType]
