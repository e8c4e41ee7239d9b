"""Random loops over the whole instruction set, for comparing the tiers of the simulator.

Register use: x10-x12 point into buffers, x13 is a stride, x14 a vector length, x29 points to small
multiples of 8 that serve as indices of any width, x30 is the loop counter; all other registers but
x1-x4 are free. Indices are loaded right before the access that uses them.
"""

import random
from collections.abc import Iterator, Sequence
from fractions import Fraction

from oxegg.isa import TABLE, Instruction, Operand, VType
from oxegg.sim.vector_groups import ReservedEncoding, groups_of
from tests.sim.programs import RETURN, Line

POINTERS, STRIDE, LENGTH, INDICES, COUNTER = (10, 11, 12), 13, 14, 29, 30
FREE_X = (0, *range(5, 10), *range(15, 29), 31)
LMULS = tuple(Fraction(n) for n in ("1/8", "1/4", "1/2", "1", "2", "4", "8"))
SKIPPED = frozenset({"csr", "system", "fence", "vset", "branch", "jump", "amo", "load_reserved"})
ROUNDS = 5


def testable() -> list[Instruction]:
    """Instructions that a random program may contain anywhere."""
    return [
        r for r in TABLE.values()
        if not r.is_custom and r.timing not in SKIPPED and r.extension != "A"
    ]  # fmt: skip


def has_native_code(record: Instruction) -> bool:
    """Whether the native tier executes the instruction, under most configurations."""
    half = any(operand.kind == "f" and operand.width == 16 for operand in record.operands)
    return not half and "fault_first" not in record.semantics and "fclass" not in record.semantics


def random_vtype(rng: random.Random, vlen: int) -> VType:
    """A legal vtype under which at least one element fits."""
    while True:
        vtype = VType(
            rng.choice((8, 16, 32, 64)), rng.choice(LMULS), rng.random() < 0.5, rng.random() < 0.5
        )
        if vtype.lmul >= Fraction(vtype.sew, 64) and vtype.vlmax(vlen) > 0:
            return vtype


def random_line(rng: random.Random, record: Instruction, vtype: VType) -> list[Line]:
    """The instruction with random operands, and what it needs before it; empty if hard to place."""
    if record.is_vector and record.is_float and vtype.sew == 8:
        return []
    for _ in range(20):
        values = [_value(rng, record, operand) for operand in record.operands]
        if not record.is_vector:
            return [(record.name, *values)]
        try:
            groups = groups_of(record, tuple(values), vtype)
        except ReservedEncoding:
            continue
        if "indexed" not in record.semantics:
            return [(record.name, *values)]
        index = groups["vs2"]
        loads: list[Line] = [("vl1re8.v", register, INDICES) for register in index.span]
        return [*loads, (record.name, *values)]
    return []


def _value(rng: random.Random, record: Instruction, operand: Operand) -> int | bool:
    match operand.kind:
        case "x" if record.memory and operand.name == "rs1":
            return rng.choice(POINTERS)
        case "x" if "strided" in record.semantics and operand.name == "rs2":
            return STRIDE
        case "x":
            return rng.choice(FREE_X)
        case "f" | "v":
            return rng.randrange(32)
        case "mask":
            return rng.random() < 0.5
        case "v0":
            return True
        case "rm":
            return rng.choice((0, 7)) if has_native_code(record) else rng.randrange(5)
        case _ if operand.name in ("imm12", "store12") and record.memory:
            return 8 * rng.randrange(-8, 8)
        case _ if operand.name in ("imm12", "simm5"):
            return rng.randrange(-16, 16)
        case _ if operand.name == "imm20":
            return rng.randrange(1 << 20)
        case _:
            return rng.randrange(32)


def random_loop(rng: random.Random, records: Sequence[Instruction], vlen: int) -> list[Line]:
    """A loop that executes each instruction ``ROUNDS`` times, under two vector lengths."""
    vtype = random_vtype(rng, vlen)
    body: list[Line] = [("vsetvli", rng.choice(FREE_X[1:]), LENGTH, vtype.encode())]
    for record in records:
        body += random_line(rng, record, vtype)
    # Some rounds under a shorter vl, and a branch that goes both ways.
    tail: list[Line] = [
        ("andi", 5, COUNTER, 1),
        ("beq", 5, 0, 8),
        ("srli", LENGTH, LENGTH, 1),
        ("addi", COUNTER, COUNTER, -1),
    ]
    back = -4 * (len(body) + len(tail) + 1)
    start: list[Line] = [("addi", COUNTER, 0, ROUNDS)]
    if back >= -4096:
        return [*start, *body, *tail, ("beq", COUNTER, 0, 8), ("jal", 0, back), RETURN]
    raise ValueError("the body is too long")


def groups_of_records(rng: random.Random, size: int) -> Iterator[list[Instruction]]:
    """All testable instructions, ``size`` at a time, those without native code apart."""
    records = testable()
    rng.shuffle(records)
    records.sort(key=has_native_code)
    for start in range(0, len(records), size):
        yield records[start : start + size]
