"""Simulator: run OXM-1 machine code, bit-exact, with or without a clock."""

from oxegg.sim.banks import Turns
from oxegg.sim.blocks import Decoded, disassemble
from oxegg.sim.call import Buffer, CallResult, call
from oxegg.sim.elf import ElfResult, run_elf

__all__ = [
    "Buffer", "CallResult", "Decoded", "ElfResult", "Turns", "call", "disassemble", "run_elf",
]  # fmt: skip
