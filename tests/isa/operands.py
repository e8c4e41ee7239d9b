"""Random legal operands for a record."""

import random

from oxegg.isa import Instruction, Operand
from oxegg.isa.codec import ALLOWED
from oxegg.isa.fields import FIELDS


def random_operands(record: Instruction, rng: random.Random) -> tuple[int | bool, ...]:
    return tuple(_value(operand, rng) for operand in record.operands)


def _value(operand: Operand, rng: random.Random) -> int | bool:
    if operand.kind == "mask":
        return rng.random() < 0.5
    if operand.kind == "v0":
        return True
    if operand.kind in ALLOWED:
        return rng.choice(ALLOWED[operand.kind])
    field = FIELDS[operand.name]
    return rng.randrange(field.minimum, field.maximum + 1, field.align)
