"""The two pictures of the page: horizontal bars (HTML) and a line of growth (SVG)."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 640, 200
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 12, 28


@dataclass(frozen=True)
class Bar:
    """One bar: ``length`` in the chart's unit, ``None`` where there is nothing to draw.

    ``kind`` is own, other or bound: the CSS class that colours it.
    """

    label: str
    length: float | None
    shown: str
    kind: str = "other"


def bars(rows: Sequence[Bar], *, full: float | None = None) -> str:
    """Bars under each other; ``full`` is the length of a whole track (default: the longest bar)."""
    whole = full or max((row.length or 0 for row in rows), default=0) or 1
    return "".join(_bar(row, whole) for row in rows)


@dataclass(frozen=True)
class Point:
    """One step of a growing count; ``label`` is shown when the pointer rests on it."""

    label: str
    count: float


def growth(points: Sequence[Point], *, unit: str) -> str:
    """A line chart of counts by step, as SVG that takes its colours from the page."""
    top = max((point.count for point in points), default=0) or 1
    step = (WIDTH - LEFT - RIGHT) / max(len(points) - 1, 1)
    places = [
        (LEFT + index * step, HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * point.count / top)
        for index, point in enumerate(points)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{escape(point.label)}: '
        f"{point.count:,.0f} {escape(unit)}</title></circle>"
        for point, (x, y) in zip(points, places, strict=True)
    )
    return (
        f'<svg class="growth" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(unit)} after each step">{_grid(top, len(points))}'
        f'<polyline points="{line}"/>{dots}</svg>'
    )


def _grid(top: float, steps: int) -> str:
    lines: list[str] = []
    for share in (0.0, 0.5, 1.0):
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share
        lines.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" class="end">{top * share:,.0f}</text>')
    lines.append(f'<text x="{LEFT}" y="{HEIGHT - 6}">step 0</text>')
    lines.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" class="end">step {steps - 1}</text>')
    return "".join(lines)


def _bar(row: Bar, whole: float) -> str:
    value, fill = "value none", ""
    if row.length is not None:
        value = "value"
        fill = f'<span class="fill" style="width:{100 * row.length / whole:.2f}%"></span>'
    return (
        f'<div class="bar {escape(row.kind)}"><span class="label">{escape(row.label)}</span>'
        f'<span class="track">{fill}</span><span class="{value}">{escape(row.shown)}</span></div>'
    )
