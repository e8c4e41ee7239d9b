"""Random instructions against qemu-riscv64: every register after every instruction."""

import random
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from oxegg.costmodels import load_machine
from oxegg.isa import TABLE, Instruction, VType
from oxegg.isa.fields import FIELDS
from oxegg.isa.vtype import LMULS
from oxegg.sim import run_elf
from oxegg.sim.vector_groups import ReservedEncoding, groups_of
from tests.sim.programs import DATA, Line, assemble, constant, write_elf

QEMU = shutil.which("qemu-riscv64")
MACHINES = {128: "ox-tiny", 256: "ox-edge", 512: "ox-card", 1024: "ox-dc"}
# Registers of the harness: pointer to the dump, to scratch memory, temporary.
DUMP, SCRATCH, TEMP, ONE = 31, 30, 29, 28
FREE_X = range(1, 28)
SCRATCH_BYTES = 1 << 15
CSRS = (0x003, 0x008, 0x009, 0xC20, 0xC21)
pytestmark = pytest.mark.skipif(QEMU is None, reason="qemu-riscv64 is not installed")


@dataclass(frozen=True)
class Harness:
    """A test program: initial state, lines under test (each followed by a dump)."""

    vlen: int
    seed: int

    @property
    def vector_bytes(self) -> int:
        return 32 * self.vlen // 8

    @property
    def dump_bytes(self) -> int:
        return 8 * 64 + 8 * len(CSRS) + 8 + self.vector_bytes

    def initial_data(self) -> bytes:
        rng = np.random.default_rng(self.seed)
        special = np.array(
            [0, 1 << 63, 0x7FF0 << 48, 0x7FF8 << 48, 0xFFF0 << 48, 0x3FF0 << 48, 1, 0x0010 << 48,
             0x7FF0_0000_0000_0001, 0x3C00_3C00_BC00_7C00, 0x7F80_0000_FF80_0000,
             0x3F80_0000_BF80_0000, 0x7FC0_0001_7F80_0001, 0x0000_0001_8000_0001,
             0xFFFF_FFFF_3F80_0000, 0xFFFF_FFFF_7FC0_0000, 0xFFFF_FFFF_FFFF_3C00,
             0xFFFF_FFFF_4B00_0001, 0x7FFF_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF],
            np.uint64)  # fmt: skip
        words = rng.integers(0, 1 << 64, SCRATCH_BYTES // 8, np.uint64, endpoint=False)
        chosen = rng.random(len(words)) < 0.4
        words[chosen] = rng.choice(special, int(chosen.sum()))
        # Floats of moderate size, so that sums and products do something.
        floats = rng.normal(size=len(words) * 2).astype(np.float32).view(np.uint64)
        moderate = rng.random(len(words)) < 0.3
        words[moderate] = floats[moderate]
        boxed = rng.random(len(words)) < 0.15
        words[boxed] |= np.uint64(0xFFFF_FFFF_0000_0000)
        return words.tobytes()

    def program(self, tests: list[list[Line]]) -> bytes:
        lines: list[Line] = []
        lines += constant(SCRATCH, DATA)
        lines += constant(DUMP, DATA + SCRATCH_BYTES)
        lines += self._load_state()
        for test in tests:
            lines += test
            lines += self._dump()
        size = len(tests) * self.dump_bytes
        lines += constant(11, DATA + SCRATCH_BYTES)
        lines += constant(12, size)
        lines += [("addi", 10, 0, 1), ("addi", 17, 0, 64), ("ecall",)]
        lines += [("addi", 10, 0, 0), ("addi", 17, 0, 93), ("ecall",)]
        return assemble(lines)

    def _load_state(self) -> list[Line]:
        lines: list[Line] = [("ld", r, 8 * r, SCRATCH) for r in FREE_X]
        lines += [("fld", r, 256 + 8 * r, SCRATCH) for r in range(32)]
        lines.append(("addi", TEMP, SCRATCH, 512))
        lines.append(("addi", ONE, 0, self.vlen))
        for first in range(0, 32, 8):
            lines += [("vl8re8.v", first, TEMP), ("add", TEMP, TEMP, ONE)]
        return lines

    def _dump(self) -> list[Line]:
        lines: list[Line] = [("sd", r, 8 * r, DUMP) for r in FREE_X]
        lines += [("fsd", r, 256 + 8 * r, DUMP) for r in range(32)]
        for i, csr in enumerate(CSRS):
            lines += [("csrrs", TEMP, csr, 0), ("sd", TEMP, 512 + 8 * i, DUMP)]
        lines += [("addi", DUMP, DUMP, 512 + 8 * len(CSRS) + 8), ("addi", ONE, 0, self.vlen)]
        for first in range(0, 32, 8):
            lines += [("vs8r.v", first, DUMP), ("add", DUMP, DUMP, ONE)]
        return lines

    def compare(self, path: Path, tests: list[list[Line]]) -> None:
        """Run both and show the first instruction after which a register differs."""
        write_elf(path, self.program(tests), self.initial_data(),
                  SCRATCH_BYTES + len(tests) * self.dump_bytes + 64)  # fmt: skip
        cpu = (f"rv64,v=true,vlen={self.vlen},vext_spec=v1.0,zba=true,zbb=true,zbs=true,"
               "Zfh=true,rvv_ta_all_1s=true,rvv_ma_all_1s=true")  # fmt: skip
        expected = subprocess.run([str(QEMU), "-cpu", cpu, str(path)],
                                  capture_output=True, check=False)  # fmt: skip
        assert expected.returncode == 0, expected.stderr.decode()[:500]
        ours = run_elf(path, load_machine(MACHINES[self.vlen]), timing=False, fill_agnostic=True)
        assert len(expected.stdout) == len(ours.output) == len(tests) * self.dump_bytes
        size = self.dump_bytes
        wrong = [self._difference(test, expected.stdout[i * size : (i + 1) * size],
                                  ours.output[i * size : (i + 1) * size])
                 for i, test in enumerate(tests)
                 if expected.stdout[i * size : (i + 1) * size]
                 != ours.output[i * size : (i + 1) * size]]  # fmt: skip
        # One wrong result spoils later ones: the first is what matters.
        assert not wrong, wrong[0]

    def _difference(self, test: list[Line], theirs: bytes, ours: bytes) -> str:
        head = 512 + 8 * len(CSRS) + 8
        names = [*(f"x{r}" for r in range(32)), *(f"f{r}" for r in range(32)),
                 "fcsr", "vstart", "vxsat", "vl", "vtype", "-"]  # fmt: skip
        found = [f"{name}: qemu {theirs[8 * i : 8 * i + 8][::-1].hex()} "
                 f"ours {ours[8 * i : 8 * i + 8][::-1].hex()}"
                 for i, name in enumerate(names)
                 if theirs[8 * i : 8 * i + 8] != ours[8 * i : 8 * i + 8]]  # fmt: skip
        vlenb = self.vlen // 8
        for r in range(32):
            at = head + r * vlenb
            if theirs[at : at + vlenb] != ours[at : at + vlenb]:
                found.append(f"v{r}:\n qemu {theirs[at : at + vlenb][::-1].hex()}"
                             f"\n ours {ours[at : at + vlenb][::-1].hex()}")  # fmt: skip
        return f"{test}\n" + "\n".join(found)


SCALAR = [r for r in TABLE.values()
          if r.extension in ("I", "M", "Zba", "Zbb", "Zbs", "F", "D", "Zfh")
          and not r.memory and not r.is_branch and r.timing not in ("fence", "system")
          and r.name != "auipc"]  # fmt: skip


def random_scalar(rng: random.Random, record: Instruction) -> list[Line]:
    values: list[int] = []
    for operand in record.operands:
        if operand.kind == "x":
            values.append(rng.choice([0, *FREE_X]))
        elif operand.kind == "f":
            values.append(rng.randrange(32))
        elif operand.kind == "rm":
            values.append(rng.choice([0, 1, 2, 3, 4, 7]))
        else:
            field = FIELDS[operand.name]
            values.append(rng.randrange(field.minimum, field.maximum + 1))
    return [(record.name, *values)]


@pytest.mark.parametrize("seed", [0])
def test_scalar_instructions(seed: int, tmp_path: Path):
    rng = random.Random(seed)
    tests = [_reloaded(rng, random_scalar(rng, record)) for record in SCALAR for _ in range(3)]
    Harness(128, seed).compare(tmp_path / "scalar.elf", tests)


def _reloaded(rng: random.Random, lines: list[Line]) -> list[Line]:
    """Refresh a few registers from scratch memory first, so that values stay varied."""
    loads: list[Line] = []
    for _ in range(3):
        loads.append(("ld", rng.choice(FREE_X), 8 * rng.randrange(200), SCRATCH))
        loads.append(("fld", rng.randrange(32), 8 * rng.randrange(200), SCRATCH))
    return [*loads, *lines]


ARITHMETIC = [r for r in TABLE.values()
              if r.is_vector and not r.memory and "bf16" not in r.name
              and "vfredusum" not in r.name and "vfwredusum" not in r.name
              # qemu 7.2 stops with an internal error at static rounding modes.
              and ".rtz." not in r.name and ".rod." not in r.name]  # fmt: skip
FLOATS = ("fadd", "fsub", "fmul", "fdiv", "fsqrt", "fma(", "fmin", "fmax", "feq", "flt", "fle",
          "fclass", "frec7", "frsqrt7", "fcvt", "widen", "f_to", "to_f", "fsgnj")  # fmt: skip


def _legal(record: Instruction, values: list[int | bool], vtype: VType) -> bool:
    is_float = any(word in record.semantics for word in FLOATS) or ":f" in record.name
    is_float = is_float or any(o.kind == "f" for o in record.operands)
    widths = [o.element_width(vtype.sew) for o in record.operands
              if o.kind == "v" and o.width is None]  # fmt: skip
    if is_float and ((vtype.sew == 8 and "cvt" not in record.name) or min(widths) < 8):
        return False
    if is_float and (vtype.sew < 32 or min(widths) < 32):
        return False  # this qemu has no Zvfh
    try:
        groups_of(record, tuple(values), vtype)
    except ReservedEncoding:
        return False
    return True


# Here qemu 7.2 leaves agnostic elements alone instead of filling them with ones.
UNFILLED = ("vslide", "vmv_from_scalar", "vcompress")


def random_vector(rng: random.Random, record: Instruction, vlen: int) -> list[Line] | None:
    """A vsetvli and an instruction that is legal under it."""
    for _ in range(200):
        sew, lmul = rng.choice((8, 16, 32, 64)), rng.choice(list(LMULS))
        if lmul < Fraction(sew, 64):
            continue
        fills = record.timing not in UNFILLED
        vtype = VType(sew, lmul, fills and rng.random() < 0.5, fills and rng.random() < 0.5)
        values: list[int | bool] = []
        for operand in record.operands:
            if operand.kind == "x":
                values.append(rng.choice([0, *FREE_X]))
            elif operand.kind == "mask":
                values.append(rng.random() < 0.5)
            elif operand.kind == "v0":
                values.append(True)
            elif operand.kind == "v":
                step = max(1, int(operand.emul(sew, lmul)))
                values.append(rng.randrange(0, 32, min(step, 8)))
            elif operand.kind == "f":
                values.append(rng.randrange(32))
            else:
                field = FIELDS[operand.name]
                values.append(rng.randrange(field.minimum, field.maximum + 1))
        if _legal(record, values, vtype):
            vl = rng.choice([vtype.vlmax(vlen), rng.randrange(vtype.vlmax(vlen) + 1)])
            setup: list[Line] = [("csrrwi", 0, 0x002, rng.choice((0, 0, 1, 2, 3, 4))),
                                 ("csrrwi", 0, 0x00A, rng.randrange(4)),
                                 ("addi", TEMP, 0, vl),
                                 ("vsetvli", 0, TEMP, vtype.encode())]  # fmt: skip
            return [*setup, (record.name, *values)]
    return None


def _refresh_vectors(rng: random.Random, vlen: int) -> list[Line]:
    """Load eight registers anew, so that values stay varied."""
    lines: list[Line] = []
    lines += constant(TEMP, DATA + 512 + 8 * rng.randrange(256))
    lines.append(("vl8re8.v", 8 * rng.randrange(4), TEMP))
    del vlen
    return lines


@pytest.mark.parametrize("vlen", [128, 256, 512, 1024])
def test_vector_instructions(vlen: int, tmp_path: Path):
    rng = random.Random(vlen)
    tests: list[list[Line]] = []
    # Half of the table at each VLEN keeps this quick; every instruction meets two on average.
    for record in rng.sample(ARITHMETIC, len(ARITHMETIC) // 2):
        test = random_vector(rng, record, vlen)
        assert test is not None, record.name
        tests.append(_reloaded(rng, [*_refresh_vectors(rng, vlen), *test]))
    for start in range(0, len(tests), 500):
        Harness(vlen, start).compare(tmp_path / f"v{start}.elf", tests[start : start + 500])


MEMORY = [r for r in TABLE.values() if r.is_vector and r.memory]
MIDDLE = SCRATCH_BYTES // 2
Maker = Callable[[random.Random, Instruction, int], list[Line] | None]


def random_memory(rng: random.Random, record: Instruction, vlen: int) -> list[Line] | None:
    """A load or store around the middle of scratch memory."""
    for _ in range(100):
        sew, lmul = rng.choice((8, 16, 32, 64)), rng.choice(list(LMULS))
        if lmul < Fraction(sew, 64):
            continue
        vtype = VType(sew, lmul, rng.random() < 0.5, rng.random() < 0.5)
        values: list[int | bool] = []
        for operand in record.operands:
            if operand.kind == "x":
                values.append(TEMP if operand.name == "rs1" else ONE)
            elif operand.kind == "mask":
                values.append(rng.random() < 0.5)
            elif operand.name == "vs2":
                values.append(24)
            else:
                values.append(rng.randrange(0, 24))
        if "seg" in record.name and _segments_too_big(record, vtype):
            continue
        if not _legal(record, values, vtype):
            continue
        vl = rng.choice([vtype.vlmax(vlen), rng.randrange(vtype.vlmax(vlen) + 1)])
        index = record.operands[-2].width or 8 if "indexed" in record.semantics else 8
        lines: list[Line] = [*_refresh_vectors(rng, vlen), *_bounded_indices(index)]
        lines += constant(TEMP, DATA + MIDDLE + 8 * rng.randrange(32))
        lines.append(("addi", ONE, 0, rng.choice((8, 16, 64, -8, 0))))
        lines += [("addi", 27, 0, vl), ("vsetvli", 0, 27, vtype.encode()), (record.name, *values)]
        return lines
    return None


def _segments_too_big(record: Instruction, vtype: VType) -> bool:
    data = record.operands[0]
    return data.fields * data.emul(vtype.sew, vtype.lmul) > 8


def _bounded_indices(width: int) -> list[Line]:
    """Make v24-v31 multiples of 8 below 2 KiB (below 256 for bytes) when read at ``width``."""
    setup = VType(width, Fraction(8)).encode()
    mask = 0xF8 if width == 8 else 0x7F8
    return [("vsetvli", 27, 0, setup), ("addi", 27, 0, mask), ("vand.vx", 24, 24, 27)]


@pytest.mark.parametrize("vlen", [128, 512])
def test_vector_memory(vlen: int, tmp_path: Path):
    rng = random.Random(vlen)
    tests: list[list[Line]] = []
    for record in MEMORY:
        test = random_memory(rng, record, vlen)
        assert test is not None, record.name
        # Loading back what a store wrote makes its effect visible in the dump.
        check = [*constant(TEMP, DATA + MIDDLE), ("vl8re8.v", 16, TEMP)]
        tests.append([*test, *(check if record.memory == "store" else [])])
    Harness(vlen, 7).compare(tmp_path / "memory.elf", tests)
