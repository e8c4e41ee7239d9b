"""Products of matrices on the tensor engine: right for every type, shape and layout."""

from __future__ import annotations

from statistics import median

import pytest

import oxegg
from oxegg.ir import Axis, input_, pointwise, reduce
from oxegg.ir.term import Kernel, Output
from oxegg.ir.types import I8, I32
from oxegg.search import CompiledKernel
from tests.end_to_end.matrix_products import matrix_product

MACHINES = ("ox-tiny", "ox-edge", "ox-card", "ox-dc")
FAST, CAMPAIGN = 6, 400


def _compile(seed: int) -> CompiledKernel:
    machine = MACHINES[seed % len(MACHINES)]
    return oxegg.compile(matrix_product(seed), machine=machine, peers=(), seconds=3)


@pytest.mark.parametrize("seed", range(FAST))
def test_products_are_right(seed: int) -> None:
    compiled = _compile(seed)
    assert compiled.report["correct"], compiled.report["failures"]
    assert compiled.report["cycles"] >= compiled.report["roofline_cycles"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(FAST, CAMPAIGN))
def test_campaign(seed: int) -> None:
    compiled = _compile(seed)
    assert compiled.report["correct"], compiled.report["failures"]
    assert compiled.report["cycles"] >= compiled.report["roofline_cycles"]


def _product(m: Axis, n: Axis | None, k: Axis) -> Kernel:
    a, b = input_("a", I8, (m, k)), input_("b", I8, (k, n) if n else (k,))
    wide = [pointwise("convert", x, to=I32) for x in (a, b)]
    total = reduce("add", k, pointwise("mul", *wide))
    return Kernel("product", (a, b), (Output("c", total, (m, n) if n else (m,)),))


def test_blocks_in_dram_are_staged_by_dma() -> None:
    kernel = _product(Axis("m", 256), Axis("n", 128), Axis("k", 128))
    compiled = oxegg.compile(kernel, machine="ox-card", peers=(), place="dram", seconds=4)
    assert compiled.report["correct"], compiled.report["failures"]
    assert "ox.dma" in compiled.assembly
    waits = [t["cycles"] for t in compiled.report["tried"] if "staged" not in t["nests"][0]]
    assert all(compiled.report["cycles"] < cycles for cycles in waits)
    staged = [t for t in compiled.report["tried"] if "staged" in t["nests"][0]]
    errors = [abs(t["predicted"] / t["cycles"] - 1) for t in staged]
    assert median(errors) < 0.2


def test_tiles_multiply_matrices_and_lanes_multiply_by_vectors() -> None:
    m, n, k = Axis("m", 32), Axis("n", 32), Axis("k", 64)
    matrix = oxegg.compile(_product(m, n, k), machine="ox-card", peers=())
    vector = oxegg.compile(_product(m, None, k), machine="ox-card", peers=())
    assert matrix.report["engines"]["tensor"] > 0
    assert vector.report["engines"]["tensor"] == 0
    assert "ox.mm.ss" in matrix.assembly
    without = oxegg.compile(
        _product(m, n, k), machine="ox-card", peers=(), without=("tensor-engine",)
    )
    assert without.report["engines"]["tensor"] == 0
    assert without.report["cycles"] > 2 * matrix.report["cycles"]
