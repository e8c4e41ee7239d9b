"""Self-contained ELF programs: run a kernel once on embedded data and compare its outputs.

The program is static, needs no libraries, and ends with the Linux system call ``exit``: status 0
when every output lies within its bounds, 1 otherwise.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oxegg.emit.assembler import Label, Line, assemble
from oxegg.emit.banked import BankLayout
from oxegg.emit.constants import materialize_constant
from oxegg.emit.object_file import (
    ELF_HEADER_BYTES,
    PROGRAM_HEADER_BYTES,
    TYPE_EXECUTABLE,
    elf_header,
)
from oxegg.emit.program import ZERO, Register
from oxegg.errors import EmitError

BASE_ADDRESS = 0x10000
PAGE_BYTES = 0x1000
BUFFER_ALIGNMENT = 64
# A kernel that writes past a buffer should not hit the next one unnoticed.
GUARD_BYTES = 64
EXIT_SYSTEM_CALL = 93

_PT_LOAD, _EXECUTE, _WRITE, _READ = 1, 1, 2, 4

SP, RA, T0, T1, T2, T3, A0, A7 = 2, 1, 5, 6, 7, 28, 10, 17
_LOADS = {1: "lb", 2: "lh", 4: "lw", 8: "ld"}


@dataclass(frozen=True)
class InputBuffer:
    """Bytes passed by pointer."""

    data: bytes


@dataclass(frozen=True)
class OutputBuffer:
    """Memory passed by pointer, zero at first, and what must be there afterwards.

    ``lower`` and ``upper`` are keys of elements of ``width`` bytes, see :func:`ordered_keys`.
    """

    lower: bytes
    upper: bytes
    width: int

    @property
    def data(self) -> bytes:
        return bytes(len(self.lower))


@dataclass(frozen=True)
class ScratchBuffer:
    """Working memory passed by pointer, at ``address`` where it must lie in the scratchpad."""

    size: int
    address: int | None = None

    @property
    def data(self) -> bytes:
        return bytes(self.size if self.address is None else 0)


@dataclass(frozen=True)
class BankedBuffer:
    """An input or output in near-memory banks: the program carries it there, and back again.

    Its first chunk lies at ``address``.
    """

    inside: InputBuffer | OutputBuffer
    address: int
    layout: BankLayout

    @property
    def data(self) -> bytes:
        # Whole chunks are carried: of the last one what follows the array, or its end, as well.
        data = self.inside.data
        if self.layout.blocks:
            data = self.layout.pack(np.frombuffer(data, np.uint8)).tobytes()
        return data.ljust(self.layout.part * self.layout.banks + self.slack, b"\0")

    @property
    def slack(self) -> int:
        """Bytes that the chunks of a bank hold beyond its part."""
        return self.layout.chunks * self.layout.chunk - self.layout.part


@dataclass(frozen=True)
class IntegerScalar:
    """An integer argument, as its 64-bit register contents."""

    value: int


@dataclass(frozen=True)
class FloatScalar:
    """A floating-point argument: its bits, and 2, 4 or 8 bytes of width."""

    bits: int
    width: int


Argument = InputBuffer | OutputBuffer | ScratchBuffer | BankedBuffer | IntegerScalar | FloatScalar


def ordered_keys(bits: NDArray[np.generic]) -> NDArray[np.signedinteger]:
    """Signed integers that order as the floating-point numbers of the same width do.

    ``bits`` may have any element type of 1, 2, 4 or 8 bytes; equal bits give equal keys.
    """
    width = bits.dtype.itemsize
    signed = np.ascontiguousarray(bits).view(np.dtype(f"i{width}"))
    lower = np.array((1 << (8 * width - 1)) - 1, signed.dtype)
    return np.where(signed < 0, signed ^ lower, signed)


def exactly(expected: NDArray[np.generic]) -> OutputBuffer:
    """An output that must equal ``expected`` bit for bit."""
    keys = ordered_keys(expected).tobytes()
    return OutputBuffer(keys, keys, expected.dtype.itemsize)


def within(expected: NDArray[np.generic], tolerance: NDArray[np.float64]) -> OutputBuffer:
    """A float output that may be off by ``tolerance`` (absolute, per element, same shape).

    Where a NaN is expected any positive NaN (the machine's own is one) will do.
    """
    exact = expected.astype(np.float64)
    dtype = expected.dtype
    # One step further on either side covers the rounding of the bounds themselves.
    lower = ordered_keys((exact - tolerance).astype(dtype)) - 1
    upper = ordered_keys((exact + tolerance).astype(dtype)) + 1
    infinity = ordered_keys(np.array(np.inf, dtype).reshape(1))[0]
    largest = np.iinfo(lower.dtype).max
    nan = np.isnan(exact)
    lower = np.where(nan, infinity + 1, lower).astype(lower.dtype)
    upper = np.where(nan, largest, upper).astype(lower.dtype)
    return OutputBuffer(lower.tobytes(), upper.tobytes(), dtype.itemsize)


def executable(code: bytes, arguments: Sequence[Argument]) -> bytes:
    """A static ELF that calls ``code`` with ``arguments`` (in the order of the prototype)."""
    text_offset = _aligned(ELF_HEADER_BYTES + 2 * PROGRAM_HEADER_BYTES, BUFFER_ALIGNMENT)
    kernel = BASE_ADDRESS + text_offset
    entry = _aligned(kernel + len(code), 4)
    # The size of the startup code depends on addresses only through the length of constants:
    # lay out with room for the worst case, then again exactly.
    data, places = _data(arguments)
    worst = _startup(arguments, places, kernel, PAGE_BYTES << 12)
    data_address = _aligned(entry + len(worst) + PAGE_BYTES, PAGE_BYTES)
    start = _startup(arguments, places, kernel, data_address)
    text = code + bytes(entry - kernel - len(code)) + start
    data_offset = data_address - BASE_ADDRESS
    headers = elf_header(TYPE_EXECUTABLE, entry=entry, segments=2)
    headers += _segment(_READ | _EXECUTE, 0, BASE_ADDRESS, text_offset + len(text))
    headers += _segment(_READ | _WRITE, data_offset, data_address, len(data))
    image = bytearray(data_offset + len(data))
    image[: len(headers)] = headers
    image[text_offset : text_offset + len(text)] = text
    image[data_offset:] = data
    return bytes(image)


def _segment(flags: int, offset: int, address: int, size: int) -> bytes:
    return struct.pack(
        "<IIQQQQQQ", _PT_LOAD, flags, offset, address, address, size, size, PAGE_BYTES
    )


@dataclass(frozen=True)
class _Place:
    """Offsets into the data segment: of a buffer and, for an output, of its bounds."""

    buffer: int
    lower: int = 0
    upper: int = 0


def _data(arguments: Sequence[Argument]) -> tuple[bytes, list[_Place | None]]:
    """The data segment and where each argument's memory is in it."""
    data = bytearray()

    def put(contents: bytes) -> int:
        data.extend(bytes(-len(data) % BUFFER_ALIGNMENT))
        offset = len(data)
        data.extend(contents + bytes(GUARD_BYTES))
        return offset

    places: list[_Place | None] = []
    for argument in arguments:
        match argument:
            case OutputBuffer(lower, upper):
                places.append(_Place(put(argument.data), put(lower), put(upper)))
            case BankedBuffer(inside=OutputBuffer(lower, upper)):
                places.append(_Place(put(argument.data), put(lower), put(upper)))
            case InputBuffer() | ScratchBuffer() | BankedBuffer():
                places.append(_Place(put(argument.data)))
            case _:
                places.append(None)
    return bytes(data), places


def _startup(
    arguments: Sequence[Argument], places: Sequence[_Place | None], kernel: int, data: int
) -> bytes:
    banked = [
        (index, argument, place)
        for index, (argument, place) in enumerate(zip(arguments, places, strict=True))
        if isinstance(argument, BankedBuffer) and place is not None
    ]
    items: list[Line | Label] = [
        *(line for each in banked for line in _carry("to", *each, data)),
        *_pass_arguments(arguments, places, data),
        *_constant(T0, kernel),
        Line("jalr", (RA, 0, T0)),
    ]
    items += [line for each in banked for line in _carry("from", *each, data)]
    for index, (argument, place) in enumerate(zip(arguments, places, strict=True)):
        output = argument.inside if isinstance(argument, BankedBuffer) else argument
        if isinstance(output, OutputBuffer) and output.lower and place is not None:
            items.extend(_compare(index, output, place, data))
    items += [
        Line("addi", (A0, 0, 0)),
        Label("exit"),
        Line("addi", (A7, 0, EXIT_SYSTEM_CALL)),
        Line("ecall", ()),
        Label("differs"),
        Line("addi", (A0, 0, 1)),
        Line("jal", (0, "exit")),
    ]
    return assemble("_start", items, {}).code


def _pass_arguments(
    arguments: Sequence[Argument], places: Sequence[_Place | None], data: int
) -> Iterator[Line]:
    """LP64D: integers and pointers in a0-a7, then on the stack; floats in fa0-fa7."""
    integers = floats = 0
    stack = -(-8 * max(0, sum(not isinstance(a, FloatScalar) for a in arguments) - 8) // 16) * 16
    if stack:
        yield Line("addi", (SP, SP, -stack))
    for argument, place in zip(arguments, places, strict=True):
        if isinstance(argument, FloatScalar):
            if floats == 8:
                raise EmitError("more than 8 floating-point scalar parameters")
            yield from _constant(T0, argument.bits)
            move = {2: "fmv.h.x", 4: "fmv.w.x", 8: "fmv.d.x"}[argument.width]
            yield Line(move, (A0 + floats, T0))
            floats += 1
            continue
        value = argument.value if isinstance(argument, IntegerScalar) else 0
        value = data + place.buffer if place is not None else value
        if isinstance(argument, BankedBuffer | ScratchBuffer) and argument.address is not None:
            value = argument.address
        if integers < 8:
            yield from _constant(A0 + integers, value)
        else:
            yield from _constant(T0, value)
            yield Line("sd", (T0, 8 * (integers - 8), SP))
        integers += 1


def _carry(
    way: str, index: int, buffer: BankedBuffer, place: _Place, data: int
) -> Iterator[Line | Label]:
    """Copy an array word by word, piece by piece, chunk by chunk, to or from the banks."""
    dense, banked, last = A0, A0 + 1, A0 + 2
    ends = piece_end, chunk_end, bank_end = A0 + 3, A0 + 4, A0 + 5
    layout, loop = buffer.layout, f"bank_{way}{index}"
    source, target = (dense, banked) if way == "to" else (banked, dense)
    span = layout.chunks * layout.stride
    woven = layout.chunk // layout.piece * layout.pitch
    start = data + place.buffer
    yield from _constant(dense, start)
    yield from _constant(last, start + layout.part * layout.banks)
    yield from _constant(banked, buffer.address)
    for end, size in zip(ends, (layout.piece, woven, span), strict=True):
        yield from _constant(end, buffer.address + size)
    yield Label(loop)
    yield Line("ld", (T0, 0, source))
    yield Line("sd", (T0, 0, target))
    yield Line("addi", (dense, dense, 8))
    yield Line("addi", (banked, banked, 8))
    yield Line("bne", (banked, piece_end, loop))
    yield from _advance((banked,), layout.pitch - layout.piece)
    yield from _advance((piece_end,), layout.pitch)
    yield Line("bne", (banked, chunk_end, loop))
    yield from _advance((banked, piece_end), layout.stride - woven)
    yield from _advance((chunk_end,), layout.stride)
    yield Line("bne", (banked, bank_end, loop))
    yield from _advance((dense,), -buffer.slack)
    yield from _advance((banked, piece_end, chunk_end), layout.distance - span)
    yield from _advance((bank_end,), layout.distance)
    yield Line("bne", (dense, last, loop))


def _advance(pointers: Sequence[int], distance: int) -> Iterator[Line]:
    yield from _constant(T1, distance)
    for pointer in pointers:
        yield Line("add", (pointer, pointer, T1))


def _compare(index: int, output: OutputBuffer, place: _Place, data: int) -> Iterator[Line | Label]:
    """Go to ``differs`` unless every element's key lies within its bounds."""
    load, width = _LOADS[output.width], output.width
    pointer, lower, upper, end = A0, A0 + 1, A0 + 2, A0 + 3
    yield from _constant(pointer, data + place.buffer)
    yield from _constant(lower, data + place.lower)
    yield from _constant(upper, data + place.upper)
    yield from _constant(end, data + place.buffer + len(output.lower))
    yield Label(f"compare{index}")
    yield Line(load, (T0, 0, pointer))
    yield Line(load, (T1, 0, lower))
    yield Line(load, (T2, 0, upper))
    # The key: flip all bits but the sign of a negative element.
    yield Line("srai", (T3, T0, 63))
    yield Line("srli", (T3, T3, 65 - 8 * width))
    yield Line("xor", (T0, T0, T3))
    yield Line("blt", (T0, T1, "differs"))
    yield Line("blt", (T2, T0, "differs"))
    for register in (pointer, lower, upper):
        yield Line("addi", (register, register, width))
    yield Line("bne", (pointer, end, f"compare{index}"))


def _constant(register: int, value: int) -> Iterator[Line]:
    for operation in materialize_constant(Register("x", register), value):
        numbers = [
            operand if isinstance(operand, int) else _number(operand)
            for operand in operation.operands
        ]
        yield Line(operation.name, tuple(numbers))


def _number(operand: Register | str) -> int:
    assert isinstance(operand, Register)
    return 0 if operand == ZERO else operand.number


def _aligned(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment
