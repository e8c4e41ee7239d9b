"""What clang makes of the C kernels, in all variants, does the same here and under QEMU."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from oxegg.costmodels import load_machine
from oxegg.sim import run_elf
from tests.sim.differential import MACHINES
from tests.sim.toolchain import CLANG, needs_clang

QEMU = shutil.which("qemu-riscv64")
HERE = Path(__file__).parent
KERNELS = HERE.parents[1] / "docs" / "data" / "kernels.c"
pytestmark = [needs_clang, pytest.mark.skipif(QEMU is None, reason="QEMU is not installed")]
# Short ones that have loads and stores of all kinds, reductions, conversions, exp and integers.
SAMPLE = (
    r"saxpy_1000|dot_64|sumi32_|doti8_|sadu8_|maxf_|softmax_64|layernorm_64|matmul_16|conv3x3_10|"
    r"fir16_256|quatmul_64|mandel16_64|rgb2gray_256|hist_|transposeu8_64|prefixi32_256|attn32_16"
)
FAST = "-ffast-math"


@cache
def _names() -> tuple[str, ...]:
    """The functions of the kernel file: its macros, expanded."""
    text = subprocess.run([str(CLANG), "-E", "-P", str(KERNELS)], capture_output=True, text=True,
                          check=True).stdout  # fmt: skip
    return tuple(re.findall(r"\bvoid (\w+)\(", text))


def build(folder: Path, vlen: int, lmul: int, options: list[str], pattern: str) -> Path:
    """The driver, the kernels whose names match, and a table of them, as one program."""
    names = [name for name in _names() if re.match(pattern, name)]
    table = folder / "table.c"
    declared = "".join(f"void {name}();\n" for name in names)
    table.write_text(f"{declared}void *const table[] = {{{', '.join(names)}, 0}};\n")
    program = folder / "kernels.elf"
    cap = ["-mllvm", f"-riscv-v-register-bit-width-lmul={lmul}"]
    found = subprocess.run(
        [str(CLANG), "--target=riscv64", f"-march=rv64gcv_zba_zbb_zbs_zvl{vlen}b", "-mabi=lp64d",
         "-O3", "-fno-math-errno", *options, *cap, "-ffreestanding", "-nostdlib", "-static",
         "-fuse-ld=lld", "-w", "-std=gnu11",
         "-o", str(program), str(HERE / "kernels_driver.c"), str(table), str(KERNELS)],
        capture_output=True, text=True, check=False)  # fmt: skip
    assert found.returncode == 0, found.stderr
    return program


def _agree(folder: Path, vlen: int, lmul: int, options: list[str], pattern: str) -> None:
    program = build(folder, vlen, lmul, options, pattern)
    theirs = subprocess.run(
        [str(QEMU), "-cpu", f"rv64,v=true,vlen={vlen},vext_spec=v1.0,zba=true,zbb=true,zbs=true",
         str(program)], capture_output=True, check=False)  # fmt: skip
    assert theirs.returncode == 0
    ours = run_elf(program, load_machine(MACHINES[vlen]), timing=False)
    assert ours.exit_code == 0
    assert len(ours.output) == len(theirs.stdout) > 0
    assert ours.output == theirs.stdout


@pytest.mark.parametrize(
    ("vlen", "lmul", "options"), [(128, 1, []), (256, 4, [FAST]), (512, 2, [FAST])]
)
def test_a_sample_runs_as_under_qemu(vlen: int, lmul: int, options: list[str], tmp_path: Path):
    _agree(tmp_path, vlen, lmul, options, SAMPLE)


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], [FAST]], ids=["precise", "fast"])
@pytest.mark.parametrize("lmul", [1, 2, 4, 8])
@pytest.mark.parametrize("vlen", [128, 256, 512])
def test_all_variants_run_as_under_qemu(vlen: int, lmul: int, options: list[str], tmp_path: Path):
    _agree(tmp_path, vlen, lmul, options, "")
