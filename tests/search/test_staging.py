"""Blocks staged through the scratchpad: right for every size of axis and of block."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from oxegg.costmodels import load_machine
from oxegg.emit.lowering.staging import staging_bytes
from oxegg.emit.nest import Nest
from oxegg.fuzz.variants import LIMITS, compiled
from oxegg.ir import Axis, Kernel, input_, pointwise, reduce
from oxegg.ir.term import Output
from oxegg.ir.types import F32, I8, I32
from oxegg.search import programs
from oxegg.search.programs import Candidate
from oxegg.search.saturation import allowed_rules, prepare
from oxegg.search.tile_graph import realizable_tiles
from oxegg.verify import check

CARD = load_machine("ox-card")
TYPES = {"i8": (I8, I32), "f32": (F32, F32)}
LONGEST = 5000  # instructions: every remainder is a text of its own


@cache
def product(type_: str, sizes: tuple[int, int, int]) -> tuple[Kernel, Candidate, Nest]:
    """a(m, k) · b(k, n), its program on tiles, and that program's nest without blocks."""
    m, k, n = (Axis(name, size) for name, size in zip("mkn", sizes, strict=True))
    narrow, wide = TYPES[type_]
    a, b = input_("a", narrow, (m, k)), input_("b", narrow, (k, n))
    factors = [x if narrow is wide else pointwise("convert", x, to=wide) for x in (a, b)]
    total = reduce("add", k, pointwise("mul", *factors))
    kernel = Kernel("product", (a, b), (Output("c", total, (m, n)),))
    prepared = prepare(kernel, allowed_rules("real"), LIMITS, tensor=True)
    found = programs.candidates(realizable_tiles(prepared.graph, CARD), CARD, "dag")
    tiled = next(candidate for candidate in found if candidate.tiled)
    return kernel, tiled, Nest((m, n, k), 1, ahead=True)


def _staged(nest: Nest, blocks: str, *, copies: int = 1, cached: tuple[str, ...] = ()) -> Nest:
    """``nest`` with blocks such as "m/32 n/16", and ``copies`` by ``copies`` accumulators."""
    axes = {axis.name: axis for axis in nest.order}
    cuts = tuple((axes[name], int(size)) for name, size in (b.split("/") for b in blocks.split()))
    unroll = tuple((axis, copies) for axis, _ in cuts[:2] if copies > 1)
    return replace(nest, blocks=cuts, unroll=unroll, cached=cached)


def _assert_right(type_: str, sizes: tuple[int, int, int], nest: Nest) -> None:
    kernel, candidate, _ = product(type_, sizes)
    variant = compiled(kernel, candidate, (nest,), CARD, "real", LONGEST, "dram")
    verdict = check(kernel, variant.runner, mode="real")
    assert verdict.correct, verdict.failures


@pytest.mark.parametrize(
    "blocks", ["m/16 n/16", "n/16 m/16", "m/32 n/41", "n/32 m/37", "m/37 n/16", "m/37 n/41"]
)
def test_blocks_need_not_divide_the_axes(blocks: str) -> None:
    sizes = (37, 19, 41)
    _, _, nest = product("f32", sizes)
    _assert_right("f32", sizes, _staged(nest, blocks))


@pytest.mark.parametrize("cached", ["a", "b"])
@pytest.mark.parametrize("blocks", ["m/32 n/32", "n/32 m/32"])
def test_one_operand_stays_in_the_cache(blocks: str, cached: str) -> None:
    """Only what is transferred has to have rows of whole words."""
    sizes = (67, 20, 43 if cached == "b" else 44)
    _, _, nest = product("i8", sizes)
    _assert_right("i8", sizes, _staged(nest, blocks, copies=2, cached=(cached,)))


@pytest.mark.parametrize("blocks", ["m/16 n/16 k/16", "n/32 m/37 k/16", "m/37 n/41 k/32"])
def test_chunks_of_the_reduced_axis_add_to_what_the_one_before_has_stored(blocks: str) -> None:
    sizes = (37, 53, 41)
    _, _, nest = product("f32", sizes)
    _assert_right("f32", sizes, _staged(nest, blocks))


@pytest.mark.parametrize("cached", [(), ("a",), ("b",)])
def test_chunks_of_bytes(cached: tuple[str, ...]) -> None:
    sizes = (37, 148, 44)
    _, _, nest = product("i8", sizes)
    _assert_right("i8", sizes, _staged(nest, "m/32 n/32 k/64", copies=2, cached=cached))


def test_room_is_that_of_the_largest_blocks() -> None:
    _, candidate, nest = product("f32", (37, 19, 41))
    (stage,) = candidate.stages
    small, large = (_staged(nest, blocks) for blocks in ("m/16 n/16", "m/32 n/16"))
    assert staging_bytes(stage, nest) == 0
    assert 0 < staging_bytes(stage, small) < staging_bytes(stage, large)
