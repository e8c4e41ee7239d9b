"""The colouring problem as constraint programming, for when fragmentation defeats the orders."""

from ortools.sat.python import cp_model

from oxegg.emit.colouring import Problem
from oxegg.emit.segments import segments

# Of the solver's deterministic clock: results must not depend on the load of the machine.
DETERMINISTIC_SECONDS = 0.2
MAXIMUM_UNITS = 150
"""Larger problems hardly ever end in time."""


def colour_exactly(problem: Problem) -> list[int] | None:
    """A base for every unit, or ``None`` when none exists or none was found soon enough."""
    if len(problem.units) > MAXIMUM_UNITS:
        return None
    model = cp_model.CpModel()
    bases: list[cp_model.IntVar] = []
    times: list[cp_model.IntervalVar] = []
    places: list[cp_model.IntervalVar] = []
    for unit in problem.units:
        candidates = problem.candidates(unit)
        if not candidates:
            return None
        base = model.new_int_var_from_domain(cp_model.Domain.from_values(list(candidates)), "")
        bases.append(base)
        for k, row in enumerate(unit.rows):
            for begin, end in segments(row):
                times.append(model.new_fixed_size_interval_var(begin, end - begin, ""))
                places.append(model.new_fixed_size_interval_var(base + k, 1, ""))
    model.add_no_overlap_2d(times, places)
    _add_overlaps(model, problem, bases)
    solver = cp_model.CpSolver()
    solver.parameters.max_deterministic_time = DETERMINISTIC_SECONDS
    solver.parameters.num_workers = 1
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    return [solver.value(base) for base in bases]


def _add_overlaps(model: cp_model.CpModel, problem: Problem, bases: list[cp_model.IntVar]) -> None:
    """Every pair that the vector specification constrains gets its allowed relative places."""
    home = {
        register: (u, offset)
        for u, unit in enumerate(problem.units)
        for register, offset in unit.members
    }
    for overlap in problem.overlaps:
        result, result_offset = home[overlap.result]
        source, source_offset = home[overlap.source]
        allowed = [
            (a, b)
            for a in problem.candidates(problem.units[result])
            for b in problem.candidates(problem.units[source])
            if overlap.allows(a + result_offset, b + source_offset)
        ]
        model.add_allowed_assignments([bases[result], bases[source]], allowed)
