"""The report page: what it shows, what it says where nothing was measured, what it escapes."""

import re
from html.parser import HTMLParser
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from oxegg.report import render_html, summarize, summarize_many
from oxegg.report.assembly import render_assembly

ASSEMBLY = """\
softmax:
    li      t0, 64
.L1: # ii 37, bound 37, optimal
    vle32.v v8, (a0)
.L2:
    vfadd.vv v8, v8, v16
    bnez    t1, .L2
    bnez    t0, .L1
    ret
"""


def report(**changes: object) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "kernel": "softmax",
        "size": {"rows": 64, "cols": 1024},
        "machine": "ox-card",
        "mode": "real",
        "place": "spm",
        "correct": True,
        "error_over_bound": 0.02,
        "field_check": None,
        "cycles": 40000,
        "instructions": 9012,
        "cycles_generic": 160000,
        "instructions_generic": 33000,
        "roofline_cycles": 36000,
        "lower_bound_cycles": None,
        "predicted_cycles": 40950,
        "cycles_peer": {"clang": 71000},
        "extraction": {
            "cost": 1.0,
            "bound": 1.0,
            "status": "optimal",
            "method": "exact",
            "seconds": 0.4,
        },
        "loops": [
            {"label": ".L1", "instructions": 26, "ii": 37, "bound": 37, "status": "optimal"},
            {"label": ".L2", "instructions": 2, "ii": 4, "bound": None, "status": "list"},
        ],
        "egraph": {
            "nodes": 12311,
            "classes": 3100,
            "stopped_by": "saturated",
            "growth": [
                {"phase": "normalise", "nodes": 40},
                {"phase": "algebra", "nodes": 3000},
                {"phase": "engines", "nodes": 12311},
            ],
        },
        "engines": {"scalar": 0.02, "vector": 0.93, "near_memory": None},
        "rules": ["algebra.sum.factor"],
        "seconds": {"lower": 0.1, "total": 3.3},
        "peak_memory_mb": None,
        "assembly": ASSEMBLY,
    }
    return whole | changes


def visible(page: str) -> str:
    """The page's text without tags and style."""
    text: list[str] = []

    class Reader(HTMLParser):
        def handle_data(self, data: str) -> None:
            if self.get_starttag_text() != "<style>" or not data.lstrip().startswith(":root"):
                text.append(data)

    Reader().feed(page)
    return " ".join(text)


def section(page: str, heading: str) -> str:
    found = re.search(rf"<section><h2>{heading}.*?</section>", page, re.DOTALL)
    assert found
    return found[0]


def test_headline_figures() -> None:
    page = visible(render_html(report()))
    for wanted in ("softmax, rows=64 cols=1024", "40,000", "4.00x", "90%", "9,012", "0.02"):
        assert wanted in page


def test_every_void_field_is_called_not_measured() -> None:
    empty = {name: None for name in report()}
    page = render_html(empty)
    assert "None" not in visible(page)
    assert page.count("not measured") >= 20
    assert render_html({}).count("not measured") == page.count("not measured")


def test_bars_are_to_scale_and_the_void_one_is_empty() -> None:
    cycles = section(render_html(report()), "Cycles")
    widths = dict(re.findall(r'label">([^<]+)</span><span[^>]*><span[^>]*width:([\d.]+)%', cycles))
    assert widths["generic"] == "100.00"
    assert widths["this program"] == "25.00"
    assert re.search(r'proven lower bound</span><span class="track"></span>', cycles)


@pytest.mark.parametrize(
    "hostile",
    [
        report(kernel="<script>alert(1)</script>"),
        report(machine="<script>alert(1)</script>"),
        report(size={"<script>alert(1)</script>": 1}),
        report(rules=["<script>alert(1)</script>"]),
        report(assembly="<script>alert(1)</script>: # <script>alert(1)</script>"),
        report(loops=[{"label": "<script>alert(1)</script>", "status": "<script>alert(1)"}]),
        report(engines={"<script>alert(1)</script>": 0.5}),
        report(cycles_peer={"<script>alert(1)</script>": 5}),
        report(checks=[{"name": "<script>alert(1)</script>", "detail": "<script>alert(1)"}]),
        report(chain=[{"rule": "<script>alert(1)", "before": "<script>", "after": "<script>"}]),
        report(egraph={"growth": [{"phase": '"<script>', "nodes": 1}] * 2}),
        report(extraction={"status": "<script>alert(1)", "method": "<script>alert(1)"}),
        report(seconds={"<script>alert(1)</script>": 0.5}),
    ],
)
def test_nothing_from_the_report_becomes_markup(hostile: dict[str, Any]) -> None:
    page = render_html(hostile)
    assert "<script" not in page
    assert "script&gt;" in page or "script>" not in page


def test_page_needs_nothing_from_elsewhere() -> None:
    page = render_html(report())
    assert not re.search(r"(src|href)\s*=|url\(|@import", page)
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page


def test_tags_are_balanced() -> None:
    void = {"meta", "br", "line", "polyline"}
    open_tags: list[str] = []

    class Balance(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in void:
                open_tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert open_tags.pop() == tag

        def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag in void

    Balance().feed(render_html(report()))
    assert open_tags == []


def test_wrong_result_cannot_be_overlooked() -> None:
    assert "WRONG RESULT" in render_html(report(correct=False))
    assert "FAILED" in section(render_html(report(correct=False)), "Checks")


def test_loop_bodies_are_edged_from_label_to_backward_branch() -> None:
    lines = render_assembly(ASSEMBLY, [".L1", ".L2"]).splitlines()
    edges = [re.search(r'class="line( loop\d)?"', line) for line in lines]
    shown = [edge[1].strip() if edge and edge[1] else "" for edge in edges]
    assert shown == ["", "", "loop0", "loop0", "loop1", "loop1", "loop1", "loop0", ""]


def test_assembly_text_is_kept() -> None:
    text = visible(render_assembly(ASSEMBLY, []))
    assert re.sub(r"\s+", "", text) == re.sub(r"\s+", "", ASSEMBLY)


def test_loop_that_is_not_in_the_text_is_no_error() -> None:
    assert "loop0" not in render_assembly(ASSEMBLY, [".L9"])


def test_growth_line_ends_at_the_top() -> None:
    page = section(render_html(report()), "E-graph")
    points = re.search(r'points="([^"]+)"', page)
    assert points
    heights = [float(point.split(",")[1]) for point in points[1].split()]
    assert heights == sorted(heights, reverse=True)
    assert heights[-1] == 12


def printed(thing: object) -> str:
    stream = StringIO()
    Console(file=stream, width=100).print(thing)
    return stream.getvalue()


def test_terminal_summary() -> None:
    text = printed(summarize(report()))
    for wanted in ("softmax", "40,000", "4.00x", "90%", "optimal", "algebra.sum.factor", ".L1"):
        assert wanted in text
    assert "None" not in printed(summarize({}))


def test_terminal_table_of_many() -> None:
    text = printed(summarize_many([report(), report(kernel="dot", correct=False, cycles=None)]))
    assert re.search(r"softmax\s+yes\s+40,000\s+160,000\s+4.00\s+90%", text)
    assert re.search(r"dot\s+NO\s+-\s+160,000\s+-\s+-", text)
