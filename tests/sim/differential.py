"""Random instructions on our simulator and on another one: every result, flag, register and byte.

A program is a list of sites. Each site runs one instruction ``ROUNDS`` times, every time on other
data and under other rounding modes, and records what it changed: its destination, fflags, frm,
vcsr, vl, vstart, and whether it trapped. After a site all registers are recorded, and at the end
the memory that loads and stores use. The same code runs in user mode (for qemu-riscv64) and on a
bare machine (for Spike), where a trap skips the instruction.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from oxegg.costmodels import load_machine
from oxegg.isa import Instruction, VType
from oxegg.isa.registers import CSR_NUMBERS
from oxegg.sim import run_elf
from tests.sim.programs import Layout, Line, assemble, constant, write_image

ROUNDS = 32
MACHINES = {128: "ox-tiny", 256: "ox-edge", 512: "ox-card", 1024: "ox-dc"}
POOL_BYTES, SCRATCH_BYTES = 1 << 15, 1 << 13
USER = Layout(text=0x10000, data=0x400_0000)
BARE = Layout(text=0x8000_0000, data=0x8100_0000)
# Registers of the harness: records, operand data, rounds to go, temporaries, mcause + 1 of a trap.
OUT, POOL, ROUND, TEMP, MARK, SAVED = 31, 30, 29, 28, 27, 26
FREE_X = range(1, 26)
RECORDED = ("fcsr", "vcsr", "vl", "vtype", "vstart")
VECTOR_STATE = RECORDED[1:]
HEAD_BYTES = 8 * (len(RECORDED) + 2)
SCALARS_BYTES = 8 * (len(FREE_X) + 32)
LOAD_WHOLE, STORE_WHOLE = "vl8re8.v", "vs8r.v"


@dataclass(frozen=True)
class Site:
    """One instruction with operands, what is set up before it, and what its vector state is."""

    record: Instruction
    values: tuple[int | bool, ...]
    vtype: VType | None = None
    vl: int = 0
    vstart: int = 0
    before: tuple[Line, ...] = ()

    def __str__(self) -> str:
        state = f" under {self.vtype}, vl = {self.vl}, vstart = {self.vstart}" if self.vtype else ""
        return f"{self.record.name} {self.values}{state}"

    def value(self, name: str) -> int:
        names = [operand.name for operand in self.record.operands]
        return int(self.values[names.index(name)])


def pool(seed: int) -> bytes:
    """Operand data: random bits, and the special values of all formats side by side."""
    rng = np.random.default_rng(seed)
    count = POOL_BYTES // 8
    words = rng.integers(0, 1 << 64, count, np.uint64, endpoint=False)
    singles = rng.choice(np.array(
        [0, 1, 0x7FFFFF, 0x800000, 0x7F7FFFFF, 0x7F800000, 0x7FC00000, 0x7F800001, 0x3F800000,
         0x3F800001, 0x4B000001, 0x4F000000, 0x5F000000, 0x3F000000, 0x33800000], np.uint32),
        2 * count)  # fmt: skip
    halves = rng.choice(np.array(
        [0, 1, 0x3FF, 0x400, 0x7BFF, 0x7C00, 0x7E00, 0x7C01, 0x3C00, 0x3C01, 0x3800, 0x7800],
        np.uint16), 4 * count)  # fmt: skip
    doubles = rng.choice(np.array(
        [0, 1, 0x7FF << 52, 0x7FF8 << 48, 0x7FF0_0000_0000_0001, 0x3FF << 52, (1 << 52) - 1,
         1 << 52, 0x7FEF_FFFF_FFFF_FFFF, 0x43E << 52, 0x41E << 52, 0x3810 << 48], np.uint64),
        count)  # fmt: skip
    singles |= rng.integers(0, 2, 2 * count, np.uint32) << np.uint32(31)
    halves |= rng.integers(0, 2, 4 * count, np.uint16) << np.uint16(15)
    doubles |= rng.integers(0, 2, count, np.uint64) << np.uint64(63)
    moderate = rng.normal(size=2 * count).astype(np.float32)
    boxed = rng.integers(0, 1 << 32, count, np.uint64) | np.uint64(0xFFFF_FFFF << 32)
    boxed_special = singles[::2].astype(np.uint64) | np.uint64(0xFFFF_FFFF << 32)
    boxed_half = halves[::4].astype(np.uint64) | np.uint64(0xFFFF_FFFF_FFFF << 16)
    small = rng.integers(-9, 9, count).astype(np.int64).view(np.uint64)
    kinds = np.stack([
        words, singles.view(np.uint64), halves.view(np.uint64), doubles, moderate.view(np.uint64),
        rng.normal(size=count).view(np.uint64), boxed, boxed_special, boxed_half, small,
    ])  # fmt: skip
    return kinds[rng.integers(0, len(kinds), count), np.arange(count)].tobytes()


@dataclass(frozen=True)
class Program:
    """Sites as machine code, and the layout of what they record."""

    vlen: int
    seed: int
    sites: Sequence[Site]

    @property
    def vlenb(self) -> int:
        return self.vlen // 8

    def record_bytes(self, site: Site) -> int:
        """Bytes of one round's record."""
        return HEAD_BYTES + (8 * self.vlenb if site.record.is_vector else 0)

    def site_bytes(self, site: Site) -> int:
        return ROUNDS * self.record_bytes(site) + SCALARS_BYTES + 32 * self.vlenb

    @property
    def output_bytes(self) -> int:
        return sum(map(self.site_bytes, self.sites)) + SCRATCH_BYTES

    def lines(self, layout: Layout, prologue: list[Line]) -> list[Line]:
        """The whole program; it returns from ``main`` by falling off its end."""
        rng = random.Random(self.seed)
        dump = self._dump_registers()
        clear: list[Line] = [("addi", r, 0, 0) for r in FREE_X]
        prologue = [*prologue, *clear, ("csrrw", 0, CSR_NUMBERS["fcsr"], 0)]
        lines = [*prologue, ("jal", 0, 4 + 4 * len(dump)), *dump]
        dump_at = 4 * (len(prologue) + 1)
        lines += constant(OUT, layout.data + POOL_BYTES + SCRATCH_BYTES)
        lines += constant(POOL, layout.data)
        for site in self.sites:
            lines += self._site(site, layout, rng)
            lines.append(("jal", TEMP, dump_at - 4 * len(lines)))
        return lines

    def _site(self, site: Site, layout: Layout, rng: random.Random) -> list[Line]:
        body = self._round(site, layout, rng)
        start = constant(POOL, layout.data + 8 * rng.randrange(256, POOL_BYTES // 16))
        counter: Line = ("addi", ROUND, 0, ROUNDS)
        step: Line = ("addi", POOL, POOL, 8 * rng.randrange(1, 60))
        loop = [*body, step, ("addi", ROUND, ROUND, -1)]
        return [*start, counter, *loop, ("bne", ROUND, 0, -4 * len(loop))]

    def _round(self, site: Site, layout: Layout, rng: random.Random) -> list[Line]:
        """Operands, modes, the instruction, its record."""
        record = site.record
        lines: list[Line] = []
        for operand in record.operands:
            number, at = site.value(operand.name), 8 * rng.randrange(-100, 100)
            if operand.kind == "x":
                lines.append(("ld", number, at, POOL))
            elif operand.kind == "f":
                lines.append(("fld", number, at, POOL))
        if site.vtype is not None:
            groups = {site.value(o.name) & 24 for o in record.operands if o.kind == "v"} | {0}
            for group in sorted(groups):
                lines += [("addi", TEMP, POOL, 8 * rng.randrange(-200, 200)),
                          (LOAD_WHOLE, group, TEMP)]  # fmt: skip
            lines += [("andi", TEMP, ROUND, 3), ("slli", TEMP, TEMP, 1),
                      ("csrrw", 0, CSR_NUMBERS["vcsr"], TEMP)]  # fmt: skip
            lines += [*site.before, ("addi", TEMP, 0, site.vl),
                      ("vsetvli", 0, TEMP, site.vtype.encode())]  # fmt: skip
            if site.vstart:
                lines += [("addi", TEMP, 0, site.vstart),
                          ("csrrw", 0, CSR_NUMBERS["vstart"], TEMP)]  # fmt: skip
        lines += [("addi", MARK, 0, 0), *_addresses(site, layout, rng)]
        if record.is_float:
            lines += [("addi", TEMP, 0, 5), ("remu", TEMP, ROUND, TEMP),
                      ("csrrw", 0, CSR_NUMBERS["frm"], TEMP)]  # fmt: skip
        if site.vtype is None:
            lines += site.before
        return [*lines, (record.name, *site.values), *_landing(record), *self._save(site)]

    def _save(self, site: Site) -> list[Line]:
        # Reading fcsr clears it for the next round.
        lines: list[Line] = [("csrrw", TEMP, CSR_NUMBERS["fcsr"], 0), ("sd", TEMP, 8, OUT),
                             ("sd", MARK, 0, OUT)]  # fmt: skip
        if site.record.extension.startswith(("V", "Zv", "Zicsr")):
            for place, name in enumerate(VECTOR_STATE, 2):
                lines += [("csrrs", TEMP, CSR_NUMBERS[name], 0), ("sd", TEMP, 8 * place, OUT)]
        target = next((o for o in site.record.operands if o.writes), None)
        last = HEAD_BYTES - 8
        if target is not None and target.kind in "xf":
            store = "sd" if target.kind == "x" else "fsd"
            lines.append((store, site.value(target.name), last, OUT))
        lines.append(("addi", OUT, OUT, HEAD_BYTES))
        if site.record.is_vector:
            group = site.value(target.name) & 24 if target is not None and target.kind == "v" else 0
            lines += [(STORE_WHOLE, group, OUT), ("addi", OUT, OUT, 8 * self.vlenb)]
        return lines

    def _dump_registers(self) -> list[Line]:
        """Subroutine: record all registers; the link is in TEMP."""
        lines: list[Line] = [("sd", r, 8 * (r - 1), OUT) for r in FREE_X]
        lines += [("fsd", r, 8 * (len(FREE_X) + r), OUT) for r in range(32)]
        lines.append(("addi", OUT, OUT, SCALARS_BYTES))
        for first in range(0, 32, 8):
            lines += [(STORE_WHOLE, first, OUT), ("addi", OUT, OUT, 8 * self.vlenb)]
        return [*lines, ("jalr", 0, 0, TEMP)]

    def write_user(self, path: Path) -> None:
        """The program as a Linux one."""
        lines = self.lines(USER, [])
        lines += constant(11, USER.data + POOL_BYTES) + constant(12, self.output_bytes)
        lines += [("addi", 10, 0, 1), ("addi", 17, 0, 64), ("ecall",)]
        lines += [("addi", 10, 0, 0), ("addi", 17, 0, 93), ("ecall",)]
        self._write(path, USER, lines)

    def write_bare(self, path: Path) -> None:
        """The program for a bare machine; traps in M-mode set MARK and skip the instruction."""
        handler: list[Line] = [
            ("csrrs", MARK, CSR_NUMBERS["mcause"], 0), ("addi", MARK, MARK, 1),
            ("csrrs", SAVED, CSR_NUMBERS["mepc"], 0), ("addi", SAVED, SAVED, 4),
            ("csrrw", 0, CSR_NUMBERS["mepc"], SAVED), ("csrrwi", 0, CSR_NUMBERS["vstart"], 0),
            ("mret",),
        ]  # fmt: skip
        prologue: list[Line] = [("jal", 0, 4 + 4 * len(handler)), *handler]
        prologue += [("auipc", TEMP, 0), ("addi", TEMP, TEMP, -4 * len(handler)),
                     ("csrrw", 0, CSR_NUMBERS["mtvec"], TEMP)]  # fmt: skip
        # Float and vector units on.
        prologue += [("lui", TEMP, 6), ("addi", TEMP, TEMP, 0x600),
                     ("csrrs", 0, CSR_NUMBERS["mstatus"], TEMP)]  # fmt: skip
        lines = self.lines(BARE, prologue)
        call = BARE.data + self._size()
        lines += constant(5, call) + constant(6, call + 64) + [("addi", 7, 0, 64)]
        lines += [("sd", 7, 0, 5), ("addi", 7, 0, 1), ("sd", 7, 8, 5)]
        lines += [*constant(7, BARE.data + POOL_BYTES), ("sd", 7, 16, 5)]
        lines += [*constant(7, self.output_bytes), ("sd", 7, 24, 5), ("fence", 15, 15),
                  ("sd", 5, 0, 6), ("ld", 7, 64, 6), ("beq", 7, 0, -4), ("addi", 7, 0, 1),
                  ("sd", 7, 0, 6), ("jal", 0, 0)]  # fmt: skip
        self._write(path, BARE, lines, {"tohost": call + 64, "fromhost": call + 128})

    def _size(self) -> int:
        """Bytes of data before the host's words, a multiple of 64."""
        return (POOL_BYTES + self.output_bytes + 127) // 64 * 64

    def _write(
        self, path: Path, layout: Layout, lines: list[Line], symbols: dict[str, int] | None = None
    ) -> None:
        data = pool(self.seed) + pool(self.seed + 1)[:SCRATCH_BYTES]
        write_image(path, layout, assemble(lines), data, self._size() + 192, symbols or {})

    # Comparison

    def run(self, path: Path, *, fill_agnostic: bool = False) -> bytes:
        """What our simulator records."""
        machine = load_machine(MACHINES[self.vlen])
        result = run_elf(path, machine, timing=False, fill_agnostic=fill_agnostic)
        assert result.exit_code == 0
        return result.output

    def differences(self, ours: bytes, theirs: bytes) -> list[str]:
        """Each site whose records differ, with the first difference; the memory at last."""
        assert len(ours) == self.output_bytes, (len(ours), self.output_bytes)
        assert len(theirs) == self.output_bytes, (len(theirs), self.output_bytes)
        found: list[str] = []
        if ours == theirs:
            return found
        at = SCRATCH_BYTES
        for site in self.sites:
            size = self.site_bytes(site)
            if ours[at : at + size] != theirs[at : at + size]:
                found.append(f"{site}: {self._explain(site, ours, theirs, at)}")
            at += size
        if ours[:SCRATCH_BYTES] != theirs[:SCRATCH_BYTES]:
            found.append("the memory differs")
        return found

    def _explain(self, site: Site, ours: bytes, theirs: bytes, start: int) -> str:
        """The first difference in a site's records."""
        size = self.record_bytes(site)
        for number in range(ROUNDS):
            at = start + number * size
            head = _differing(ours, theirs, at, HEAD_BYTES)
            if head is not None:
                name = ("trap", *RECORDED, "rd")[head // 8]
                return f"round {number}: {name} {_both(ours, theirs, at + head)}"
            group = _differing(ours, theirs, at + HEAD_BYTES, size - HEAD_BYTES)
            if group is not None:
                place = at + HEAD_BYTES + group
                return f"round {number}: byte {group} of the group {_both(ours, theirs, place)}"
        at = start + ROUNDS * size
        scalar = _differing(ours, theirs, at, SCALARS_BYTES)
        if scalar is not None:
            names = [*(f"x{r}" for r in FREE_X), *(f"f{r}" for r in range(32))]
            return f"afterwards {names[scalar // 8]} {_both(ours, theirs, at + scalar)}"
        at += SCALARS_BYTES
        vector = _differing(ours, theirs, at, 32 * self.vlenb) or 0
        return (f"afterwards v{vector // self.vlenb} byte {vector % self.vlenb} "
                f"{_both(ours, theirs, at + vector)}")  # fmt: skip


def _differing(ours: bytes, theirs: bytes, at: int, size: int) -> int | None:
    """Offset of the first 8 bytes that differ."""
    words = (
        i for i in range(0, size, 8) if ours[at + i : at + i + 8] != theirs[at + i : at + i + 8]
    )
    return next(words, None)


def _both(ours: bytes, theirs: bytes, at: int) -> str:
    return f"{_hex(ours, at, 8)}, not {_hex(theirs, at, 8)}"


def _hex(data: bytes, at: int, size: int) -> str:
    return data[at : at + size][::-1].hex()


def _addresses(site: Site, layout: Layout, rng: random.Random) -> list[Line]:
    """Base addresses, strides and indices of an access to the middle of scratch memory."""
    if site.record.memory is None:
        return []
    lines: list[Line] = []
    for operand in site.record.operands:
        if operand.name == "rs1":
            middle = layout.data + POOL_BYTES + SCRATCH_BYTES // 2 + 64 * rng.randrange(8)
            lines += constant(site.value("rs1"), middle)
        elif operand.name == "rs2" and site.record.is_vector:
            lines.append(("addi", site.value("rs2"), 0, rng.choice((0, 8, 16, -8, -16, 24))))
    return lines


def _landing(record: Instruction) -> list[Line]:
    """After a jump by 8: an instruction to jump over."""
    return [("addi", MARK, MARK, 64)] if record.is_branch else []
