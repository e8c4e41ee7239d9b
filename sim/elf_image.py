"""Reading a static RV64 ELF program: its segments, entry point and symbols."""

# pyelftools carries no type information.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from oxegg.errors import UsageError
from oxegg.sim.memory import Memory

EXECUTABLE, WRITABLE = 1, 2
ADDRESS_SPACE = 1 << 32
SYMBOL_BYTES = 24
_WANTED = "give a static RV64 program: of clang --target=riscv64 -static, or a folder's KERNEL.elf"
Segment = tuple[int, bytes, int, bool, bool]


@dataclass(frozen=True)
class Image:
    """A loadable program: segments as (address, bytes, size in memory, writable, executable)."""

    entry: int
    segments: tuple[Segment, ...]
    symbols: Mapping[str, int]

    def place(self, memory: Memory) -> None:
        """Map the segments and fill them."""
        for address, data, size, writable, executable in self.segments:
            memory.map(
                address, size, "dram", "read-only memory", writable=writable, executable=executable
            )
            memory.write(address, data)

    @property
    def end(self) -> int:
        """The first address behind all segments."""
        return max(address + size for address, _, size, *_ in self.segments)


def read_image(path: Path) -> Image:
    """The program at ``path``; raises ``UsageError`` for anything but a static RV64 program."""
    try:
        content = path.read_bytes()
        image = _parse(content)
    except UsageError as error:
        raise UsageError(error.message, where=str(path), hint=error.hint or _WANTED) from error
    except OSError as error:
        what = f"cannot read the program: {error.strerror}"
        raise UsageError(what, where=str(path), hint=_WANTED) from error
    except ELFError as error:
        raise UsageError("this is not an ELF file", where=str(path), hint=_WANTED) from error
    except Exception as error:
        # A damaged file can make the parser fail in any way: numbers in it are not checked there.
        what = "cannot read the program: it is damaged"
        raise UsageError(what, where=str(path), hint=_WANTED) from error
    if not image.segments:
        raise UsageError("the program has no segments to load", where=str(path), hint=_WANTED)
    return image


def _parse(content: bytes) -> Image:
    elf = ELFFile(BytesIO(content))
    static = elf["e_machine"] == "EM_RISCV" and elf["e_type"] == "ET_EXEC"
    if not static or elf.elfclass != 64 or not elf.little_endian:
        raise UsageError("not a static RV64 program", hint=_WANTED)
    loaded = [s for s in elf.iter_segments() if s["p_type"] == "PT_LOAD" and s["p_memsz"]]
    segments = tuple(_segment(segment.header, content) for segment in loaded)
    return Image(elf["e_entry"], segments, _symbols(elf, len(content)))


def _segment(header: Mapping[str, int], content: bytes) -> Segment:
    start, size, memory_size = header["p_offset"], header["p_filesz"], header["p_memsz"]
    address, flags = header["p_vaddr"], header["p_flags"]
    if start + size > len(content) or size > memory_size:
        raise UsageError("the program is damaged: a segment reaches beyond the file")
    if address + memory_size > ADDRESS_SPACE:
        raise UsageError(f"the program does not fit below 4 GiB: segment at {address:#x}")
    data = content[start : start + size]
    return address, data, memory_size, bool(flags & WRITABLE), bool(flags & EXECUTABLE)


def _symbols(elf: ELFFile, file_size: int) -> dict[str, int]:
    """Addresses by name; none if the program is stripped."""
    table = elf.get_section_by_name(".symtab")
    if not isinstance(table, SymbolTableSection):
        return {}
    if table["sh_entsize"] != SYMBOL_BYTES or table["sh_offset"] + table["sh_size"] > file_size:
        raise UsageError("the program is damaged: its symbol table reaches beyond the file")
    return {symbol.name: symbol["st_value"] for symbol in table.iter_symbols()}
