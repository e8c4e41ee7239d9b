"""The other simulators of the differential tests: what they run, and how they are called."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from oxegg.isa import Instruction
from tests.sim.differential import Program, Site
from tests.sim.toolchain import EXTENSIONS, spike, spike_environment

QEMU = shutil.which("qemu-riscv64")
# In version 7.2: static rounding modes of vector conversions stop it with an internal error, the
# unordered sum is a tree, vxrm keeps bits that it doesn't have, and ctzw of 0 looks at high bits.
QEMU_WITHOUT = (".rtz.", ".rod.", "vfredusum", "vfwredusum", "bf16", "czero", "csrr", "ctzw")
KEEPS_VSTART = ("element0", "insert0", "copy", "whole", "slide_up")
# Where it leaves agnostic elements alone though told to fill them with ones.
UNFILLED = ("vslide", "vmv_from_scalar", "vcompress")


@dataclass(frozen=True)
class Oracle:
    """Another simulator: the instructions and sites that it has, and its output of a program."""

    name: str
    present: bool
    wanted: Callable[[Instruction], bool]
    fits: Callable[[Site], bool]
    write: Callable[[Program, Path], None]
    run: Callable[[Path, int], bytes]
    ones: bool = False
    """Whether agnostic elements become ones."""

    def differences(self, program: Program, folder: Path) -> list[str]:
        """How our simulator differs from this one on the program."""
        path = folder / f"{self.name}.elf"
        self.write(program, path)
        theirs = self.run(path, program.vlen)
        return program.differences(program.run(path, fill_agnostic=self.ones), theirs)


def _qemu_wants(record: Instruction) -> bool:
    return not any(part in record.name for part in QEMU_WITHOUT)


def _qemu_fits(site: Site) -> bool:
    # It has no half-precision vectors, and does not always clear vstart.
    semantics = site.record.semantics
    if site.vstart and (site.vstart >= site.vl or any(o in semantics for o in KEEPS_VSTART)):
        return False
    return site.vtype is None or not site.record.is_float or site.vtype.sew >= 32


def _fills(site: Site) -> bool:
    undisturbed = site.vtype is None or not (site.vtype.tail_agnostic or site.vtype.mask_agnostic)
    return _qemu_fits(site) and (undisturbed or site.record.timing not in UNFILLED)


def _run_qemu(path: Path, vlen: int, options: str = "") -> bytes:
    cpu = f"rv64,v=true,vlen={vlen},vext_spec=v1.0,zba=true,zbb=true,zbs=true,Zfh=true{options}"
    found = subprocess.run([str(QEMU), "-cpu", cpu, str(path)], capture_output=True, check=False)
    assert found.returncode == 0, found.stderr.decode()[:500]
    return found.stdout


def _run_qemu_with_ones(path: Path, vlen: int) -> bytes:
    return _run_qemu(path, vlen, ",rvv_ta_all_1s=true,rvv_ma_all_1s=true")


def _run_spike(path: Path, vlen: int) -> bytes:
    isa = f"--isa={EXTENSIONS}_zicntr_zvl{vlen}b"
    found = subprocess.run([str(spike()), isa, str(path)], capture_output=True, check=False,
                           timeout=600, env=spike_environment(path.parent))  # fmt: skip
    assert found.returncode == 0, found.stderr.decode()[:500]
    return found.stdout


def _spike_fits(site: Site) -> bool:
    # In arithmetic it refuses any vstart, as an implementation may.
    return site.vstart == 0 or site.record.memory is not None


ORACLES = {
    "qemu": Oracle("qemu", QEMU is not None, _qemu_wants, _qemu_fits, Program.write_user,
                   _run_qemu),
    "qemu-ones": Oracle("qemu-ones", QEMU is not None, _qemu_wants, _fills, Program.write_user,
                        _run_qemu_with_ones, ones=True),
    "spike": Oracle("spike", spike() is not None, lambda _: True, _spike_fits, Program.write_bare,
                    _run_spike),
}  # fmt: skip
