"""``oxegg.bench``: the kernel suite, kernel after kernel, in a pool of processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from oxegg.costmodels import load_machine
from oxegg.errors import OxeggError, UsageError
from oxegg.frontend.suite import SuiteRow, load_suite
from oxegg.search.api import compile_kernel
from oxegg.search.costs import Objective
from oxegg.search.saturation import check_switches

PEERS = ("generic", "clang")

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class _Task:
    row: SuiteRow
    machine: str
    mode: str
    effort: str
    peers: tuple[str, ...]
    without: tuple[str, ...]
    objective: Objective


def bench(
    names: Sequence[str] = (),
    *,
    suite: str = "suite",
    machine: str = "ox-card",
    mode: str = "real",
    effort: str = "quick",
    jobs: int = 2,
    peers: Sequence[str] = ("generic",),
    without: Sequence[str] = (),
    objective: Objective = "cycles",
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Reports of suite kernels in suite order; a refused kernel's row has ``kernel`` and ``error``.

    ``suite`` is "suite", "ai" or "graphics"; ``names`` are rows (``saxpy_1024``) or families
    (``saxpy``), none means all. ``progress`` is called with (done, total, name).
    """
    check_switches(without)
    load_machine(machine)  # an error of the machine's is none of a kernel's
    for peer in peers:
        if peer and peer not in PEERS:
            raise UsageError(f"there is no peer {peer!r}", hint=f"peers are {', '.join(PEERS)}")
    tasks = [
        _Task(row, machine, mode, effort, tuple(peers), tuple(without), objective)
        for row in _rows(suite, names)
    ]
    if jobs <= 1 or len(tasks) <= 1:
        rows: list[dict[str, Any]] = []
        for number, task in enumerate(tasks):
            rows.append(_run(task))
            if progress:
                progress(number + 1, len(tasks), task.row.name)
        return rows
    return _parallel(tasks, jobs, progress)


def _parallel(tasks: Sequence[_Task], jobs: int, progress: Progress | None) -> list[dict[str, Any]]:
    results: dict[str, dict[str, Any]] = {}
    # Workers are spawned: they fork egglog children themselves and must start without threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        futures = {pool.submit(_run, task): task for task in tasks}
        for done, future in enumerate(as_completed(futures)):
            name = futures[future].row.name
            results[name] = future.result()
            if progress:
                progress(done + 1, len(tasks), name)
    return [results[task.row.name] for task in tasks]


def _rows(suite: str, names: Sequence[str]) -> list[SuiteRow]:
    rows = load_suite(suite)
    if not names:
        return rows
    chosen = [r for r in rows if r.name in names or r.function in names]
    known = {r.name for r in rows} | {r.function for r in rows}
    for name in names:
        if name not in known:
            raise UsageError(
                f"no kernel {name} in the suite", hint="oxegg bench without names runs them all"
            )
    return chosen


def _run(task: _Task) -> dict[str, Any]:
    try:
        compiled = compile_kernel(
            task.row.lower(),
            machine=task.machine,
            mode=task.mode,
            effort=task.effort,
            peers=task.peers,
            without=task.without,
            objective=task.objective,
        )
    except OxeggError as error:
        return {"kernel": task.row.name, "machine": task.machine, "error": str(error)}
    except Exception as error:  # one kernel's bug must not lose the others' results
        problem = f"internal error, {type(error).__name__}: {error}"
        return {
            "kernel": task.row.name,
            "machine": task.machine,
            "correct": False,
            "error": problem,
        }
    return compiled.report
