"""A bare machine: programs that start in machine mode and talk to the host through ``tohost``.

The host-target interface (HTIF) of the RISC-V test programs: a store of an odd number 2n + 1 to the
8 bytes at ``tohost`` ends the program with code n (0 is success); a store of an address asks for
the system call whose number and arguments lie there; device 1, command 1 prints a character.
"""

from dataclasses import dataclass, field

from oxegg.errors import UsageError
from oxegg.sim.elf_image import ADDRESS_SPACE, Image
from oxegg.sim.memory import LINE, Memory
from oxegg.sim.stop import Exited

FREE_BYTES = 16 << 20
"""Memory beyond the program, which such programs take for their stacks and heaps."""
MEGABYTE = 1 << 20
WORD = 8
CALL_WORDS = 8
WRITE_CALL, EXIT_CALL = 64, 93
CONSOLE = 1
PUT_CHARACTER = 1
ADDRESS_BITS = 48


def is_bare_metal(image: Image) -> bool:
    """Whether the program expects a bare machine: it has a ``tohost`` symbol."""
    return "tohost" in image.symbols


def load(image: Image, path: str) -> Memory:
    """Memory with the program in it and free memory behind, all of it ordinary RAM."""
    start = min(address for address, *_ in image.segments) & -LINE
    space = -(-(image.end + FREE_BYTES) // MEGABYTE) * MEGABYTE
    if space > ADDRESS_SPACE:
        raise UsageError("the program does not fit below 4 GiB", where=path)
    memory = Memory(space, misaligned=True)
    memory.map(start, space - start, "dram", "memory", executable=True)
    for address, data, *_ in image.segments:
        memory.write(address, data)
    return memory


@dataclass
class Host:
    """The other side of ``tohost`` and ``fromhost``."""

    memory: Memory
    tohost: int
    fromhost: int | None
    output: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        for address in (self.tohost, self.fromhost):
            if address is not None and (
                self.memory.holder(address, WORD) is None or address % WORD
            ):
                raise UsageError(f"the program's tohost or fromhost at {address:#x} is no memory")
        self.memory.watch(self.tohost, self.receive)

    def receive(self) -> None:
        """Act on the word at ``tohost``; raises ``Exited`` when it ends the program."""
        word = self._word(self.tohost)
        if word == 0:
            return
        device, command = word >> 56, word >> 48 & 0xFF
        if (device, command) == (0, 0) and word & 1:
            raise Exited(word >> 1)
        if (device, command) == (CONSOLE, PUT_CHARACTER):
            self.output.append(word & 0xFF)
        elif (device, command) == (0, 0):
            self._system_call(word & (1 << ADDRESS_BITS) - 1)
        else:
            return
        self.memory.write(self.tohost, bytes(WORD))
        if self.fromhost is not None:
            self.memory.write(self.fromhost, (1 | device << 56).to_bytes(WORD, "little"))

    def _system_call(self, address: int) -> None:
        """The call whose number and arguments are the words at ``address``; the result replaces
        the number."""
        if self.memory.holder(address, CALL_WORDS * WORD) is None:
            return
        number, first, second, third = (self._word(address + WORD * i) for i in range(4))
        result = (1 << 64) - 38
        if number == EXIT_CALL:
            raise Exited(first)
        if number == WRITE_CALL and self.memory.holder(second, third) is not None:
            self.output += self.memory.read(second, third)
            result = third
        self.memory.write(address, result.to_bytes(WORD, "little"))

    def _word(self, address: int) -> int:
        return int.from_bytes(self.memory.read(address, WORD), "little")
