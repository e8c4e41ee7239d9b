"""Matrix times vectors near memory: right in every form, and only where it pays."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pytest
from jaxtyping import BFloat16, Float16, Float32, Int8

import oxegg
from oxegg import sim
from oxegg.certificate.folder import check_folder
from oxegg.costmodels import load_machine
from oxegg.emit.banked import GROUP, Blocks

Array = npt.NDArray[Any]
Kernel = Callable[..., Any]
WIDE: dict[str, Any] = {"i8": np.int32, "f16": np.float32, "bf16": np.float32, "f32": np.float32}
TYPES: dict[str, Any] = {"i8": Int8, "f16": Float16, "bf16": BFloat16, "f32": Float32}


def product(letters: str, *, rows_first: bool = True, vectors: int = 0) -> Kernel:
    """``w @ x`` of a constant matrix; ``vectors`` > 0: of so many vectors at once."""
    wide, kind = WIDE[letters], TYPES[letters]

    def multiply(w: Any, x: Any) -> Any:
        matrix, vector = (a if a.dtype == wide else a.astype(wide) for a in (w, x))
        return matrix @ vector if rows_first else vector @ matrix

    columns = f" n={vectors}" if vectors else ""
    first, second = ("m=64 k=64", f"k=64{columns}")
    if not rows_first:
        first, second = "k=64 m=64", f"n={vectors} k=64" if vectors else "k=64"
    multiply.__annotations__ = {
        "w": Annotated[kind[np.ndarray, first], oxegg.constant],
        "x": kind[np.ndarray, second],
    }
    return multiply


def compiled(kernel: Kernel, machine: str, rows: int, depth: int, **more: Any) -> Any:
    options: dict[str, Any] = {"place": "dram", "peers": (), "seconds": 1, **more}
    return oxegg.compile(kernel, machine=machine, sizes={"m": rows, "k": depth}, **options)


@pytest.mark.parametrize("letters", TYPES)
@pytest.mark.parametrize(("machine", "rows"), [("ox-card", 1031), ("ox-edge", 517)])
def test_every_type_and_odd_size_is_right(letters: str, machine: str, rows: int) -> None:
    report = compiled(product(letters), machine, rows, 203).report
    assert report["correct"] is True
    assert report["engine"] == "near_memory"
    assert report["banked"] == ["w"]
    assert report["proof"] == "proved"
    assert report["roofline_cycles"] <= report["cycles"]


@pytest.mark.parametrize("letters", ["i8", "f32"])
def test_transposed_matrices_and_several_vectors(letters: str) -> None:
    for rows_first in (True, False):
        kernel = product(letters, rows_first=rows_first, vectors=2)
        report = compiled(kernel, "ox-card", 1000, 300).report
        assert report["correct"] is True
        assert report["engine"] == "near_memory"


def test_int8_vectors_go_near_memory_and_matrices_do_not() -> None:
    """The same rule, the same constant matrix: only the number of vectors differs."""
    gemv = compiled(product("i8"), "ox-card", 512, 512).report
    gemm = compiled(product("i8", vectors=256), "ox-card", 512, 512).report
    assert gemv["engine"] == "near_memory"
    assert gemm["engine"].startswith("tensor")
    assert gemv["correct"] is gemm["correct"] is True


def test_other_arrays_keep_their_layout() -> None:
    """Without the mark nobody has laid the matrix out ahead of time."""
    kernel = product("i8")
    kernel.__annotations__["w"] = Int8[np.ndarray, "m=64 k=64"]
    assert compiled(kernel, "ox-card", 512, 512).report["banked"] == []


def test_files_work_on_their_own(tmp_path: Path) -> None:
    kernel = compiled(product("i8"), "ox-edge", 300, 100)
    assert kernel.report["engine"] == "near_memory"
    kernel.write(tmp_path)
    assert sim.run_elf(tmp_path / "multiply.elf", load_machine("ox-edge")).exit_code == 0
    assert any(finding.name == "machine code" for finding in check_folder(tmp_path))


@pytest.mark.parametrize("transposed", [False, True])
def test_blocks_hold_every_element_once(transposed: bool) -> None:
    blocks = Blocks(
        rows=70, depth=45, element=1, accumulators=2, lanes=4, along=2, banks=3,
        transposed=transposed,
    )  # fmt: skip
    matrix = np.arange(1, 70 * 45 + 1, dtype=np.uint8).reshape(70, 45)
    packed = blocks.pack(matrix.T if transposed else matrix)
    assert packed.size == blocks.part * blocks.banks
    parts = packed.reshape(3, blocks.passes, blocks.steps, 2, GROUP, 4, 2)
    for row, depth in ((0, 0), (5, 17), (69, 44), (31, 8)):
        rest, lane = divmod(row, 4)
        rest, accumulator = divmod(rest, 2)
        turn, bank = divmod(rest, 3)
        step, access = divmod(depth // 2, GROUP)
        found = parts[bank, turn, step, accumulator, access, lane, depth % 2]
        assert found == matrix[row, depth]
    assert np.sort(packed)[-70 * 45 :].sum() == np.sort(matrix, axis=None).sum()


@pytest.mark.skipif(shutil.which("clang-22") is None, reason="needs clang")
@pytest.mark.parametrize("rows_first", [True, False])
def test_the_packing_routine_lays_the_matrix_out(tmp_path: Path, rows_first: bool) -> None:
    kernel = compiled(product("i8", rows_first=rows_first), "ox-card", 530, 100)
    layout = kernel.search.best.runner.layouts["w"]
    matrix = np.random.default_rng(1).integers(-128, 128, (530, 100)).astype(np.int8)
    stored = matrix if rows_first else np.ascontiguousarray(matrix.T)
    (tmp_path / "multiply.h").write_text(kernel.header_text)
    (tmp_path / "matrix.bin").write_bytes(stored.tobytes())
    (tmp_path / "pack.c").write_text(
        f"""
        #include <stdio.h>
        #include <stdlib.h>
        #include "multiply.h"
        int main(void) {{
            static int8_t w[{stored.size}];
            unsigned char *banks = calloc({layout.banks}, {layout.distance});
            FILE *in = fopen("matrix.bin", "rb");
            if (fread(w, 1, sizeof w, in) != sizeof w) return 1;
            multiply_pack_w(w, (int8_t *)banks);
            for (int b = 0; b < {layout.banks}; b++)
                fwrite(banks + (size_t)b * {layout.distance}, 1, {layout.part}, stdout);
            return 0;
        }}
        """
    )
    subprocess.run(
        ["clang-22", "-Wall", "-Werror", "-o", "pack", "pack.c"], cwd=tmp_path, check=True
    )
    done = subprocess.run([tmp_path / "pack"], cwd=tmp_path, check=True, capture_output=True)
    np.testing.assert_array_equal(np.frombuffer(done.stdout, np.uint8), layout.pack(stored))
