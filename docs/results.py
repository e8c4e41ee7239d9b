"""Writes ``docs/results.md`` and ``docs/suites.md`` from the JSON files of ``oxegg bench``.

    oxegg bench --machine ox-card --json out/bench-ox-card.json          (ox-edge, ox-dc alike)
    oxegg bench --machine x60 --objective instructions --peer "" --json out/bench-x60.json
    oxegg bench --machine ox-card --peer "" --json out/without-nothing.json
    oxegg bench --machine ox-card --peer "" --without algebra --json out/without-algebra.json
    oxegg bench --suite ai --machine ox-card --json out/ai-ox-card.json  (graphics; ox-edge, ox-dc)
    oxegg bench --suite ai --machine ox-card --without tensor-engine NAME... \
        --json out/ai-ox-card-without-tensor-engine.json   (near-memory-engine; ox-dc)
    python docs/results.py out > docs/results.md
    python docs/results.py out suites > docs/suites.md

``docs/data/clang_best.csv`` holds the executed instructions of the best of clang 22's variants
(-O3 -ffast-math, LMUL caps 1, 2, 4, 8) of ``docs/data/kernels.c``, counted under QEMU.
"""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import geometric_mean
from typing import Any

from oxegg.frontend.suite import load_suite
from oxegg.report.prediction import accuracy

Row = dict[str, Any]
HERE = Path(__file__).parent
FAMILIES = (
    "algebra", "reductions", "comparisons", "integers", "formats", "elementary", "tensor-engine",
    "vector-engine",
)  # fmt: skip


def read(folder: Path, name: str) -> list[Row]:
    path = folder / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else []


def against_generic(folder: Path, machine: str) -> Iterator[str]:
    """Cycles beside those of the generic compiler and of the roofline."""
    rows = [r for r in read(folder, f"bench-{machine}") if r.get("cycles")]
    if not rows:
        return
    ratios = [r["cycles_generic"] / r["cycles"] for r in rows]
    correct = sum(r["correct"] is True for r in rows)
    yield f"## {machine}: simulated cycles"
    yield ""
    yield (
        f"{correct} of {len(rows)} correct; geometric mean of generic / cycles "
        f"{geometric_mean(ratios):.2f}, smallest {min(ratios):.2f}."
    )
    yield ""
    yield "| kernel | place | cycles | generic | ratio | of roofline | instructions | spills |"
    yield "| --- | --- | --: | --: | --: | --: | --: | --: |"
    for r, ratio in zip(rows, ratios, strict=True):
        share = r["roofline_cycles"] / r["cycles"]
        yield (
            f"| {r['kernel']} | {r['place']} | {r['cycles']:,} | {r['cycles_generic']:,} "
            f"| {ratio:.2f} | {share:.0%} | {r['instructions']:,} | {r['spills']} |"
        )
    yield ""


def against_clang(folder: Path, machine: str, vlen: int) -> Iterator[str]:
    """Executed instructions beside clang's best variant."""
    with (HERE / "data" / "clang_best.csv").open() as file:
        best = {
            f"{r['kernel']}_{r['size']}": int(r["instructions"])
            for r in csv.DictReader(file)
            if int(r["vlen"]) == vlen
        }
    rows = [r for r in read(folder, f"bench-{machine}") if r.get("instructions")]
    if not rows:
        return
    ratios = [r["instructions"] / best[r["kernel"]] for r in rows]
    yield f"## {machine} (VLEN {vlen}): executed instructions, objective instructions"
    yield ""
    yield f"Geometric mean of oxegg / clang {geometric_mean(ratios):.2f} over {len(rows)} kernels."
    yield ""
    yield "| kernel | oxegg | clang 22, best variant | ratio |"
    yield "| --- | --: | --: | --: |"
    for r, ratio in zip(rows, ratios, strict=True):
        yield f"| {r['kernel']} | {r['instructions']:,} | {best[r['kernel']]:,} | {ratio:.2f} |"
    yield ""


def family_worth(folder: Path) -> Iterator[str]:
    """How many kernels are lost, and how much slower the others get, without a rule family."""
    full = {r["kernel"]: r["cycles"] for r in read(folder, "without-nothing") if r.get("cycles")}
    ratios: dict[str, dict[str, float | None]] = {}
    for family in FAMILIES:
        rows = read(folder, f"without-{family}")
        ratios[family] = {
            r["kernel"]: r["cycles"] / full[r["kernel"]] if r.get("cycles") else None for r in rows
        }
    shown = [family for family in FAMILIES if ratios[family]]
    if not shown:
        return
    yield "## What each rule family is worth (ox-card)"
    yield ""
    yield (
        "Cycles without the family over cycles with all rules; an empty cell is 1.00, *lost* a "
        "kernel that can't be compiled at all. `tensor-engine` and `vector-engine` are the "
        "instruction selection of those engines: without the latter, a program is scalar or for "
        "tiles."
    )
    yield ""
    yield f"| kernel | {' | '.join(shown)} |"
    yield f"| --- |{' --: |' * len(shown)}"
    for kernel in full:
        cells = [_worth(ratios[family].get(kernel, 1.0)) for family in shown]
        if any(cells):
            yield f"| {kernel} | {' | '.join(cells)} |"
    columns = [[r for r in ratios[f].values() if r is not None] for f in shown]
    means = [f"**{geometric_mean(column):.3f}**" if column else "" for column in columns]
    lost = [str(list(ratios[f].values()).count(None)) for f in shown]
    yield f"| **geometric mean** | {' | '.join(means)} |"
    yield f"| kernels lost | {' | '.join(lost)} |"
    yield ""


def _worth(ratio: float | None) -> str:
    if ratio is None:
        return "*lost*"
    return "" if abs(ratio - 1) <= 0.005 else f"{ratio:.2f}"


def suite_tables(folder: Path) -> Iterator[str]:
    """The suites ``ai`` and ``graphics``: share of the roofline, and what limits each kernel."""
    yield "# The suites ai and graphics"
    yield ""
    yield "Written by `docs/results.py`; cycles are simulated. *Roofline* is what bounds any"
    yield "program of this algebra; *busiest* the engine that it keeps longest; *waits for* why"
    yield "most cycles without issue had none."
    yield ""
    everything: list[Row] = []
    for suite in ("ai", "graphics"):
        for machine in ("ox-card", "ox-edge", "ox-dc"):
            rows = [r for r in read(folder, f"{suite}-{machine}") if r.get("cycles")]
            if rows:
                everything += rows
                yield from suite_table(suite, machine, rows)
    yield from engine_worth(folder)
    yield from predictions(everything)


def suite_table(suite: str, machine: str, rows: list[Row]) -> Iterator[str]:
    shares = [r["roofline_cycles"] / r["cycles"] for r in rows]
    correct = sum(r["correct"] is True for r in rows)
    yield f"## {suite} on {machine}"
    yield ""
    yield (
        f"{len(rows)} of {len(load_suite(suite))} rows measured; {correct} correct; "
        f"{sum(share > 1 for share in shares)} faster than the "
        f"roofline; geometric mean of the share {geometric_mean(shares):.0%}."
    )
    yield ""
    yield "| kernel | engine | place | cycles | of roofline | roofline | busiest | waits for |"
    yield "| --- | --- | --- | --: | --: | --- | --- | --- |"
    for r, share in zip(rows, shares, strict=True):
        busiest = max(r["engines"], key=lambda engine: r["engines"][engine])
        waits = max(r["stalls"], key=lambda cause: r["stalls"][cause], default="")
        yield (
            f"| {r['kernel']} | {r['engine']} | {r['place']} | {r['cycles']:,} | {share:.0%} "
            f"| {r['roofline_limit']} | {busiest} {r['engines'][busiest]:.0%} | {waits} |"
        )
    yield ""


def engine_worth(folder: Path) -> Iterator[str]:
    """The same kernels on the same machine with one engine switched off."""
    for machine in ("ox-card", "ox-edge", "ox-dc"):
        whole = {r["kernel"]: r for r in read(folder, f"ai-{machine}") if r.get("cycles")}
        for engine in ("tensor-engine", "near-memory-engine"):
            rows = [r for r in read(folder, f"ai-{machine}-without-{engine}") if r.get("cycles")]
            pairs = [(r, whole[r["kernel"]]) for r in rows if r["kernel"] in whole]
            if not pairs:
                continue
            ratios = [without["cycles"] / r["cycles"] for without, r in pairs]
            yield f"## ai on {machine} without the {engine.replace('-', ' ')}"
            yield ""
            yield f"{len(pairs)} rows: {geometric_mean(ratios):.1f} times the cycles."
            yield ""
            yield "| kernel | cycles | without | ratio |"
            yield "| --- | --: | --: | --: |"
            for (without, r), ratio in zip(pairs, ratios, strict=True):
                yield (f"| {r['kernel']} | {r['cycles']:,} | {without['cycles']:,} | {ratio:.1f} |")
            yield ""


def predictions(rows: list[Row]) -> Iterator[str]:
    found = accuracy(rows)
    if found is None:
        return
    yield "## Predicted against simulated cycles"
    yield ""
    yield (
        f"{found.count} programs of {found.kernels} searches: rank correlation (Spearman) "
        f"{found.spearman:.3f}, median error {found.error:.1%}"
        + (f"; within one search, on average, {found.within:.2f}." if found.within else ".")
    )
    yield ""
    yield "| engine | programs | rank correlation | median error |"
    yield "| --- | --: | --: | --: |"
    for engine in sorted({t["engine"] for r in rows for t in r["tried"]}):
        own = [{"tried": [t for t in r["tried"] if t["engine"] == engine]} for r in rows]
        part = accuracy(own)
        if part is not None:
            yield f"| {engine} | {part.count} | {part.spearman:.3f} | {part.error:.1%} |"
    yield ""


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
    if sys.argv[2:] == ["suites"]:
        print("\n".join(suite_tables(folder)))
        return
    lines = ["# Measured results", "", "Written by `docs/results.py`; cycles are simulated.", ""]
    for machine in ("ox-card", "ox-edge", "ox-dc"):
        lines += against_generic(folder, machine)
    for machine, vlen in (("x60", 256), ("x280", 512)):
        lines += against_clang(folder, machine, vlen)
    lines += family_worth(folder)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
