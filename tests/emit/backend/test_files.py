"""Assembly text, objects and headers, against LLVM's own tools."""

import shutil
import subprocess
from pathlib import Path

import pytest

from oxegg.costmodels import load_machine
from oxegg.emit.backend import MachineCode, generate
from oxegg.emit.header import Parameter, header
from oxegg.emit.object_file import object_file
from oxegg.emit.program import Loop, Operation, Program
from oxegg.errors import EmitError
from tests.emit.backend.programs import counted, f, saxpy_step, state, v, x
from tests.emit.backend.random_programs import Recipe, sample

CARD = load_machine("ox-card")
needs_llvm = pytest.mark.skipif(shutil.which("llvm-mc-22") is None, reason="llvm-mc-22 is missing")
needs_clang = pytest.mark.skipif(
    not all(shutil.which(tool) for tool in ("clang-22", "ld.lld-22", "qemu-riscv64")),
    reason="clang-22, ld.lld-22 or qemu-riscv64 is missing",
)


def tool(*arguments: str | Path) -> str:
    done = subprocess.run(
        [str(a) for a in arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def saxpy() -> Program:
    body: list[Operation | Loop] = [*saxpy_step(0, 64, state(32, 1, 16))]
    body += [Operation("addi", (p, p, 64)) for p in (x(1), x(2))]
    return Program("saxpy", (f(1), x(1), x(2)), [*counted(".L1", 4, x(3), body)])


def tiles() -> Program:
    body: list[Operation | Loop] = [
        Operation("li", (x(3), 16)),
        Operation("ox.tset.m", (x(4), x(3))),
        Operation("ox.tzero", (16,)),
        Operation("ox.tld.a", (0, x(1), x(3))),
        Operation("ox.tld.b", (1, x(1), x(3))),
        Operation("ox.mm.ss", (16, 0, 1)),
        Operation("ox.tst.c", (16, x(2), x(3))),
    ]
    return Program("tiles", (x(1), x(2)), body)


def far_loop() -> Program:
    body: list[Operation | Loop] = [Operation("addi", (x(2), x(2), 1)) for _ in range(1100)]
    return Program("far", (), [Operation("li", (x(2), 0)), *counted(".L1", 2, x(1), body)])


def constants() -> Program:
    body: list[Operation | Loop] = [
        Operation("la", (x(2), "table")),
        Operation("li", (x(3), 0x1234_5678_9ABC_DEF0)),
        Operation("sd", (x(3), 0, x(2))),
    ]
    return Program("pool", (), body, {"first": b"abc", "table": bytes(range(77))})


def crowded() -> Program:
    return sample(Recipe((20, 8, 4, 1), 3, 34, 36, 40, 2, 11), CARD.vlen).program


PROGRAMS = {p.__name__: p for p in (saxpy, tiles, far_loop, constants, crowded)}


def llvm_text(code: MachineCode, directory: Path) -> bytes:
    """The .text section that llvm-mc makes of the assembly text."""
    source, target, text = (directory / name for name in ("k.s", "k.o", "k.text"))
    source.write_text(code.assembly)
    tool("llvm-mc-22", "--triple=riscv64", "--filetype=obj", source, "-o", target)
    tool("llvm-objcopy-22", "-O", "binary", "--only-section=.text", target, text)
    return text.read_bytes()


@needs_llvm
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_text_assembles_to_the_code(name: str, tmp_path: Path):
    code = generate(PROGRAMS[name](), CARD)
    assert llvm_text(code, tmp_path) == code.code


def test_the_text_names_loops_and_custom_instructions():
    assert "# loop .L1: " in generate(saxpy(), CARD).assembly
    assert "4 trips" in generate(saxpy(), CARD).assembly
    assert ".insn r 0x2b" in generate(tiles(), CARD).assembly
    assert "# ox.mm.ss acc0, tr0, tr1" in generate(tiles(), CARD).assembly


def emitted(code: MachineCode) -> bytes:
    return object_file(code.name, code.code, code.statistics.instructions, code.extensions)


@needs_llvm
def test_the_object_is_well_formed(tmp_path: Path):
    code = generate(constants(), CARD)
    (tmp_path / "k.o").write_bytes(emitted(code))
    listing = tool("llvm-readelf-22", "-hSs", "-A", tmp_path / "k.o")
    assert "double-float ABI" in listing
    assert "rv64i2p1_m2p0_f2p2_d2p2_zicsr2p0" in listing
    assert "FUNC    GLOBAL DEFAULT     1 pool" in listing
    assert "warning" not in listing
    shown = tool("llvm-objdump-22", "-d", tmp_path / "k.o")
    assert "auipc" in shown
    assert "<unknown>" not in shown


@needs_clang
def test_it_links_into_a_c_program(tmp_path: Path):
    code = generate(saxpy(), CARD)
    parameters = [
        Parameter("a", "float32", (), "scalar"),
        Parameter("x", "float32", (64,), "input"),
        Parameter("y", "float32", (64,), "output"),
    ]
    (tmp_path / "saxpy.h").write_text(header("saxpy", parameters))
    (tmp_path / "saxpy.o").write_bytes(emitted(code))
    (tmp_path / "main.c").write_text(
        """
        #include "saxpy.h"
        static float x[64] __attribute__((aligned(64))), y[64] __attribute__((aligned(64)));
        void _start(void) {
          for (int i = 0; i < 64; i++) { x[i] = i; y[i] = 1.0f; }
          saxpy(2.0f, x, y);
          long wrong = 0;
          for (int i = 0; i < 64; i++) wrong += y[i] != 2.0f * i + 1.0f;
          register long status __asm__("a0") = wrong;
          register long call __asm__("a7") = 93;
          __asm__ volatile("ecall" : : "r"(status), "r"(call));
        }
        """
    )
    tool(
        "clang-22", "--target=riscv64-linux-gnu", "-march=rv64gc", "-O2", "-ffreestanding",
        "-nostdlib", "-static", "--ld-path=ld.lld-22", f"-I{tmp_path}",
        tmp_path / "main.c", tmp_path / "saxpy.o", "-o", tmp_path / "main",
    )  # fmt: skip
    tool("qemu-riscv64", "-cpu", "rv64,v=true,vlen=512,vext_spec=v1.0", tmp_path / "main")


def test_header():
    text = header(
        "kernel",
        [
            Parameter("a", "float64", (), "scalar"),
            Parameter("x", "bfloat16", (4, 8), "input"),
            Parameter("out", "int8", (32,), "output"),
        ],
        scratch_bytes=256,
    )
    assert (
        "void kernel(double a, const uint16_t *x /* 32 */, int8_t *out /* 32 */, void *scratch);"
        in text
    )
    assert "#define KERNEL_SCRATCH_BYTES 256" in text
    assert "x: input, bfloat16, the bits, 4x8" in text
    with pytest.raises(EmitError, match="complex64"):
        header("k", [Parameter("z", "complex64", (), "scalar")])


@needs_clang
def test_the_header_compiles(tmp_path: Path):
    kinds = ("float16", "bfloat16", "float32", "float64", "bool", "int8", "uint64")
    parameters = [Parameter(f"p{k}", dtype, (4,), "input") for k, dtype in enumerate(kinds)]
    path = tmp_path / "k.h"
    path.write_text(header("k", parameters))
    check = ("-ffreestanding", "-fsyntax-only", "-Wall", "-Werror")
    for language in ("c", "c++"):
        tool("clang-22", "--target=riscv64", *check, "-x", language, path)


def test_vector_registers_hold_what_they_should():
    """No allocation on paper: the first operand of the listing is the home that is reported."""
    program = Program("p", (x(1),), [Operation("vle8.v", (v(1), x(1)), state(8, 1, 4))])
    code = generate(program, CARD)
    assert f"vle8.v v{code.homes[v(1)]}, (a0)" in code.assembly
