"""Random kernels under Spike, which has half precision and knows nothing of our simulator.

Spike has no operating system: a stub above the program switches the units on, starts it in user
mode, and turns its last system call into a report to the host.
"""

import subprocess
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from oxegg.costmodels import load_machine
from oxegg.errors import EmitError, LoweringError
from oxegg.fuzz.campaign import VECTOR_ONLY, Trial, trial
from oxegg.isa.registers import CSR_NUMBERS
from oxegg.search import compile as compile_kernel
from tests.sim.programs import Layout, Line, assemble, constant, write_image
from tests.sim.toolchain import EXTENSIONS, spike, spike_environment

STUB, LOWEST = 0x8000_0000, 0x1_0000
HOST = STUB + 0x800
STACK = STUB + 0x2_0000
LONGEST = 10_000_000
"""Instructions, after which Spike ends with code 0; the stub reports a code one larger."""
FAULT = 99
"""Exit code for any exception but the system call."""

pytestmark = pytest.mark.skipif(spike() is None, reason="Spike is not installed")


def stub(entry: int) -> bytes:
    """Start the program at ``entry``; its ecall ends the run with the code in a0."""
    handler: list[Line] = [
        ("csrrs", 6, CSR_NUMBERS["mcause"], 0), ("addi", 7, 0, 8), ("beq", 6, 7, 8),
        ("addi", 10, 0, FAULT), ("slli", 10, 10, 1), ("addi", 10, 10, 3),
        *constant(5, HOST), ("sd", 10, 0, 5), ("jal", 0, 0),
    ]  # fmt: skip
    everything: list[Line] = [
        ("addi", 5, 0, -1), ("csrrw", 0, CSR_NUMBERS["pmpaddr0"], 5),
        ("csrrwi", 0, CSR_NUMBERS["pmpcfg0"], 0x1F),
    ]  # fmt: skip
    start: list[Line] = [
        *constant(5, STUB + 4), ("csrrw", 0, CSR_NUMBERS["mtvec"], 5),
        ("lui", 5, 6), ("addi", 5, 5, 0x600), ("csrrs", 0, CSR_NUMBERS["mstatus"], 5), *everything,
        *constant(5, entry), ("csrrw", 0, CSR_NUMBERS["mepc"], 5), *constant(2, STACK), ("mret",),
    ]  # fmt: skip
    return assemble([("jal", 0, 4 + 4 * len(handler)), *handler, *start])


def exit_code(program: bytes, vlen: int, folder: Path) -> int:
    """What a user program ends with under Spike; -1 if it doesn't end."""
    elf = ELFFile(BytesIO(program))
    segments = [(s["p_vaddr"], s.data()) for s in elf.iter_segments("PT_LOAD")]
    end = max(address + len(data) for address, data in segments)
    image = bytearray(end - LOWEST)
    for address, data in segments:
        image[address - LOWEST : address - LOWEST + len(data)] = data
    path = folder / "bare.elf"
    layout = Layout(text=STUB, data=LOWEST)
    symbols = {"tohost": HOST, "fromhost": HOST + 64}
    write_image(path, layout, stub(elf["e_entry"]), bytes(image), len(image), symbols)
    size = -(-len(image) // 4096) * 4096
    command = [
        str(spike()), f"--isa={EXTENSIONS}_zicntr_zvl{vlen}b", f"--instructions={LONGEST}",
        f"-m{LOWEST:#x}:{size:#x},{STUB:#x}:{STACK - STUB:#x}", str(path),
    ]  # fmt: skip
    found = subprocess.run(
        command, env=spike_environment(folder), timeout=60, capture_output=True, check=False
    )
    return found.returncode - 1


def agrees(tried: Trial, folder: Path) -> bool | None:
    """Whether the self-checking program of a trial is content; None where there is none."""
    machine = load_machine(tried.machine)
    try:
        compiled = compile_kernel(
            tried.sample.kernel(), machine=machine, mode=tried.mode, effort="quick", peers=()
        )
    except (LoweringError, EmitError):
        return None
    return exit_code(compiled.elf_bytes, machine.vlen, folder) == 0


def test_random_kernels(tmp_path: Path):
    judged = [agrees(replace(trial(n), machine=VECTOR_ONLY[n % 2]), tmp_path) for n in (1, 2)]
    assert judged == [True, True]


def test_what_is_wrong_is_seen(tmp_path: Path):
    compiled = compile_kernel(trial(2).sample.kernel(), machine="x60", effort="quick", peers=())
    program = bytearray(compiled.elf_bytes)
    start = program.index(compiled.search.best.code.code)
    # The kernel's first instruction returns at once, is no instruction, or jumps to itself.
    for word, code in ((0x0000_8067, 1), (0, FAULT), (0x0000_006F, -1)):
        program[start : start + 4] = word.to_bytes(4, "little")
        assert exit_code(bytes(program), 256, tmp_path) == code


@pytest.mark.slow
@pytest.mark.parametrize("number", range(300))
def test_many_random_kernels(number: int, tmp_path: Path):
    assert agrees(replace(trial(number), machine=VECTOR_ONLY[number % 2]), tmp_path) is not False
