"""Damaged programs and random code: whatever the input, a run ends in a result or a report."""

import random
import resource
from pathlib import Path

import pytest

from oxegg.costmodels import load_machine
from oxegg.errors import OxeggError
from oxegg.isa import TABLE, encode
from oxegg.isa.registers import CSR_NUMBERS
from oxegg.sim import run_elf
from tests.isa.operands import random_operands
from tests.sim.programs import Layout, Line, assemble, constant, write_image

EDGE = load_machine("ox-edge")
BARE = Layout(text=0x8000_0000, data=0x8001_0000)
STEPS = 2_000
DATA_BYTES = 1 << 12
HEADER_BYTES = 240
CODE_AT = 4096
MEMORY_LIMIT_MB = 2_000
RECORDS = list(TABLE.values())
WORDS = 250


def _random_word(rng: random.Random) -> bytes:
    """An instruction of the table, a compressed one, or any bits."""
    kind = rng.random()
    if kind < 0.7:
        record = rng.choice(RECORDS)
        return encode(record.name, random_operands(record, rng)).to_bytes(4, "little")
    if kind < 0.9:
        return (rng.getrandbits(16) & ~3 | rng.randrange(3)).to_bytes(2, "little")
    return rng.getrandbits(32).to_bytes(4, "little")


def _prologue(rng: random.Random) -> list[Line]:
    """Units on, registers pointing into memory, a handler that goes on behind a faulting word."""
    handler: list[Line] = [
        ("csrrs", 31, CSR_NUMBERS["mepc"], 0), ("addi", 31, 31, 4),
        ("csrrw", 0, CSR_NUMBERS["mepc"], 31), ("mret",),
    ]  # fmt: skip
    lines: list[Line] = [("jal", 0, 4 + 4 * len(handler)), *handler, ("auipc", 30, 0),
                         ("addi", 30, 30, -4 * len(handler)),
                         ("csrrw", 0, CSR_NUMBERS["mtvec"], 30), ("lui", 30, 6),
                         ("addi", 30, 30, 0x600), ("csrrs", 0, CSR_NUMBERS["mstatus"], 30),
                         ("vsetivli", 0, rng.randrange(32), rng.randrange(256))]  # fmt: skip
    if rng.random() < 0.5:
        # Other modes' data: all of memory, or protected by random entries.
        everything = rng.random() < 0.7
        for name, value in (("pmpaddr0", -1), ("pmpcfg0", 0x1F)):
            lines += constant(30, value if everything else rng.getrandbits(31))
            lines.append(("csrrw", 0, CSR_NUMBERS[name], 30))
        lines += [("lui", 30, 1 << 17 >> 12), ("csrrs", 0, CSR_NUMBERS["mstatus"], 30)]
    if rng.random() < 0.2:
        # Virtual memory with random page tables, for user mode's data.
        lines += constant(30, BARE.data >> 12)
        lines += [("addi", 29, 0, 8), ("slli", 29, 29, 60), ("or", 30, 30, 29),
                  ("csrrw", 0, CSR_NUMBERS["satp"], 30), ("lui", 30, 1 << 17 >> 12),
                  ("csrrs", 0, CSR_NUMBERS["mstatus"], 30)]  # fmt: skip
    for register in range(1, 31):
        value = BARE.data + 8 * rng.randrange(DATA_BYTES // 8)
        lines += constant(register, value if rng.random() < 0.7 else rng.getrandbits(31))
    return lines


def random_program(rng: random.Random, path: Path, bare: bool) -> None:
    """A program of random words behind a prologue (on a bare machine), or of nothing else."""
    code = b"".join(_random_word(rng) for _ in range(WORDS))
    data = rng.randbytes(DATA_BYTES)
    if bare:
        symbols = {"tohost": BARE.data + DATA_BYTES}
        code = assemble(_prologue(rng)) + code
        write_image(path, BARE, code, data, DATA_BYTES + 64, symbols)
    else:
        write_image(path, Layout(), code, data, DATA_BYTES, {})


def mutate(rng: random.Random, image: bytes) -> bytes:
    """Some bytes changed: of the headers, of the code, or anywhere; or the end cut off."""
    data = bytearray(image)
    for _ in range(rng.choice((1, 1, 2, 4, 16, 64))):
        place = rng.random()
        if place < 0.2:
            at = rng.randrange(HEADER_BYTES)
        elif place < 0.9:
            at = rng.randrange(CODE_AT, min(len(data), 2 * CODE_AT))
        else:
            at = rng.randrange(len(data))
        data[at] = rng.choice((data[at] ^ 1 << rng.randrange(8), rng.randrange(256), 0, 255))
    return bytes(data[: rng.randrange(len(data))] if rng.random() < 0.03 else data)


def _ends(path: Path, timing: bool) -> str:
    """How a run ends: anything but a result or an error of ours fails the test."""
    try:
        run_elf(path, EDGE, timing=timing, max_instructions=STEPS)
    except OxeggError as error:
        return type(error).__name__
    return "exit"


def _campaign(folder: Path, seed: int, count: int) -> set[str]:
    rng = random.Random(seed)
    path = folder / "program.elf"
    ends: set[str] = set()
    for number in range(count):
        random_program(rng, path, bare=number % 3 > 0)
        if number % 2:
            path.write_bytes(mutate(rng, path.read_bytes()))
        ends.add(_ends(path, timing=number % 5 == 0))
    return ends


def test_random_and_damaged_programs_end_in_a_report(tmp_path: Path):
    assert _campaign(tmp_path, 0, 120) >= {"UsageError", "SimulationError"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 101))
def test_a_hundred_thousand_programs_end_in_a_report(seed: int, tmp_path: Path):
    _campaign(tmp_path, seed, 1000)
    # ru_maxrss is in KiB on Linux.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < MEMORY_LIMIT_MB << 10
