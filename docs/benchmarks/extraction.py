"""Extraction against a reference table: share proven over time, cost ratios, bounds.

    python docs/benchmarks/extraction.py GYM_FOLDER [--seconds S] [--only TEXT] [--table F.md]

GYM_FOLDER holds egraph-serialize files and ``reference.csv`` (columns instance, exact, proven,
greedy_dag). Times are CPU seconds of this process from file to checked solution.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from dataclasses import dataclass
from pathlib import Path

from oxegg.errors import ExtractionError
from oxegg.extraction import Solution, extract, load

MARKS = (0.01, 0.1, 0.3, 1.0, 5.0, 10.0, 30.0)


@dataclass(frozen=True)
class Result:
    """One instance: our solutions, CPU seconds of the exact run, and the reference's numbers."""

    name: str
    dag: Solution
    exact: Solution
    seconds: float
    best_known: float
    best_is_proven: bool


def measure(folder: Path, row: dict[str, str], seconds: float) -> Result | None:
    """Run one instance; None when the file has no root to extract."""
    path = folder / row["instance"]
    start = time.process_time()
    try:
        problem = load(path)
    except ExtractionError:
        return None
    exact = extract(problem, "exact", seconds=seconds)
    spent = time.process_time() - start
    known = float(row["exact"] or row["greedy_dag"])
    dag = extract(problem, "dag")
    return Result(row["instance"], dag, exact, spent, known, row["proven"] == "1")


def mean_ratio(pairs: list[tuple[float, float]]) -> float:
    """Geometric mean of cost / best known over positive costs."""
    logs = [math.log(cost / known) for cost, known in pairs if cost > 0 and known > 0]
    return math.exp(math.fsum(logs) / max(1, len(logs)))


def table(results: list[Result], seconds: float) -> str:
    """One Markdown row per instance."""
    lines = [
        f"# Extraction, file by file, {seconds:g} s of wall clock each",
        "",
        "Written by `docs/benchmarks/extraction.py`. CPU seconds from file to checked answer.",
        "",
        "| file | greedy DAG | exact | lower bound | status | CPU s | best known |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in results:
        known = f"{r.best_known:.9g}{'' if r.best_is_proven else ' (open)'}"
        lines.append(
            f"| {r.name} | {r.dag.cost:.9g} | {r.exact.cost:.9g} | {r.exact.lower_bound:.9g} "
            f"| {r.exact.status} | {r.seconds:.2f} | {known} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print open and surprising instances as they come, then the summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--only", default="")
    parser.add_argument("--table", type=Path, help="write one row per file there, as Markdown")
    arguments = parser.parse_args()
    with (arguments.folder / "reference.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if arguments.only in row["instance"]]
    results: list[Result] = []
    for row in rows:
        result = measure(arguments.folder, row, arguments.seconds)
        if result is None:
            continue
        results.append(result)
        worse = result.exact.cost > result.best_known * (1 + 1e-6)
        if result.exact.status != "optimal" or worse:
            print(
                f"{result.name}: {result.exact.status} {result.exact.cost:g}"
                f" bound {result.exact.lower_bound:g} best known {result.best_known:g}"
                f"{' (proven)' if result.best_is_proven else ''}",
                flush=True,
            )
    if arguments.table:
        arguments.table.write_text(table(results, arguments.seconds), encoding="utf-8")
    proven = [r for r in results if r.exact.status == "optimal"]
    print(f"proven {len(proven)} of {len(results)} in {arguments.seconds:g} s")
    for mark in MARKS:
        print(f"  within {mark:5g} CPU s: {sum(r.seconds <= mark for r in proven)}")
    for name, pairs in (
        ("greedy DAG", [(r.dag.cost, r.best_known) for r in results]),
        ("exact", [(r.exact.cost, r.best_known) for r in results]),
    ):
        above = sum(cost > known + 1e-6 * abs(known) for cost, known in pairs)
        below = sum(cost < known - 1e-6 * abs(known) for cost, known in pairs)
        ratio = mean_ratio(pairs)
        print(f"{name}: cost / best known {ratio:.4f}; dearer on {above}, cheaper on {below}")


if __name__ == "__main__":
    main()
