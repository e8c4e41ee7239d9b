"""The report in short, for a terminal."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from oxegg.report.fields import (
    NOT_MEASURED,
    Report,
    flag,
    mapping,
    measured,
    number,
    percent,
    ratio,
    rows,
    text,
    title,
    verdict,
    words,
)

MANY_MATCHES = 1000
"""From here on a rule that makes most of the matches is worth naming."""


def summarize(report: Report) -> RenderableType:
    """One kernel: verdict, cycles against their bounds, loops, extraction, rules."""
    facts = Table.grid(padding=(0, 2))
    for label, value in _facts(report):
        facts.add_row(label, value)
    parts: list[RenderableType] = [Text(title(report), style="bold"), facts]
    if loops := rows(report, "loops"):
        parts.append(_loops(loops))
    return Group(*parts)


def summarize_many(reports: Sequence[Report]) -> RenderableType:
    """One line a kernel, for the whole suite."""
    shown = Table(box=None, header_style="bold", pad_edge=False)
    shown.add_column("kernel")
    for column in ("correct", "cycles", "generic", "speedup", "of roofline", "instructions"):
        shown.add_column(column, justify="right")
    for report in reports:
        shown.add_row(
            text(report, "kernel") or "?",
            _mark(flag(report, "correct")),
            _cell(number(report, "cycles")),
            _cell(number(report, "cycles_generic")),
            _cell(ratio(report, "cycles_generic", "cycles"), ".2f"),
            _cell(ratio(report, "roofline_cycles", "cycles"), ".0%"),
            _cell(number(report, "instructions")),
        )
    return shown


def _facts(report: Report) -> list[tuple[str, str | Text]]:
    extraction, egraph = mapping(report, "extraction"), mapping(report, "egraph")
    speedup = ratio(report, "cycles_generic", "cycles")
    return [
        ("machine", " ".join(text(report, name) or "-" for name in ("machine", "mode", "place"))),
        ("correct", _correct(report)),
        ("cycles", measured(number(report, "cycles"))),
        (
            "generic",
            f"{measured(number(report, 'cycles_generic'))}"
            + ("" if speedup is None else f" ({speedup:.2f}x slower)"),
        ),
        (
            "roofline",
            f"{measured(number(report, 'roofline_cycles'))}"
            f" ({percent(ratio(report, 'roofline_cycles', 'cycles'))} reached)",
        ),
        ("instructions", measured(number(report, "instructions"))),
        (
            "extraction",
            f"{text(extraction, 'status') or NOT_MEASURED}, "
            f"cost {measured(number(extraction, 'cost'), ',g')}, "
            f"bound {measured(number(extraction, 'bound'), ',g')}",
        ),
        (
            "e-graph",
            f"{measured(number(egraph, 'nodes'))} nodes, stopped by: "
            f"{text(egraph, 'stopped_by') or NOT_MEASURED}",
        ),
        ("rules", ", ".join(words(report, "rules")) or "none"),
        *_culprit(egraph),
        *_stale(words(egraph, "stale_rules")),
        ("seconds", measured(number(mapping(report, "seconds"), "total"), ".1f")),
    ]


def _culprit(egraph: Report) -> list[tuple[str, str | Text]]:
    """Where a limit ended saturation: the rule that made most of the matches, if one did."""
    busiest = mapping(egraph, "busiest_rule")
    share, matches = number(busiest, "share") or 0, number(busiest, "matches") or 0
    if text(egraph, "stopped_by") == "saturated" or share < 0.5 or matches < MANY_MATCHES:
        return []
    said = f"{text(busiest, 'name')} made {percent(share)} of the matches: see `oxegg rules blame`"
    return [("growth", Text(said, style="yellow"))]


def _stale(names: Sequence[str]) -> list[tuple[str, str | Text]]:
    """Rules that were left out because they, or operations in them, changed since their proof."""
    if not names:
        return []
    some = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
    said = f"{len(names)} without current evidence ({some}): run `oxegg rules prove`"
    return [("not used", Text(said, style="yellow"))]


def _correct(report: Report) -> Text:
    correct = flag(report, "correct")
    error = number(report, "error_over_bound")
    style = {True: "green", False: "bold red", None: ""}[correct]
    return Text(
        verdict(correct) + ("" if error is None else f", error {error:.3g} of its bound"),
        style=style,
    )


def _loops(loops: Sequence[Report]) -> Table:
    shown = Table(box=None, header_style="bold", pad_edge=False)
    shown.add_column("loop")
    for column in ("instructions", "II", "bound"):
        shown.add_column(column, justify="right")
    shown.add_column("status")
    for loop in loops:
        shown.add_row(
            text(loop, "label") or "?",
            _cell(number(loop, "instructions")),
            _cell(number(loop, "ii"), ",g"),
            _cell(number(loop, "bound"), ",g"),
            text(loop, "status") or "-",
        )
    return shown


def _cell(value: float | None, form: str = ",.0f") -> str:
    return "-" if value is None else f"{value:{form}}"


def _mark(correct: bool | None) -> Text:
    return {True: Text("yes", "green"), False: Text("NO", "bold red"), None: Text("-")}[correct]
