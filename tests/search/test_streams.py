"""What programs on lanes read and write in DRAM passes through the scratchpad, block by block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from jaxtyping import Float32, Int8, Int32, UInt8
from numpy.lib.stride_tricks import sliding_window_view

import oxegg
from oxegg.costmodels import load_machine
from oxegg.emit.blocks import Transfer
from oxegg.emit.fusion import fuse, shared_axes
from oxegg.emit.streaming import stream
from oxegg.errors import EmitError
from oxegg.frontend import lower
from oxegg.fuzz.variants import LIMITS, compiled
from oxegg.search import programs, streams
from oxegg.search.nests import generic_nest
from oxegg.search.programs import Candidate
from oxegg.search.saturation import allowed_rules, prepare
from oxegg.verify import check

CARD = load_machine("ox-card")
Kernels = Callable[..., Any]


def logistic(x: Float32[np.ndarray, "n=5003"]):
    return 1 / (1 + np.exp(-x))


def softmax(x: Float32[np.ndarray, "rows=19 n=70"]):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def column_sums(x: Float32[np.ndarray, "rows=40 n=150"]):
    return x.sum(axis=0)


def blurred(image: UInt8[np.ndarray, "height=21 width=40"]):
    windows = sliding_window_view(image.astype(np.int32), (3, 3))
    return windows.sum(axis=(2, 3))


def luma(image: UInt8[np.ndarray, "height=20 width=30 rgb=3"]):
    wide = image.astype(np.int32)
    return (77 * wide[:, :, 0] + 150 * wide[:, :, 1] + 29 * wide[:, :, 2]) >> 8


def transposed(x: Int32[np.ndarray, "rows=24 n=50"]):
    return 3 * x.T


def parts(x: Int8[np.ndarray, "n=3000"], y: Int8[np.ndarray, "n=3000"]):
    return np.maximum(x, y), x.astype(np.int32) * y


def reversed_(x: Float32[np.ndarray, "n=900"]):
    return np.flip(x) * 2


def chosen(kernel: Kernels) -> list[Candidate]:
    prepared = prepare(lower(kernel), allowed_rules("real"), LIMITS)
    return programs.candidates(prepared.graph, CARD, "dag")


def streamed(candidate: Candidate, axis: str, size: int) -> Candidate:
    axes = shared_axes(candidate.stages)
    blocks = tuple((a, size) for a in axes if a.name == axis)
    program, stages = fuse(candidate.program, candidate.stages, 0, len(candidate.stages), blocks)
    program, stages = stream(program, stages)
    return Candidate("streamed", candidate.choice, tuple(stages), program)


def transfers(candidate: Candidate) -> list[Transfer]:
    fusion = streams.fusion(candidate)
    assert fusion is not None
    return [transfer for _, transfer in fusion.streams]


@pytest.mark.parametrize(
    ("kernel", "axis", "size"),
    [
        (logistic, "n", 1000),  # the last block overlaps the one before
        (logistic, "n", 5002),
        (transposed, "n", 1),
        (softmax, "rows", 4),
        (column_sums, "n", 32),
        (blurred, "height_1", 5),
        (blurred, "width_1", 8),
        (luma, "height", 6),
        (luma, "width", 7),
        (transposed, "n", 8),
        (transposed, "rows", 5),
        (parts, "n", 700),
    ],
)
def test_every_block_finds_its_operands_and_leaves_its_results(
    kernel: Kernels, axis: str, size: int
) -> None:
    lowered, tried = lower(kernel), 0
    for whole in chosen(kernel):
        if axis not in {a.name for a in shared_axes(whole.stages)}:
            continue
        candidate = streamed(whole, axis, size)
        plan = tuple(generic_nest(stage, CARD) for stage in candidate.stages)
        variant = compiled(lowered, candidate, plan, CARD, "real", 10**9, "dram")
        verdict = check(lowered, variant.runner, mode="real")
        assert verdict.correct, verdict.failures
        tried += 1
    assert tried


@pytest.mark.parametrize(
    ("axis", "size", "load", "store"),
    [
        # Five rows of sums need seven of the image, one behind the other.
        ("height_1", 5, (1, 7 * 40, 0), (1, 5 * 38 * 8, 0)),
        # Eight columns of sums need ten of the image, padded to whole words.
        ("width_1", 8, (21, 10, 40), (19, 8 * 8, 38 * 8)),
    ],
)
def test_rows_of_a_block_are_packed(
    axis: str, size: int, load: tuple[int, ...], store: tuple[int, ...]
) -> None:
    (whole, *_) = chosen(blurred)
    found = {t.kind: t for t in transfers(streamed(whole, axis, size))}
    for kind, (rows, row_bytes, stride) in (("load", load), ("store", store)):
        one = found[kind]
        assert (one.offset, one.rows, one.row_bytes) == (0, rows, row_bytes)
        assert rows == 1 or one.stride == stride
        assert one.pitch == -(-row_bytes // 8) * 8


def test_arrays_that_run_backwards_stay_where_they_are() -> None:
    for candidate in chosen(reversed_):
        found = streamed(candidate, "n", 100)
        assert [t.kind for t in transfers(found)] == ["store"]
        assert not streams.all_near(found)


def gathered(table: Float32[np.ndarray, "words=50 d=8"], words: Int32[np.ndarray, "n=40"]):
    return table[words]


def test_what_lies_anywhere_is_no_stream() -> None:
    for candidate in chosen(gathered):
        blocks = streams.fusion(streamed(candidate, "n", 8))
        assert blocks is not None
        assert "table" not in {window.source for window, _ in blocks.streams}


def test_nothing_to_stream_is_an_error() -> None:
    (candidate, *_) = chosen(logistic)
    with pytest.raises(EmitError, match="no stage is cut"):
        stream(candidate.program, candidate.stages)


def large(x: Float32[np.ndarray, "rows=64 n=1024"]):
    d = x - x.mean(axis=-1, keepdims=True)
    return d / np.sqrt((d * d).mean(axis=-1, keepdims=True) + 1e-5)


@pytest.mark.parametrize("machine", ["ox-tiny", "ox-edge", "ox-card", "ox-dc"])
def test_the_search_streams_what_the_scratchpad_does_not_hold(machine: str) -> None:
    found = oxegg.compile(large, machine=machine, place="dram", effort="quick", peers=()).search
    assert found.best.engine == "vector+dma"
    others = [t.result.cycles for t in found.tried if streams.fusion(t.candidate) is None]
    cycles = found.best.result.cycles
    assert cycles is not None
    assert all(other is not None and other > 1.5 * cycles for other in others)
    for trial in found.tried:
        if trial.engine == "vector+dma":
            assert trial.result.cycles == pytest.approx(trial.predicted, rel=0.1)


def test_machines_without_transfers_load_from_memory() -> None:
    compiled = oxegg.compile(column_sums, machine="x280", place="dram", effort="quick", peers=())
    assert all(streams.fusion(trial.candidate) is None for trial in compiled.search.tried)
