"""Running compiled samples as self-checking ELF files."""

import shutil
import subprocess
from pathlib import Path
from random import Random

import numpy as np

from oxegg.costmodels import Machine
from oxegg.emit.backend import MachineCode, generate
from oxegg.emit.executable import Argument, InputBuffer, OutputBuffer, executable, ordered_keys
from oxegg.sim import run_elf
from tests.emit.backend.interpreter import run
from tests.emit.backend.random_programs import Sample

QEMU = shutil.which("qemu-riscv64")
SECONDS = 20


def exit_code(elf: bytes, machine: Machine, directory: Path) -> int:
    """Exit status of the program under QEMU where that is installed, else on the simulator."""
    path = directory / "program.elf"
    path.write_bytes(elf)
    if QEMU is None:
        return run_elf(path, machine, timing=False).exit_code
    path.chmod(0o755)
    cpu = f"rv64,v=true,vlen={machine.vlen},vext_spec=v1.0"
    ones = "rvv_ta_all_1s=true,rvv_ma_all_1s=true"
    # A signal (an illegal instruction, say) gives a negative status.
    return subprocess.run(
        [QEMU, "-cpu", f"{cpu},{ones}", str(path)], timeout=SECONDS, check=False
    ).returncode


def sample_arguments(sample: Sample, vlen: int, seed: int) -> list[Argument]:
    """Random input bytes, and as output bounds what the interpreter computes from them."""
    data = Random(seed).randbytes(sample.input_bytes)
    memory = data + bytes(sample.output_bytes)
    result = run(sample.program, vlen, memory, [0, sample.input_bytes])
    expected = result.data[sample.input_bytes :]
    known = result.known[sample.input_bytes :]
    keys = ordered_keys(expected)
    lower = np.where(known, keys, -128).astype(np.int8)
    upper = np.where(known, keys, 127).astype(np.int8)
    return [InputBuffer(data), OutputBuffer(lower.tobytes(), upper.tobytes(), 1)]


def agrees(
    sample: Sample, machine: Machine, directory: Path, *, scheduling: bool = True, seed: int = 1
) -> MachineCode:
    """Compile, run, compare; returns the code when the results agree."""
    code = generate(sample.program, machine, scheduling=scheduling)
    elf = executable(code.code, sample_arguments(sample, machine.vlen, seed))
    status = exit_code(elf, machine, directory)
    assert status == 0, f"exit status {status}\n{sample.program}\n{code.assembly}"
    return code
