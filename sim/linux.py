"""User mode: the memory, initial stack and system calls that a static program expects."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from oxegg.errors import UsageError
from oxegg.sim.elf_image import ADDRESS_SPACE, Image
from oxegg.sim.faults import MemoryFault
from oxegg.sim.memory import DEFAULT_SPACE, LINE, STACK_BYTES, Memory
from oxegg.sim.state import State
from oxegg.sim.stop import Exited

A0, A1, A2, A7, SP = 10, 11, 12, 17, 2
HEAP_BYTES = 64 << 20
AUXILIARY_PAGE_SIZE = 6
PAGE = 4096
BAD_FILE, BAD_ADDRESS, INVALID, NO_SUCH_CALL = -9, -14, -22, -38
OUTPUTS = (1, 2)
MAX_VECTORS = 1024
MAX_OUTPUT = 1 << 30


def load(image: Image, command: Sequence[str], least: int = 0) -> tuple[Memory, int, int]:
    """Memory with the program, heap and stack in it; the heap's start and the initial sp.

    The address space has at least ``least`` bytes, for what else will be mapped.
    """
    top = image.end + HEAP_BYTES + STACK_BYTES + 4 * PAGE
    if top > ADDRESS_SPACE:
        raise UsageError("the program does not fit below 4 GiB", where=command[0])
    space = max(DEFAULT_SPACE, 1 << (top - 1).bit_length(), least)
    memory = Memory(space, misaligned=True)
    image.place(memory)
    heap = -(-image.end // PAGE) * PAGE + PAGE
    memory.map(heap, HEAP_BYTES, "dram", "the heap")
    stack = heap + HEAP_BYTES + PAGE
    memory.map(stack, STACK_BYTES, "dram", "the stack")
    return memory, heap, _initial_stack(memory, stack + STACK_BYTES, command)


def _initial_stack(memory: Memory, top: int, arguments: Sequence[str]) -> int:
    """Lay out argc, argv, an empty environment and the auxiliary vector; gives sp."""
    pointers: list[int] = []
    for argument in arguments:
        text = argument.encode() + b"\0"
        top -= len(text)
        memory.write(top, text)
        pointers.append(top)
    words = [len(arguments), *pointers, 0, 0, AUXILIARY_PAGE_SIZE, PAGE, 0, 0]
    sp = (top - 8 * len(words)) // LINE * LINE
    memory.write(sp, b"".join(word.to_bytes(8, "little") for word in words))
    return sp


@dataclass
class System:
    """The system calls that newlib and a static C library need to start, print and stop."""

    clock_ghz: float
    heap: int
    output: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self.limit = self.heap + HEAP_BYTES
        self.brk = self.heap

    def call(self, state: State) -> None:
        """Perform the call in a7; the result, or minus the error number, goes to a0."""
        handlers = {
            57: self._succeed, 64: self._write, 66: self._write_vector, 80: self._fstat,
            93: self._exit, 94: self._exit, 113: self._clock, 169: self._time_of_day,
            214: self._set_brk,
        }  # fmt: skip
        handler = handlers.get(state.x[A7])
        try:
            result = handler(state) if handler else NO_SUCH_CALL
        except MemoryFault:
            result = BAD_ADDRESS
        state.x[A0] = result & (1 << 64) - 1

    def _succeed(self, state: State) -> int:
        del state
        return 0

    def _exit(self, state: State) -> int:
        raise Exited(state.x[A0] & 0xFF)

    def _print(self, state: State, address: int, size: int) -> None:
        if size:
            state.memory.region(address, size, write=False)
            room = MAX_OUTPUT - len(self.output)
            self.output += state.memory.read(address, min(size, room))

    def _write(self, state: State) -> int:
        if state.x[A0] not in OUTPUTS:
            return BAD_FILE
        self._print(state, state.x[A1], state.x[A2])
        return state.x[A2]

    def _write_vector(self, state: State) -> int:
        if state.x[A0] not in OUTPUTS:
            return BAD_FILE
        if state.x[A2] > MAX_VECTORS:
            return INVALID
        total = 0
        for i in range(state.x[A2]):
            entry = _load(state, state.x[A1] + 16 * i, 16)
            address, size = (int.from_bytes(entry[at : at + 8], "little") for at in (0, 8))
            self._print(state, address, size)
            total += size
        return total

    def _fstat(self, state: State) -> int:
        # st_mode: a character device, so that the C library doesn't seek.
        status = bytearray(128)
        status[16:20] = (0o020000).to_bytes(4, "little")
        _store(state, state.x[A1], bytes(status))
        return 0

    def _clock(self, state: State) -> int:
        return self._put_time(state, state.x[A1], 10**9)

    def _time_of_day(self, state: State) -> int:
        return self._put_time(state, state.x[A0], 10**6)

    def _put_time(self, state: State, address: int, units: int) -> int:
        """The time since the start, as seconds and a fraction in ``units`` per second."""
        seconds = state.cycles / (self.clock_ghz * 1e9)
        whole = int(seconds)
        words = (whole, int((seconds - whole) * units))
        _store(state, address, b"".join(word.to_bytes(8, "little") for word in words))
        return 0

    def _set_brk(self, state: State) -> int:
        if self.heap <= state.x[A0] <= self.limit:
            self.brk = state.x[A0]
        return self.brk


def _load(state: State, address: int, size: int) -> bytes:
    state.memory.region(address, size, write=False)
    return state.memory.read(address, size)


def _store(state: State, address: int, data: bytes) -> None:
    state.memory.region(address, len(data), write=True)
    state.memory.write(address, data)
