"""Products of matrices on the tensor engine: right for every type, shape and layout."""

from __future__ import annotations

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


def test_tiles_multiply_matrices_and_lanes_multiply_by_vectors() -> None:
    m, n, k = Axis("m", 32), Axis("n", 32), Axis("k", 64)

    def product(*columns: Axis) -> Kernel:
        a, b = input_("a", I8, (m, k)), input_("b", I8, (k, *columns))
        wide = [pointwise("convert", x, to=I32) for x in (a, b)]
        total = reduce("add", k, pointwise("mul", *wide))
        return Kernel("product", (a, b), (Output("c", total, (m, *columns)),))

    matrix = oxegg.compile(product(n), machine="ox-card", peers=())
    vector = oxegg.compile(product(), machine="ox-card", peers=())
    assert matrix.report["engines"]["tensor"] > 0
    assert vector.report["engines"]["tensor"] == 0
    assert "ox.mm.ss" in matrix.assembly
    without = oxegg.compile(product(n), machine="ox-card", peers=(), without=("tensor-engine",))
    assert without.report["engines"]["tensor"] == 0
    assert without.report["cycles"] > 2 * matrix.report["cycles"]
