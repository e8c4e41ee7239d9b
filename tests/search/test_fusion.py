"""Stages fused over blocks: what doesn't fit into the scratchpad as a whole fits by blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from jaxtyping import Float32

import oxegg
from oxegg.costmodels import load_machine
from oxegg.emit.blocks import Fusion
from oxegg.emit.fusion import shared_axes
from oxegg.emit.stages import Stage
from oxegg.frontend import lower
from oxegg.fuzz.variants import LIMITS, compiled
from oxegg.ir import Kernel
from oxegg.search import programs
from oxegg.search.fused import scratch_bytes, within
from oxegg.search.nests import generic_nest
from oxegg.search.programs import Candidate
from oxegg.search.saturation import allowed_rules, prepare
from oxegg.search.tile_graph import realizable_tiles
from oxegg.verify import check

CARD = load_machine("ox-card")


def attention(
    q: Float32[np.ndarray, "queries=40 d=16"],
    k: Float32[np.ndarray, "keys=100 d=16"],
    v: Float32[np.ndarray, "keys=100 d=16"],
):
    scores = q @ k.T
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return (weights @ v) / weights.sum(axis=-1, keepdims=True)


def causal(
    q: Float32[np.ndarray, "t=50 d=16"],
    k: Float32[np.ndarray, "t=50 d=16"],
    v: Float32[np.ndarray, "t=50 d=16"],
):
    """Blocks have to know their position."""
    position = np.arange(int(q.shape[0]), dtype=np.int64)
    scores = np.where(position[:, None] >= position[None, :], q @ k.T, np.float32(-1e30))
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return (weights @ v) / weights.sum(axis=-1, keepdims=True)


def heads(
    q: Float32[np.ndarray, "heads=3 queries=20 d=16"],
    k: Float32[np.ndarray, "heads=3 d=16 keys=70"],
    v: Float32[np.ndarray, "heads=3 keys=70 d=16"],
):
    """Blocks along two axes."""
    weights = np.exp(q @ k)
    return (weights @ v) / weights.sum(axis=-1, keepdims=True)


def products(
    a: Float32[np.ndarray, "m=33 k=40"],
    b: Float32[np.ndarray, "k=40 h=90"],
    c: Float32[np.ndarray, "h=90 n=50"],
):
    return np.maximum(a @ b, 0) @ c


Kernels = Callable[..., Any]


@cache
def found(kernel: Kernels) -> tuple[Kernel, list[Candidate]]:
    lowered = lower(kernel)
    prepared = prepare(lowered, allowed_rules("real"), LIMITS, tensor=True)
    return lowered, programs.candidates(realizable_tiles(prepared.graph, CARD), CARD, "dag")


def fusions(candidate: Candidate) -> list[Fusion]:
    return [stage.fusion for stage in candidate.stages if stage.fusion is not None]


@pytest.mark.parametrize("kernel", [attention, causal, heads, products])
@pytest.mark.parametrize("tiled", [True, False])
def test_programs_run_block_by_block(kernel: Kernels, tiled: bool) -> None:
    lowered, candidates = found(kernel)
    whole = next(c for c in candidates if c.tiled == tiled and scratch_bytes(c))
    blocks = within(whole, CARD, 0)
    assert fusions(blocks)
    assert scratch_bytes(blocks) < scratch_bytes(whole)
    plan = tuple(generic_nest(stage, CARD) for stage in blocks.stages)
    verdict = check(
        lowered, compiled(lowered, blocks, plan, CARD, "real", 10**9).runner, mode="real"
    )
    assert verdict.correct, verdict.failures


def wide(
    q: Float32[np.ndarray, "queries=40 d=64"],
    k: Float32[np.ndarray, "keys=400 d=64"],
    v: Float32[np.ndarray, "keys=400 d=64"],
):
    """So many keys that it pays to divide results, and not weights, by the sums."""
    scores = (q @ k.T) * np.float32(0.125)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return (weights @ v) / weights.sum(axis=-1, keepdims=True)


def test_weights_and_their_sums_are_computed_once() -> None:
    lowered, candidates = found(wide)
    whole = next(c for c in candidates if c.tiled)
    assert [len(stage.stores) for stage in whole.stages] == [1, 1, 2, 1, 1]
    for candidate in (whole, within(whole, CARD, 0)):
        plan = tuple(generic_nest(stage, CARD) for stage in candidate.stages)
        verdict = check(
            lowered, compiled(lowered, candidate, plan, CARD, "real", 10**9).runner, mode="real"
        )
        assert verdict.correct, verdict.failures


def weighed(x: Float32[np.ndarray, "rows=5 n=70"]):
    weights = np.exp(x - x.max(axis=-1, keepdims=True))
    return weights, weights.sum(axis=-1)


def test_a_sum_along_the_lanes_shares_the_loop_of_its_summands() -> None:
    lowered, candidates = found(weighed)
    candidate = next(c for c in candidates if c.label == "no buffers")
    (stage,) = candidate.stages
    assert {store.lane and store.lane.name for store in stage.stores} == {"n", None}
    plan = (generic_nest(stage, CARD),)
    program = compiled(lowered, candidate, plan, CARD, "real", 10**9)
    assert check(lowered, program.runner, mode="real").correct


def long(
    q: Float32[np.ndarray, "queries=2048 d=64"],
    k: Float32[np.ndarray, "keys=2048 d=64"],
    v: Float32[np.ndarray, "keys=2048 d=64"],
):
    """So many queries and keys that it pays to lay out the values anew for the tensor engine."""
    scores = (q @ k.T) * np.float32(0.125)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return (weights @ v) / weights.sum(axis=-1, keepdims=True)


def test_what_has_no_blocks_moves_out_of_their_way() -> None:
    """The new layout is made between scores and weights, and all rows need all of it."""

    def without_queries(stages: Sequence[Stage]) -> list[int]:
        return [i for i, s in enumerate(stages) if all(a.name != "queries" for a in s.axes)]

    _, candidates = found(long)
    whole = next(c for c in candidates if c.tiled and without_queries(c.stages) not in ([], [0]))
    fused = within(whole, CARD, 2**18)
    assert without_queries(fused.stages) == [0]
    assert [stage.fusion is None for stage in fused.stages] == [True] + [False] * (
        len(whole.stages) - 1
    )


def test_buffers_that_fit_stay_whole() -> None:
    _, (candidate, *_) = found(attention)
    assert within(candidate, CARD, scratch_bytes(candidate)) is candidate


def test_blocks_grow_into_the_room_there_is() -> None:
    _, candidates = found(attention)
    whole = next(c for c in candidates if c.tiled)
    smallest, larger = (within(whole, CARD, room) for room in (0, scratch_bytes(whole) - 1))
    assert scratch_bytes(smallest) < scratch_bytes(larger) < scratch_bytes(whole)


def test_blocks_cover_what_they_do_not_divide() -> None:
    _, candidates = found(attention)
    (fusion, *_) = fusions(within(next(c for c in candidates if c.tiled), CARD, 0))
    assert [(axis.name, axis.size, size) for axis, size in fusion.blocks] == [("queries", 40, 16)]


def test_reduced_axes_are_not_shared() -> None:
    _, (candidate, *_) = found(attention)
    assert [axis.name for axis in shared_axes(candidate.stages)] == ["queries"]


def test_a_kernel_larger_than_the_scratchpad_compiles() -> None:
    small = replace(CARD, spm=replace(CARD.spm, bytes=8 << 10))
    kernel = oxegg.compile(products, machine=small)
    assert kernel.report["correct"]
    assert fusions(kernel.search.best.candidate)
    assert kernel.search.best.runner.scratch_place == "spm"
