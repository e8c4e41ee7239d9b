"""OXM-1's instruction set: one record per instruction, and what is derived from the records."""

from oxegg.isa.codec import decode, encode, overlaps
from oxegg.isa.record import Instruction, Operand
from oxegg.isa.table import TABLE
from oxegg.isa.text import assembly
from oxegg.isa.vtype import VType, decode_vtype

__all__ = [
    "TABLE",
    "Instruction",
    "Operand",
    "VType",
    "assembly",
    "decode",
    "decode_vtype",
    "encode",
    "overlaps",
]
