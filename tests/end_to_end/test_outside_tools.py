"""Suite kernels in other people's hands: LLVM assembles and links them, QEMU runs them.

The C program below calls a kernel through its header; what it prints is judged by the verifier.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import oxegg
from oxegg.costmodels import Machine, load_machine
from oxegg.emit.header import C_TYPES
from oxegg.frontend.suite import SuiteRow, load_suite
from oxegg.ir import Kernel
from oxegg.sim import run_elf
from oxegg.verify import check, input_sets

Array = npt.NDArray[Any]

MACHINES = ("x60", "x280")
QUICK = {
    "saxpy_1000", "dot_64", "doti8_1024", "softmax_64", "matmul_16", "conv3x3_10",
    "rgb2gray_256", "transpose_8", "prefixi32_256", "mandelstep_64", "mat4vec_1", "quatmul_64",
}  # fmt: skip
ASSEMBLER = ("llvm-mc-22", "llvm-objcopy-22")
QEMU = "qemu-riscv64"
COMPILER = ("clang-22", "ld.lld-22", QEMU)
SECONDS = 120
GUARD = b"\xa5" * 64  # before and after each output

# QEMU 7.2 dies of an assertion on these unless an instruction with dynamic rounding comes first.
FATAL_TO_QEMU = re.compile(r"\bvf[wn]?cvt\.rtz\.")

PRELUDE = """
#include "{name}.h"

static long system_call(long number, long a, const void *b, long c) {{
  register long a0 __asm__("a0") = a;
  register const void *a1 __asm__("a1") = b;
  register long a2 __asm__("a2") = c;
  register long a7 __asm__("a7") = number;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
  return a0;
}}
"""
START = """
void _start(void) {{
  {name}({arguments});
  {writes}
  system_call(93, 0, 0, 0);
}}
"""
BUFFER = """
static {qualifier}unsigned char {name}[] __attribute__((aligned(64))) = {{{content}}};
"""


@dataclass(frozen=True)
class Built:
    """A compiled suite kernel and the folder with its files."""

    kernel: Kernel
    machine: Machine
    folder: Path

    def file(self, suffix: str) -> Path:
        return self.folder / f"{self.kernel.name}{suffix}"


def _cases() -> Iterator[Any]:
    for row in load_suite():
        marks = () if row.name in QUICK else (pytest.mark.slow,)
        for machine in MACHINES:
            yield pytest.param((row, machine), id=f"{row.name}-{machine}", marks=marks)


@pytest.fixture(scope="module", params=_cases())
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    case: tuple[SuiteRow, str] = request.param
    kernel, machine = case[0].lower(), load_machine(case[1])
    made = oxegg.compile(
        kernel, machine=machine, objective="instructions", peers=(), effort="quick"
    )
    folder = tmp_path_factory.mktemp("kernel")
    made.write(folder)
    return Built(kernel, machine, folder)


def needs(*tools: str) -> pytest.MarkDecorator:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} missing")


def tool(*arguments: str | Path) -> None:
    done = subprocess.run(
        [str(a) for a in arguments], capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr


def qemu(program: Path, built: Built) -> bytes:
    """Standard output of a program on QEMU's CPU with the machine's vector length."""
    if FATAL_TO_QEMU.search(built.file(".s").read_text()):
        pytest.skip("QEMU 7.2 aborts on conversions that truncate")
    program.chmod(0o755)
    ones = "rvv_ta_all_1s=true,rvv_ma_all_1s=true"
    cpu = f"rv64,v=true,vlen={built.machine.vlen},vext_spec=v1.0,{ones}"
    done = subprocess.run(
        [QEMU, "-cpu", cpu, str(program)], capture_output=True, check=False, timeout=SECONDS
    )
    # A signal (an illegal instruction, say) gives a negative status.
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr.decode()}"
    return done.stdout


def text_section(file: Path) -> bytes:
    target = file.with_suffix(".text")
    tool("llvm-objcopy-22", "-O", "binary", "--only-section=.text", file, target)
    return target.read_bytes()


def stored(array: Array) -> bytes:
    """The bytes of an array as kernels take them: bools are bytes of 0 and 1."""
    return np.ascontiguousarray(array).tobytes()


def c_program(built: Built, inputs: Sequence[Array]) -> str:
    """A program that calls the kernel on ``inputs`` and writes its outputs, guards included."""
    kernel, name = built.kernel, built.kernel.name
    parts, arguments, writes = [PRELUDE.format(name=name)], list[str](), list[str]()

    def buffer(array: str, content: bytes, qualifier: str = "") -> None:
        numbers = ",".join(map(str, content))
        parts.append(BUFFER.format(name=array, qualifier=qualifier, content=numbers))

    for i, (term, array) in enumerate(zip(kernel.inputs, inputs, strict=True)):
        buffer(f"input{i}", stored(array), "const ")
        load = "" if array.shape else "*"  # scalars travel by value
        arguments.append(f"{load}(const {C_TYPES[term.type.numpy.name]} *)input{i}")
    for i, output in enumerate(kernel.outputs):
        size = output_bytes(kernel, i)
        buffer(f"output{i}", GUARD + b"\xa5" * size + GUARD)
        c_type = C_TYPES[output.value.type.numpy.name]
        arguments.append(f"({c_type} *)(output{i} + {len(GUARD)})")
        writes.append(f"system_call(64, 1, output{i}, sizeof output{i});")
    macro = f"{name.upper()}_SCRATCH_BYTES"
    if macro in built.file(".h").read_text():
        parts.append(f"static unsigned char scratch[{macro}] __attribute__((aligned(64)));")
        arguments.append("scratch")
    start = START.format(name=name, arguments=", ".join(arguments), writes="\n  ".join(writes))
    return "\n".join([*parts, start])


def output_bytes(kernel: Kernel, index: int) -> int:
    output = kernel.outputs[index]
    return int(np.prod([a.size for a in output.layout])) * output.value.type.numpy.itemsize


def printed_arrays(kernel: Kernel, printed: bytes) -> list[Array]:
    """The outputs in what the program printed. Nothing around them may have changed."""
    arrays: list[Array] = []
    for i, output in enumerate(kernel.outputs):
        size = output_bytes(kernel, i)
        part, printed = printed[: size + 2 * len(GUARD)], printed[size + 2 * len(GUARD) :]
        assert part[: len(GUARD)] == part[len(GUARD) + size :] == GUARD
        content = np.frombuffer(part[len(GUARD) : -len(GUARD)], output.value.type.numpy)
        arrays.append(content.reshape([a.size for a in output.layout]))
    assert not printed
    return arrays


@needs(*ASSEMBLER)
def test_the_assembly_is_the_object(built: Built) -> None:
    again = built.folder / "again.o"
    tool("llvm-mc-22", "--triple=riscv64", "--filetype=obj", built.file(".s"), "-o", again)
    text = text_section(built.file(".o"))
    assert text
    assert text_section(again) == text


@needs(*COMPILER)
def test_a_c_program_gets_results_within_bounds(built: Built) -> None:
    def run(inputs: list[Array]) -> list[Array]:
        main, program = built.folder / "main.c", built.folder / "main"
        main.write_text(c_program(built, inputs))
        tool(
            "clang-22", "--target=riscv64-unknown-linux-gnu", "-march=rv64gcv", "-mabi=lp64d",
            "-O1", "-Wall", "-Werror", "-ffreestanding", "-fno-strict-aliasing",
            "-nostdlib", "-static", "--ld-path=ld.lld-22", f"-I{built.folder}",
            main, built.file(".o"), "-o", program,
        )  # fmt: skip
        return printed_arrays(built.kernel, qemu(program, built))

    verdict = check(built.kernel, run, mode="real", sets=input_sets(built.kernel, seed=1)[:2])
    assert verdict.correct, "\n".join(map(str, verdict.failures))


@needs(QEMU)
def test_the_program_checks_itself_under_qemu(built: Built) -> None:
    qemu(built.file(".elf"), built)


def test_the_program_checks_itself_on_the_simulator(built: Built) -> None:
    assert run_elf(built.file(".elf"), built.machine, timing=False).exit_code == 0
