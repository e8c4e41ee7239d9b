"""Reading a static RV64 ELF program: its segments, entry point and symbols."""

# pyelftools carries no type information.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from oxegg.errors import UsageError
from oxegg.sim.memory import Memory

EXECUTABLE, WRITABLE = 1, 2
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
        with path.open("rb") as file:
            elf = ELFFile(file)
            if elf["e_machine"] != "EM_RISCV" or elf.elfclass != 64 or elf["e_type"] != "ET_EXEC":
                raise UsageError(
                    "not a static RV64 program", where=str(path), hint="link with -static"
                )
            segments = tuple(
                (
                    s["p_vaddr"],
                    s.data(),
                    s["p_memsz"],
                    bool(s["p_flags"] & WRITABLE),
                    bool(s["p_flags"] & EXECUTABLE),
                )
                for s in elf.iter_segments()
                if s["p_type"] == "PT_LOAD" and s["p_memsz"]
            )
            table = elf.get_section_by_name(".symtab")
            found = table.iter_symbols() if isinstance(table, SymbolTableSection) else ()
            symbols = {s.name: s["st_value"] for s in found}
            image = Image(elf["e_entry"], segments, symbols)
    except (OSError, ELFError) as error:
        raise UsageError(f"cannot read the program: {error}", where=str(path)) from error
    if not segments:
        raise UsageError("the program has no segments to load", where=str(path))
    return image
