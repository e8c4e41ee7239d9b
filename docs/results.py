"""Writes ``docs/results.md`` from the JSON files of ``oxegg bench``.

    oxegg bench --machine ox-card --json out/bench-ox-card.json          (ox-edge, ox-dc alike)
    oxegg bench --machine x60 --objective instructions --peer "" --json out/bench-x60.json
    oxegg bench --machine ox-card --peer "" --without algebra --json out/without-algebra.json
    python docs/results.py out > docs/results.md

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
    full = {r["kernel"]: r["cycles"] for r in read(folder, "bench-ox-card") if r.get("cycles")}
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


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
    lines = ["# Measured results", "", "Written by `docs/results.py`; cycles are simulated.", ""]
    for machine in ("ox-card", "ox-edge", "ox-dc"):
        lines += against_generic(folder, machine)
    for machine, vlen in (("x60", 256), ("x280", 512)):
        lines += against_clang(folder, machine, vlen)
    lines += family_worth(folder)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
