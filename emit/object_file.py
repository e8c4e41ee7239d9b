"""ELF relocatable objects: one function, no relocations, linkable into any LP64D program."""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from oxegg.emit.arch import arch_string
from oxegg.emit.assembler import CONSTANT_ALIGNMENT

MACHINE_RISCV = 243
FLOAT_ABI_DOUBLE = 4
"""``e_flags``: LP64D; the RVC bit stays clear because no instruction is compressed."""

TYPE_RELOCATABLE, TYPE_EXECUTABLE = 1, 2
ELF_HEADER_BYTES, SECTION_HEADER_BYTES, PROGRAM_HEADER_BYTES, SYMBOL_BYTES = 64, 64, 56, 24

SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_RISCV_ATTRIBUTES = 1, 2, 3, 0x70000003
SHF_ALLOC, SHF_EXECINSTR = 2, 4
STB_LOCAL, STB_GLOBAL = 0, 1
STT_NOTYPE, STT_FUNC = 0, 2

_TAG_FILE, _TAG_STACK_ALIGN, _TAG_ARCH = 1, 4, 5
_STACK_ALIGNMENT = 16


@dataclass(frozen=True)
class Section:
    """A section; ``link`` and ``info`` as in the section header."""

    name: str
    kind: int
    flags: int
    data: bytes
    alignment: int = 1
    link: int = 0
    info: int = 0
    entry_bytes: int = 0


@dataclass(frozen=True)
class Symbol:
    """``value`` is an offset into section number ``section``."""

    name: str
    value: int
    size: int
    binding: int
    kind: int
    section: int


def object_file(name: str, code: bytes, instructions: int, extensions: Iterable[str]) -> bytes:
    """A relocatable object with ``code`` in ``.text`` under the global symbol ``name``.

    The first ``instructions`` words are code, what follows them are constants.
    """
    symbols = [Symbol("$x", 0, 0, STB_LOCAL, STT_NOTYPE, 1)]
    code_bytes = 4 * instructions
    if code_bytes < len(code):
        symbols.append(Symbol("$d", code_bytes, 0, STB_LOCAL, STT_NOTYPE, 1))
    locals_ = 1 + len(symbols)
    symbols.append(Symbol(name, 0, len(code), STB_GLOBAL, STT_FUNC, 1))
    symbol_table, strings = _symbols(symbols)
    sections = [
        Section(".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, code, CONSTANT_ALIGNMENT),
        Section(".riscv.attributes", SHT_RISCV_ATTRIBUTES, 0, attributes(arch_string(extensions))),
        # Empty: says that the code needs no executable stack.
        Section(".note.GNU-stack", SHT_PROGBITS, 0, b""),
        Section(".symtab", SHT_SYMTAB, 0, symbol_table, 8, 5, locals_, SYMBOL_BYTES),
        Section(".strtab", SHT_STRTAB, 0, strings),
    ]
    return _file(sections)


def elf_header(
    kind: int, *, entry: int = 0, segments: int = 0, sections_at: int = 0, sections: int = 0
) -> bytes:
    """The 64 bytes at the start; the last section, if any, holds the section names."""
    identity = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    return identity + struct.pack(
        "<HHIQQQIHHHHHH",
        kind,
        MACHINE_RISCV,
        1,
        entry,
        ELF_HEADER_BYTES if segments else 0,
        sections_at,
        FLOAT_ABI_DOUBLE,
        ELF_HEADER_BYTES,
        PROGRAM_HEADER_BYTES if segments else 0,
        segments,
        SECTION_HEADER_BYTES if sections else 0,
        sections,
        max(sections - 1, 0),
    )


def attributes(arch: str) -> bytes:
    """Contents of ``.riscv.attributes``: stack alignment and architecture."""
    entries = bytes([_TAG_STACK_ALIGN, _STACK_ALIGNMENT, _TAG_ARCH]) + arch.encode() + b"\0"
    file_part = struct.pack("<BI", _TAG_FILE, 5 + len(entries)) + entries
    vendor = b"riscv\0" + file_part
    return b"A" + struct.pack("<I", 4 + len(vendor)) + vendor


def _symbols(symbols: Sequence[Symbol]) -> tuple[bytes, bytes]:
    """Symbol table (with its null entry) and string table."""
    table, strings = bytearray(SYMBOL_BYTES), bytearray(b"\0")
    for symbol in symbols:
        information = symbol.binding << 4 | symbol.kind
        table += struct.pack(
            "<IBBHQQ", len(strings), information, 0, symbol.section, symbol.value, symbol.size
        )
        strings += symbol.name.encode() + b"\0"
    return bytes(table), bytes(strings)


def _file(sections: Sequence[Section]) -> bytes:
    """Header, section contents, section headers; the section names are added last."""
    names = bytearray(b"\0")
    name_offsets: list[int] = []
    for name in (*(section.name for section in sections), ".shstrtab"):
        name_offsets.append(len(names))
        names += name.encode() + b"\0"
    everything = [*sections, Section(".shstrtab", SHT_STRTAB, 0, bytes(names))]
    body = bytearray(ELF_HEADER_BYTES)
    headers = bytearray(SECTION_HEADER_BYTES)
    for section, name_offset in zip(everything, name_offsets, strict=True):
        body += bytes(-len(body) % section.alignment)
        headers += struct.pack(
            "<IIQQQQIIQQ",
            name_offset,
            section.kind,
            section.flags,
            0,
            len(body),
            len(section.data),
            section.link,
            section.info,
            section.alignment,
            section.entry_bytes,
        )
        body += section.data
    body += bytes(-len(body) % 8)
    start = len(body)
    count = len(everything) + 1
    body[:ELF_HEADER_BYTES] = elf_header(TYPE_RELOCATABLE, sections_at=start, sections=count)
    return bytes(body + headers)
