"""Tiny programs made with our own encoder: code for ``call``, and static ELF files."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
    """Load a 32-bit constant, zero-extended."""
    high, low = value + 0x800 >> 12, (value + 0x800 & 0xFFF) - 0x800
    lines: list[Line] = [("lui", register, high & 0xFFFFF), ("addi", register, register, low)]
    if high >> 19:
        lines += [("slli", register, register, 32), ("srli", register, register, 32)]
    return lines


@dataclass(frozen=True)
class Layout:
    """Addresses of code and data."""

    text: int = TEXT
    data: int = DATA


def write_elf(path: Path, code: bytes, data: bytes, memory: int) -> None:
    """A static program: ``code`` at TEXT, ``data`` then zeros (``memory`` bytes) at DATA."""
    write_image(path, Layout(), code, data, memory, {})


def write_image(
    path: Path, layout: Layout, code: bytes, data: bytes, memory: int, symbols: Mapping[str, int]
) -> None:
    """A static program with ``symbols`` in its symbol table."""
    header_bytes, segment_bytes, section_bytes, page = 64, 56, 64, 4096
    code_at = page
    data_at = code_at + -(-len(code) // page) * page
    names = b"\0" + b"".join(name.encode() + b"\0" for name in (".strtab", ".symtab", *symbols))
    table = bytes(24)
    for name, address in symbols.items():
        # A global object in the absolute section.
        at = names.index(b"\0" + name.encode() + b"\0") + 1
        table += struct.pack("<IBBHQQ", at, 0x11, 0, 0xFFF1, address, 8)
    names_at = data_at + len(data)
    table_at = -(-(names_at + len(names)) // 8) * 8
    sections_at = table_at + len(table)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 243, 1, layout.text, header_bytes,
        sections_at, 5, header_bytes, segment_bytes, 2, section_bytes, 3, 1,
    )  # fmt: skip
    load, execute, write, read = 1, 1, 2, 4
    text = struct.pack("<IIQQQQQQ", load, read | execute, code_at, layout.text, layout.text,
                       len(code), len(code), page)  # fmt: skip
    rest = struct.pack("<IIQQQQQQ", load, read | write, data_at, layout.data, layout.data,
                       len(data), max(memory, len(data)), page)  # fmt: skip
    # Section 1 is the string table, also for section names; section 2 the symbol table.
    section = "<IIQQQQIIQQ"
    sections = bytes(section_bytes)
    sections += struct.pack(
        section, names.index(b".strtab"), 3, 0, 0, names_at, len(names), 0, 0, 1, 0
    )
    sections += struct.pack(
        section, names.index(b".symtab"), 2, 0, 0, table_at, len(table), 1, 1, 8, 24
    )
    image = bytearray(sections_at) + sections
    image[: len(header + text + rest)] = header + text + rest
    image[code_at : code_at + len(code)] = code
    image[data_at : data_at + len(data)] = data
    image[names_at : names_at + len(names)] = names
    image[table_at : table_at + len(table)] = table
    path.write_bytes(image)
    path.chmod(0o755)
