"""Encoding fields: where an operand's bits sit in the instruction word.

An encoding is written as in riscv-opcodes, with one addition: immediates that the word scrambles
are named as a whole (``offset12`` for a branch target) and their pieces come from ``FIELDS``.
"""

from dataclasses import dataclass
from functools import cache, cached_property

from oxegg.errors import OxeggError


@dataclass(frozen=True)
class Field:
    """An operand of the encoding.

    ``pieces`` are ``(high, low, start)``: bits ``high..low`` of the word hold the operand's bits
    from ``start`` upwards. The value is two's complement when ``signed``; bits below the lowest
    piece are zero (branch offsets are even). ``bias`` is subtracted before encoding.
    """

    name: str
    pieces: tuple[tuple[int, int, int], ...]
    signed: bool = False

    @cached_property
    def bits(self) -> int:
        """Width of the value, including the bits that are always zero."""
        return max(start + high - low + 1 for high, low, start in self.pieces)

    @cached_property
    def align(self) -> int:
        """The value must be a multiple of this."""
        return 1 << min(start for _, _, start in self.pieces)

    @cached_property
    def minimum(self) -> int:
        return -(1 << (self.bits - 1)) if self.signed else 0

    @cached_property
    def maximum(self) -> int:
        top = 1 << (self.bits - 1 if self.signed else self.bits)
        return top - self.align

    @cached_property
    def word_mask(self) -> int:
        """The bits of the word that this field occupies."""
        return sum(((1 << (high - low + 1)) - 1) << low for high, low, _ in self.pieces)

    def insert(self, value: int) -> int:
        """The word bits of ``value``; raises ``OxeggError`` when it does not fit."""
        if not self.minimum <= value <= self.maximum or value % self.align:
            multiple = f", a multiple of {self.align}" if self.align > 1 else ""
            raise OxeggError(
                f"{self.name} = {value} does not fit",
                hint=f"it must be from {self.minimum} to {self.maximum}{multiple}",
            )
        word = 0
        for high, low, start in self.pieces:
            word |= (value >> start & (1 << (high - low + 1)) - 1) << low
        return word

    def extract(self, word: int) -> int:
        """The operand value held by ``word``."""
        value = 0
        for high, low, start in self.pieces:
            value |= (word >> low & (1 << (high - low + 1)) - 1) << start
        return value - (1 << self.bits) if self.signed and value >> (self.bits - 1) else value


def _plain(name: str, high: int, low: int, signed: bool = False) -> Field:
    return Field(name, ((high, low, 0),), signed)


FIELDS: dict[str, Field] = {
    field.name: field
    for field in (
        _plain("rd", 11, 7), _plain("rs1", 19, 15), _plain("rs2", 24, 20), _plain("rs3", 31, 27),
        _plain("vd", 11, 7), _plain("vs1", 19, 15), _plain("vs2", 24, 20), _plain("vs3", 11, 7),
        _plain("rm", 14, 12), _plain("csr", 31, 20), _plain("zimm", 19, 15),
        _plain("imm12", 31, 20, signed=True), _plain("imm20", 31, 12),
        _plain("shamt", 25, 20), _plain("shamtw", 24, 20),
        _plain("pred", 27, 24), _plain("succ", 23, 20), _plain("aqrl", 26, 25),
        _plain("vtypei", 30, 20), _plain("vtypei10", 29, 20),
        _plain("simm5", 19, 15, signed=True), _plain("uimm5", 19, 15),
        # vm = 1 means unmasked: the codec turns the bit round.
        _plain("vm", 25, 25),
        Field("store12", ((31, 25, 5), (11, 7, 0)), signed=True),
        Field("offset12", ((31, 31, 12), (7, 7, 11), (30, 25, 5), (11, 8, 1)), signed=True),
        Field("offset20", ((31, 31, 20), (19, 12, 12), (20, 20, 11), (30, 21, 1)), signed=True),
    )
}  # fmt: skip


@cache
def parse_encoding(encoding: str) -> tuple[int, int, tuple[Field, ...]]:
    """Fixed-bit mask, fixed-bit values and variable fields of an encoding string.

    Raises ``OxeggError`` unless every one of the 32 bits is given exactly once.
    """
    mask = match = covered = 0
    fields: list[Field] = []
    for token in encoding.split():
        place, _, value = token.partition("=")
        if value:
            high, _, low = place.partition("..")
            low = int(low or high)
            bits = ((1 << (int(high) - low + 1)) - 1) << low
            mask |= bits
            match |= int(value, 0) << low
        else:
            field = FIELDS[place]
            fields.append(field)
            bits = field.word_mask
        if covered & bits:
            raise OxeggError(f"bits given twice at {token!r} in {encoding!r}")
        covered |= bits
    if covered != 0xFFFF_FFFF or match & ~mask:
        raise OxeggError(f"{encoding!r} does not give all 32 bits")
    return mask, match, tuple(fields)
