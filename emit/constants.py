"""Instruction sequences for constants."""

from collections.abc import Iterator

from oxegg.emit.program import ZERO, Operation, Register
from oxegg.errors import EmitError

_LOW_BITS = 12


def fits_immediate(value: int, bits: int = _LOW_BITS) -> bool:
    """Whether ``value`` is a signed ``bits``-bit number (12: addi, loads, stores)."""
    return -(1 << (bits - 1)) <= value < 1 << (bits - 1)


def materialize_constant(register: Register, value: int) -> list[Operation]:
    """Instructions that put a 64-bit constant into ``register``, using no other register.

    ``value`` is from -2**63 to 2**64 - 1. At most 8 instructions; 1 for 12-bit values and
    multiples of 4096 in 32 bits, 2 for other 32-bit values.
    """
    if not -(1 << 63) <= value < 1 << 64:
        raise EmitError(f"the constant {value} does not fit in 64 bits")
    return list(_sequence(register, _signed(value, 64)))


def _sequence(register: Register, value: int) -> Iterator[Operation]:
    low = _signed(value, _LOW_BITS)
    if fits_immediate(value):
        yield Operation("addi", (register, ZERO, value))
    elif fits_immediate(value, 32):
        yield Operation("lui", (register, (value - low) >> _LOW_BITS & 0xFFFFF))
        if low:
            # addiw: 0x7fffffff is lui 0x80000 (negative in 64 bits) and -1, wrapped to 32 bits.
            yield Operation("addiw", (register, register, low))
    else:
        # Everything above the low 12 bits, without its trailing zeros, then shifted into place.
        upper = (value - low) >> _LOW_BITS
        zeros = (upper & -upper).bit_length() - 1
        yield from _sequence(register, _signed(upper >> zeros, 64))
        yield Operation("slli", (register, register, _LOW_BITS + zeros))
        if low:
            yield Operation("addi", (register, register, low))


def _signed(value: int, bits: int) -> int:
    """The low ``bits`` of ``value`` as a two's complement number."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value
