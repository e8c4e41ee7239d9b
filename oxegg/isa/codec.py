"""Encoder and decoder, derived from the records."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations_with_replacement

from oxegg.errors import OxeggError
from oxegg.isa.fields import FIELDS
from oxegg.isa.record import Instruction, Operand
from oxegg.isa.registers import ROUNDING_MODES
from oxegg.isa.table import TABLE

ACCUMULATORS = range(16, 20)
TILES = range(8)
OPCODE = 0x7F
ALLOWED: dict[str, tuple[int, ...]] = {
    "acc": tuple(ACCUMULATORS),
    "tr": tuple(TILES),
    "t": (*TILES, *ACCUMULATORS),
    "g": tuple(range(8)),
    "h": tuple(range(8)),
    "s": tuple(range(8)),
    "rm": tuple(ROUNDING_MODES),
    "v0": (1,),
}


def encode(name: str, operands: Sequence[int | bool], *, pc: int = 0) -> int:
    """The instruction word.

    ``operands`` are register numbers and constants in assembly order; branch targets are byte
    offsets from the instruction, or addresses when ``pc`` is given. A trailing mask (True for
    ``v0.t``) or rounding mode may be left out. Raises ``OxeggError`` naming the operand that
    doesn't fit.
    """
    record = TABLE.get(name)
    if record is None:
        raise OxeggError(f"no such instruction: {name}")
    values = complete(record, operands)
    word = record.match
    for operand, value in zip(record.operands, values, strict=True):
        if operand.kind == "v0":
            continue
        relative = int(value) - (pc if operand.kind == "label" else 0)
        bits = int(not value) if operand.kind == "mask" else relative
        try:
            word |= FIELDS[operand.name].insert(bits)
        except OxeggError as error:
            raise OxeggError(f"{name}: {error.message}", hint=error.hint) from error
    return word


def complete(record: Instruction, operands: Sequence[int | bool]) -> tuple[int | bool, ...]:
    """``operands`` with omitted trailing ones filled in, checked for number and register file."""
    missing = record.operands[len(operands) :]
    if len(operands) > len(record.operands) or any(o.default is None for o in missing):
        raise OxeggError(
            f"{record.name} takes {len(record.operands)} operands, not {len(operands)}",
            hint=f"write {record.name} {record.syntax}",
        )
    values = (*operands, *(operand.default or 0 for operand in missing))
    for operand, value in zip(record.operands, values, strict=True):
        _check_register(record, operand, int(value))
    return tuple(
        bool(value) if operand.kind in ("mask", "v0") else int(value)
        for operand, value in zip(record.operands, values, strict=True)
    )


def _check_register(record: Instruction, operand: Operand, value: int) -> None:
    allowed = ALLOWED.get(operand.kind)
    if allowed is not None and value not in allowed:
        raise OxeggError(f"{record.name}: {operand.name} cannot be {operand.kind} {value}")


def decode(word: int) -> tuple[Instruction, tuple[int | bool, ...]]:
    """The record and its operand values in assembly order; raises ``OxeggError`` if undefined."""
    for mask, records in _candidates(word & OPCODE):
        record = records.get(word & mask)
        if record is not None:
            values = tuple(_value(operand, word) for operand in record.operands)
            for operand, value in zip(record.operands, values, strict=True):
                _check_register(record, operand, int(value))
            return record, values
    raise OxeggError(f"undefined instruction word {word:#010x}")


def _value(operand: Operand, word: int) -> int | bool:
    if operand.kind == "v0":
        return True
    value = FIELDS[operand.name].extract(word)
    return not value if operand.kind == "mask" else value


Candidates = tuple[tuple[int, Mapping[int, Instruction]], ...]


@cache
def _by_opcode() -> Mapping[int, Sequence[Instruction]]:
    """The records by major opcode, which stands last in an encoding."""
    table: dict[int, list[Instruction]] = {}
    for record in TABLE.values():
        table.setdefault(int(record.encoding.rpartition("=")[2], 0), []).append(record)
    return table


@cache
def _candidates(opcode: int) -> Candidates:
    """For each distinct mask, most specific first, the records of an opcode by match.

    Raises ``OxeggError`` where two records share a word: no decoder could tell them apart.
    """
    # A program uses few opcodes: the encodings of the others need not be parsed.
    records = _by_opcode().get(opcode, ())
    for first, second in _overlaps(records):
        raise OxeggError(
            f"the encodings of {first} and {second} overlap",
            hint="choose other fixed bits for the newer one; `oxegg isa list` shows the table",
        )
    masks: dict[int, dict[int, Instruction]] = {}
    for record in records:
        masks.setdefault(record.mask, {})[record.match] = record
    return tuple(sorted(masks.items(), key=lambda item: -item[0].bit_count()))


def overlaps() -> Iterator[tuple[str, str]]:
    """Pairs of instructions that share at least one word; a sound table has none."""
    for records in _by_opcode().values():
        yield from _overlaps(records)


def _overlaps(records: Sequence[Instruction]) -> Iterator[tuple[str, str]]:
    for first, second in combinations_with_replacement(sorted({r.mask for r in records}), 2):
        # Words of both agree where both are fixed: look there, not at every pair.
        known: dict[int, list[Instruction]] = {}
        for record in records:
            if record.mask == first:
                known.setdefault(record.match & first & second, []).append(record)
        for record in records:
            for other in known.get(record.match & first & second, ()):
                if record.mask == second and (first != second or other.name < record.name):
                    yield other.name, record.name
