"""How well the models predict cycles: what was tried, predicted beside simulated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import StatisticsError, correlation, mean, median
from typing import Any


@dataclass(frozen=True)
class Accuracy:
    """``spearman``: correlation of the ranks; ``error``: median of |predicted / simulated - 1|.

    ``count`` programs of ``kernels`` kernels. ``within``: the mean rank correlation among the
    programs of one kernel, which is what the search needs (None where no kernel has three).
    """

    count: int
    kernels: int
    spearman: float
    error: float
    within: float | None


def accuracy(reports: Iterable[Mapping[str, Any]]) -> Accuracy | None:
    """Of all programs that the reports' searches simulated; None where fewer than two are known."""
    tried = [
        [(t["predicted"], t["cycles"]) for t in report["tried"] if t.get("cycles")]
        for report in reports
        if report.get("tried")
    ]
    pairs = [pair for one in tried for pair in one]
    together = spearman(pairs)
    if together is None:
        return None
    each = [found for one in tried if len(one) > 2 and (found := spearman(one)) is not None]
    error = median(abs(predicted / cycles - 1) for predicted, cycles in pairs)
    return Accuracy(len(pairs), len(tried), together, error, mean(each) if each else None)


def spearman(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Rank correlation; None where one side has no order."""
    try:
        return correlation(*(_ranks([pair[side] for pair in pairs]) for side in (0, 1)))
    except StatisticsError:
        return None


def _ranks(values: Sequence[float]) -> list[float]:
    """From 1 on; equal values share the mean of their ranks."""
    ordered = sorted(values)
    first = {value: rank for rank, value in reversed(list(enumerate(ordered, 1)))}
    last = {value: rank for rank, value in enumerate(ordered, 1)}
    return [(first[value] + last[value]) / 2 for value in values]
