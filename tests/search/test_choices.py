"""What the search chooses without being told, and between which machines the choice flips."""

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any

import numpy as np
import pytest
from jaxtyping import Float32, Int8

import oxegg
from oxegg.costmodels import load_machine
from oxegg.emit.nest import Nest


def product(a: Int8[np.ndarray, "m k"], b: Int8[np.ndarray, "k n"]):
    return a.astype(np.int32) @ b.astype(np.int32)


def product_f32(a: Float32[np.ndarray, "m k"], b: Float32[np.ndarray, "k n"]):
    return a @ b


def gemv(w: Annotated[Int8[np.ndarray, "m k"], oxegg.constant], x: Int8[np.ndarray, "k"]):
    return w.astype(np.int32) @ x.astype(np.int32)


def saxpy(a: Float32[np.ndarray, ""], x: Float32[np.ndarray, "n"], y: Float32[np.ndarray, "n"]):
    return a * x + y


@cache
def chosen(
    function: Callable[..., Any], machine: str, *sizes: tuple[str, int]
) -> oxegg.CompiledKernel:
    return oxegg.compile(function, machine=machine, sizes=dict(sizes), peers=())


def engine(function: Callable[..., Any], machine: str, **sizes: int) -> str:
    return chosen(function, machine, *sizes.items()).search.best.engine


def tile_nest(function: Callable[..., Any], machine: str, **sizes: int) -> Nest:
    """The loops of the last stage: earlier ones lay operands out."""
    return chosen(function, machine, *sizes.items()).search.best.nests[-1]


def tiles_in_flight(nest: Nest) -> tuple[int, int]:
    """Rows and columns of the block of tiles that is accumulated at a time."""
    unroll = {axis.name: count for axis, count in nest.unroll}
    return unroll.get("m", 1), unroll.get("n", 1)


@pytest.mark.parametrize("machine", ["ox-edge", "ox-card"])
def test_four_accumulators_cover_the_latency_of_a_product(machine: str) -> None:
    rows, columns = tiles_in_flight(tile_nest(product, machine, m=128, k=128, n=128))
    assert rows * columns == 4


@pytest.mark.parametrize(
    ("machine", "blocking"), [("ox-edge", (2, 2)), ("ox-card", (1, 1)), ("ox-dc", (1, 1))]
)
def test_blocking_flips_with_the_size_of_a_tile(machine: str, blocking: tuple[int, int]) -> None:
    """16 x 16 floats are one tile of the wide machines and 2 x 2 of ox-edge."""
    assert tiles_in_flight(tile_nest(product_f32, machine, m=16, k=16, n=16)) == blocking


@pytest.mark.parametrize(
    ("machine", "engines"),
    [("ox-tiny", "tensor+dma"), ("ox-edge", "tensor")],
)
def test_blocks_are_double_buffered_where_the_scratchpad_is_short(
    machine: str, engines: str
) -> None:
    """126 KiB of arrays fill half a scratchpad, but all of ox-tiny's."""
    sizes = {"m": 96, "k": 192, "n": 192}
    assert engine(product, machine, **sizes) == engines
    assert bool(tile_nest(product, machine, **sizes).blocks) == ("dma" in engines)


@pytest.mark.parametrize(
    ("machine", "lmul"), [("ox-tiny", 8), ("ox-edge", 8), ("ox-card", 8), ("ox-dc", 4)]
)
def test_lmul_follows_the_ratio_of_register_and_datapath(machine: str, lmul: int) -> None:
    """Two pipes of 512 bits take a register of 1,024 at a time: wider groups only wait longer."""
    (nest,) = chosen(saxpy, machine, ("n", 1024)).search.best.nests
    assert nest.lanes * 32 == lmul * load_machine(machine).vlen


@pytest.mark.parametrize(
    ("machine", "engines"),
    [("ox-tiny", "vector+dma"), ("ox-edge", "near_memory"), ("ox-card", "near_memory"),
     ("ox-dc", "near_memory")],
)  # fmt: skip
def test_matrices_times_vectors_run_near_memory(machine: str, engines: str) -> None:
    """As far as the banks hold the matrix: ox-tiny has one MiB of them, and 1.25 MiB are asked."""
    assert engine(gemv, machine, m=512, k=2560) == engines
    assert engine(gemv, machine, m=512, k=512) == "near_memory"


def test_products_of_such_matrices_do_not() -> None:
    assert engine(product, "ox-card", m=16, k=512, n=512).startswith("tensor")


@pytest.mark.parametrize(
    ("machine", "engines"),
    [("ox-tiny", "tensor"), ("ox-edge", "vector"), ("ox-card", "vector"), ("ox-dc", "vector")],
)
def test_small_products_run_on_the_vector_engine(machine: str, engines: str) -> None:
    """The larger the tile, the longer a product takes that fills little of it."""
    assert engine(product, machine, m=2, k=4, n=4) == engines
    assert engine(product, machine, m=16, k=16, n=16) == "tensor"
