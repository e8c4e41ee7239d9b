"""Inputs in DRAM that are read again and again are copied to the scratchpad first."""

from pathlib import Path

import numpy as np
import pytest
from jaxtyping import Float32, Int8
from numpy.lib.stride_tricks import sliding_window_view

from oxegg.costmodels import load_machine
from oxegg.emit.lowering.copies import all_copied, with_copies
from oxegg.emit.physical import Buffer, PhysicalProgram
from oxegg.ir.types import F32, I8
from oxegg.search import streams
from oxegg.search.api import compile_kernel
from oxegg.sim import run_elf

CARD = load_machine("ox-card")


def depthwise(
    image: Int8[np.ndarray, "height=14 width=14 c=64"],
    weights: Int8[np.ndarray, "u=3 v=3 c=64"],
):
    windows = sliding_window_view(image.astype(np.int32), (3, 3), axis=(0, 1))
    return np.einsum("yxcuv,uvc->yxc", windows, weights.astype(np.int32))


def scaled(x: Float32[np.ndarray, "n=512"]):
    return x * 2


def test_windows_are_read_from_copies(tmp_path: Path) -> None:
    compiled = compile_kernel(depthwise, machine="ox-card", place="dram", effort="quick", peers=())
    best = compiled.search.best
    assert compiled.report["correct"]
    assert best.engine == "vector+dma"
    copied = {buffer.name for buffer, _ in best.candidate.program.copies}
    blocks = streams.fusion(best.candidate)
    streamed = {window.source for window, _ in blocks.streams} if blocks else set[str]()
    assert {"image", "weights"} <= copied | streamed
    for trial in compiled.search.tried:
        assert trial.engine == "vector+dma" or trial.score("cycles") > best.score("cycles")
    compiled.write(tmp_path)
    assert run_elf(tmp_path / "depthwise.elf", CARD, timing=False).exit_code == 0


def test_arrays_that_are_read_once_are_not_copied() -> None:
    compiled = compile_kernel(scaled, machine="ox-card", place="dram", effort="quick", peers=())
    assert compiled.report["correct"]
    assert compiled.search.best.candidate.program.copies == ()


@pytest.mark.parametrize(
    ("room", "copied"), [(100, []), (200, ["small"]), (4096, ["small", "large"]), (1000, ["small"])]
)
def test_the_smallest_come_first_while_there_is_room(room: int, copied: list[str]) -> None:
    inputs = (Buffer("large", F32, 300, "input", 0), Buffer("small", I8, 100, "input", 1))
    program = with_copies(PhysicalProgram("p", inputs, ()), room)
    assert [buffer.name for buffer, _ in program.copies] == copied
    assert sum(place.bytes for _, place in program.copies) <= room
    assert all_copied(program) == (len(copied) == len(inputs))


def normalized(
    x: Float32[np.ndarray, "rows=2 d=256"],
    w: Float32[np.ndarray, "d=256 n=384"],
):
    return (x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + np.float32(1e-5))) @ w


def test_what_is_not_copied_is_expected_to_take_its_time() -> None:
    """The weights don't fit: a program that copies the rest is not the fastest by far."""
    compiled = compile_kernel(normalized, machine="ox-card", effort="quick", peers=())
    best = compiled.search.best
    assert best.engine == "tensor+dma"
    moved = 4 * (2 * 256 + 256 * 384 + 2 * 384) / CARD.dram_bytes_per_cycle
    for trial in compiled.search.tried:
        if trial.candidate.program.copies:
            assert trial.predicted > moved
