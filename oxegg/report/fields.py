"""Typed, forgiving reads from a report and the words its values are shown with."""

from collections.abc import Mapping, Sequence
from typing import cast

NOT_MEASURED = "not measured"

Report = Mapping[str, object]


def number(report: Report, field: str) -> float | None:
    """The field as a number; ``None`` where it is absent, null or something else."""
    value = report.get(field)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def flag(report: Report, field: str) -> bool | None:
    """The field as a truth value; ``None`` where it was not checked."""
    value = report.get(field)
    return value if isinstance(value, bool) else None


def text(report: Report, field: str) -> str | None:
    """The field as text; ``None`` where it is absent or null."""
    value = report.get(field)
    return None if value is None else str(value)


def mapping(report: Report, field: str) -> Report:
    """The field as a mapping; empty where it is absent or null."""
    value = report.get(field)
    return cast(Report, value) if isinstance(value, Mapping) else {}


def rows(report: Report, field: str) -> list[Report]:
    """The field as a list of mappings; rows that are not mappings are left out."""
    return [cast(Report, item) for item in _items(report, field) if isinstance(item, Mapping)]


def words(report: Report, field: str) -> list[str]:
    """The field as a list of words; empty where it is absent or null."""
    return [str(item) for item in _items(report, field)]


def ratio(report: Report, over: str, under: str) -> float | None:
    """``over / under`` where both were measured and ``under`` is not zero."""
    top, bottom = number(report, over), number(report, under)
    return top / bottom if top is not None and bottom else None


def measured(value: float | None, form: str = ",.0f", unit: str = "") -> str:
    """A number with its unit, or the words that say there is none."""
    return NOT_MEASURED if value is None else f"{value:{form}}{unit}"


def percent(value: float | None) -> str:
    """A share of one in percent."""
    return NOT_MEASURED if value is None else f"{value:.0%}"


def verdict(passed: bool | None) -> str:
    """What came out of a check."""
    return {True: "passed", False: "FAILED", None: NOT_MEASURED}[passed]


def title(report: Report) -> str:
    """``softmax, rows=64 cols=1024``: the kernel and its sizes."""
    sizes = " ".join(f"{axis}={size}" for axis, size in mapping(report, "size").items())
    name = text(report, "kernel") or "unnamed kernel"
    return f"{name}, {sizes}" if sizes else name


def _items(report: Report, field: str) -> Sequence[object]:
    value = report.get(field)
    return cast(Sequence[object], value) if isinstance(value, list | tuple) else ()
