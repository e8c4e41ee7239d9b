"""Tiny programs made with our own encoder: code for ``call``, and static ELF files."""

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

from oxegg.isa import encode

Line = Sequence[str | int | bool]
TEXT, DATA = 0x10000, 0x4000000


def assemble(lines: Iterable[Line]) -> bytes:
    """Machine code of (name, operand, ...) lines."""
    return b"".join(_word(line).to_bytes(4, "little") for line in lines)


def _word(line: Line) -> int:
    name, *operands = line
    return encode(str(name), [o for o in operands if not isinstance(o, str)])


RETURN: Line = ("jalr", 0, 0, 1)


def constant(register: int, value: int) -> list[Line]:
    """Load a 31-bit constant."""
    high, low = value + 0x800 >> 12, (value + 0x800 & 0xFFF) - 0x800
    return [("lui", register, high & 0xFFFFF), ("addi", register, register, low)]


def write_elf(path: Path, code: bytes, data: bytes, memory: int) -> None:
    """A static program: ``code`` at TEXT, ``data`` then zeros (``memory`` bytes) at DATA."""
    header_bytes, segment_bytes, page = 64, 56, 4096
    code_at = page
    data_at = code_at + -(-len(code) // page) * page
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 243, 1, TEXT, header_bytes, 0, 5,
        header_bytes, segment_bytes, 2, 64, 0, 0,
    )  # fmt: skip
    load, execute, write, read = 1, 1, 2, 4
    text = struct.pack("<IIQQQQQQ", load, read | execute, code_at, TEXT, TEXT, len(code),
                       len(code), page)  # fmt: skip
    memory_size = max(memory, len(data))
    rest = struct.pack("<IIQQQQQQ", load, read | write, data_at, DATA, DATA, len(data),
                       memory_size, page)  # fmt: skip
    image = bytearray(data_at) + data
    image[:code_at] = (header + text + rest).ljust(code_at, b"\0")
    image[code_at : code_at + len(code)] = code
    path.write_bytes(image)
    path.chmod(0o755)
