"""The report as one self-contained page: no script, no font, no picture from elsewhere."""

from collections.abc import Callable, Sequence
from html import escape
from importlib.resources import files

from oxegg.report.assembly import render_assembly
from oxegg.report.charts import Bar, Point, bars, growth
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

_ABSENT = f'<p class="none">{NOT_MEASURED}</p>'


def render_html(report: Report) -> str:
    """The whole page for one report; a pure function of the mapping."""
    style = files("oxegg.report").joinpath("style.css").read_text(encoding="utf-8")
    sections = "".join(
        f"<section><h2>{heading}</h2>{body(report)}</section>" for heading, body in SECTIONS
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title(report))} · oxegg</title><style>{style}</style></head>\n"
        f"<body>{_head(report)}{_tiles(report)}{sections}</body></html>\n"
    )


def _head(report: Report) -> str:
    correct = flag(report, "correct")
    kind = {True: "good", False: "bad", None: "soft"}[correct]
    word = {True: "correct", False: "WRONG RESULT", None: "correctness not measured"}[correct]
    setting = " · ".join(
        f"{name} {escape(text(report, name) or NOT_MEASURED)}"
        for name in ("machine", "mode", "place")
    )
    return (
        f"<h1>{escape(title(report))}</h1>"
        f'<p class="soft">{setting} <span class="badge {kind}">{word}</span></p>'
    )


def _tiles(report: Report) -> str:
    tiles = (
        (measured(number(report, "cycles")), "cycles, simulated"),
        (measured(ratio(report, "cycles_generic", "cycles"), ".2f", "x"), "faster than generic"),
        (percent(ratio(report, "roofline_cycles", "cycles")), "of the roofline"),
        (measured(number(report, "instructions")), "instructions executed"),
        (measured(number(report, "error_over_bound"), ".3g"), "error over its bound"),
    )
    return '<div class="tiles">{}</div>'.format(
        "".join(
            f'<div class="tile"><b{_soften(value)}>{escape(value)}</b><span>{label}</span></div>'
            for value, label in tiles
        )
    )


def _cycles(report: Report) -> str:
    peers = mapping(report, "cycles_peer")
    entries = [
        ("roofline", number(report, "roofline_cycles"), "bound"),
        ("proven lower bound", number(report, "lower_bound_cycles"), "bound"),
        ("this program", number(report, "cycles"), "own"),
        ("predicted", number(report, "predicted_cycles"), "other"),
        *((peer, number(peers, peer), "other") for peer in peers),
        ("generic", number(report, "cycles_generic"), "other"),
    ]
    return bars([Bar(label, cycles, measured(cycles), kind) for label, cycles, kind in entries])


def _engines(report: Report) -> str:
    engines = mapping(report, "engines")
    shares = [(name, number(engines, name)) for name in engines]
    if not shares:
        return _ABSENT
    return bars(
        [Bar(name.replace("_", " "), share, percent(share)) for name, share in shares], full=1
    )


def _loops(report: Report) -> str:
    found = rows(report, "loops")
    columns = ("loop", "instructions", "II, cycles", "bound", "status", "seconds")
    return _table(
        columns,
        [
            (
                f"<code>{escape(text(row, 'label') or '?')}</code>",
                measured(number(row, "instructions")),
                measured(number(row, "ii"), ",g"),
                measured(number(row, "bound"), ",g"),
                escape(text(row, "status") or NOT_MEASURED),
                measured(number(row, "seconds"), ".2f"),
            )
            for row in found
        ],
        numeric=(1, 2, 3, 5),
    )


def _extraction(report: Report) -> str:
    found = mapping(report, "extraction")
    status, method = text(found, "status"), text(found, "method")
    if not found:
        return _ABSENT
    return (
        f"<p>cost {measured(number(found, 'cost'), ',g')}, "
        f"lower bound {measured(number(found, 'bound'), ',g')}: "
        f"<b>{escape(status or NOT_MEASURED)}</b> by method {escape(method or NOT_MEASURED)} "
        f"in {measured(number(found, 'seconds'), '.2f', ' s')}</p>"
    )


def _rules(report: Report) -> str:
    steps = rows(report, "chain") or [{"rule": name} for name in words(report, "rules")]
    if not steps:
        return _ABSENT
    return f"<ol>{''.join(f'<li>{_step(step)}</li>' for step in steps)}</ol>"


def _step(step: Report) -> str:
    kind = text(step, "class")
    before, after = text(step, "before"), text(step, "after")
    change = ""
    if before is not None and after is not None:
        change = f"<br><code>{escape(before)}</code> → <code>{escape(after)}</code>"
    note = f' <span class="soft">{escape(kind)}</span>' if kind else ""
    return f"<code>{escape(text(step, 'rule') or '?')}</code>{note}{change}"


def _egraph(report: Report) -> str:
    found = mapping(report, "egraph")
    points = [
        Point(text(row, "phase") or f"step {index}", number(row, "nodes") or 0)
        for index, row in enumerate(rows(found, "growth"))
    ]
    summary = (
        f"<p>{measured(number(found, 'nodes'))} e-nodes in "
        f"{measured(number(found, 'classes'))} e-classes; stopped by: "
        f"{escape(text(found, 'stopped_by') or NOT_MEASURED)}</p>"
    )
    return summary + (growth(points, unit="e-nodes") if len(points) > 1 else "")


def _checks(report: Report) -> str:
    promised: list[Report] = [
        {"name": "machine code against NumPy", "passed": flag(report, "correct")},
        {"name": "finite field", "passed": flag(report, "field_check")},
    ]
    return _table(
        ("check", "verdict", "what was run"),
        [
            (
                escape(text(row, "name") or "?"),
                f'<span class="{_verdict_kind(row)}">{verdict(flag(row, "passed"))}</span>',
                escape(text(row, "detail") or ""),
            )
            for row in rows(report, "checks") or promised
        ],
    )


def _verdict_kind(row: Report) -> str:
    return {True: "good", False: "bad", None: "none"}[flag(row, "passed")]


def _seconds(report: Report) -> str:
    found = mapping(report, "seconds")
    stages = [(stage, number(found, stage)) for stage in found]
    memory = measured(number(report, "peak_memory_mb"), ",.0f", " MB")
    return (
        bars([Bar(stage, time, measured(time, ".2f", " s")) for stage, time in stages])
        + f'<p class="soft">peak memory: {memory}</p>'
    )


def _assembly(report: Report) -> str:
    source = text(report, "assembly")
    if source is None:
        return _ABSENT
    labels = [label for row in rows(report, "loops") if (label := text(row, "label"))]
    return f"<pre>{render_assembly(source, labels)}</pre>"


def _table(
    columns: Sequence[str], cells: Sequence[Sequence[str]], numeric: Sequence[int] = ()
) -> str:
    if not cells:
        return _ABSENT
    kinds = ['class="number"' if index in numeric else "" for index in range(len(columns))]
    head = "".join(f"<th {kind}>{name}</th>" for name, kind in zip(columns, kinds, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f"<td {kind}>{cell}</td>" for cell, kind in zip(row, kinds, strict=True))
        + "</tr>"
        for row in cells
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _soften(value: str) -> str:
    return ' class="none"' if value == NOT_MEASURED else ""


SECTIONS: tuple[tuple[str, Callable[[Report], str]], ...] = (
    ("Cycles", _cycles),
    ("Loops", _loops),
    ("Engines, share of the time busy", _engines),
    ("Extraction", _extraction),
    ("Rules, from source to result", _rules),
    ("E-graph", _egraph),
    ("Checks", _checks),
    ("Where the compile time went", _seconds),
    ("Assembly", _assembly),
)
