"""Where a kernel's best program changes when one field of a machine does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oxegg.costmodels import Machine, load_machine
from oxegg.costmodels.load import machine_with
from oxegg.errors import MachineError, UsageError
from oxegg.search.api import Source, compile_for


@dataclass(frozen=True)
class Knob:
    """A field of a machine, ``table.field``, the values it is given, and what they count."""

    table: str
    field: str
    values: tuple[int, ...]
    meaning: str


KNOBS = {
    "vlen": Knob("vector", "vlen", (128, 256, 512, 1024), "bits of a vector register"),
    "tile": Knob("tensor", "rows", (4, 8, 16, 32), "rows of a tile"),
    "nm_bandwidth": Knob(
        "near_memory",
        "units_per_channel",
        (1, 2, 4, 8, 16, 32),
        "near-memory units of a channel, in proportion to the bandwidth near memory",
    ),
    "spm": Knob("spm", "bytes", tuple(1 << n for n in range(14, 21)), "bytes of scratchpad"),
}


def crossover(
    source: Source,
    vary: str,
    *,
    machine: str | Path = "ox-card",
    values: Sequence[int] = (),
    progress: Callable[[int, int, str], None] | None = None,
    **options: Any,
) -> list[dict[str, Any]]:
    """What a kernel's best program is when a machine's ``vary`` takes one value after another.

    One row for each value that the machine's other fields allow, in rising order: ``value``,
    ``cycles``, ``roofline_cycles``, ``place``, ``engine``, ``program``, ``nests``, ``tried`` (the
    fewest simulated cycles of each engine) and ``flips``: what of place, engine and nests differs
    from the row before. ``options`` are those of :func:`oxegg.compile`.

    Raises :class:`oxegg.errors.OxeggError`.
    """
    if vary not in KNOBS:
        raise UsageError(f"can't vary {vary!r}", hint=f"use one of {', '.join(KNOBS)}")
    knob = KNOBS[vary]
    machines = variants(machine, knob, values)
    compiled = compile_for(source, list(machines.values()), progress=progress, **options)
    rows = [_row(value, one.report) for value, one in zip(machines, compiled, strict=True)]
    for before, row in itertools.pairwise(rows):
        row["flips"] = [name for name in ("place", "engine", "nests") if row[name] != before[name]]
    return rows


def variants(machine: str | Path, knob: Knob, values: Sequence[int] = ()) -> dict[int, Machine]:
    """The machine with each value of a field that its other fields allow.

    Raises ``UsageError`` when the machine lacks the engine, ``MachineError`` for a value of
    ``values`` that is impossible.
    """
    base = load_machine(machine)
    if getattr(base, knob.table) is None:
        raise UsageError(
            f"{base.name} has no {knob.table} engine, so there is nothing to vary",
            hint="`oxegg machines list` shows which machines have it",
        )
    found: dict[int, Machine] = {}
    for value in sorted(set(values or knob.values)):
        name = f"{base.name}+{knob.table}.{knob.field}={value}"
        try:
            found[value] = machine_with(machine, {"name": name, knob.table: {knob.field: value}})
        except MachineError:
            if values:
                raise
    return found


def _row(value: int, report: dict[str, Any]) -> dict[str, Any]:
    kept = (
        "kernel",
        "machine", "correct", "cycles", "roofline_cycles", "place", "engine", "program", "nests",
    )  # fmt: skip
    tried: dict[str, float] = {}
    for trial in report["tried"]:
        engine = trial["engine"]
        tried[engine] = min(trial["cycles"], tried.get(engine, trial["cycles"]))
    row = {"value": value, **{name: report[name] for name in kept}}
    return {**row, "tried": tried, "flips": []}
