"""The memories beside DRAM: the scratchpad, and the banks of the near-memory region.

A buffer in the region is a slice of the same size at the same offset of every bank, or chunks of it
in turn with those of other buffers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from oxegg.costmodels import Machine
from oxegg.costmodels.machine import NearMemory
from oxegg.errors import UsageError
from oxegg.sim.memory import NEAR_MEMORY_BASE, SPM_BASE, Memory


def _engine(machine: Machine) -> NearMemory:
    if machine.near_memory is None:
        raise UsageError(
            f"{machine.name} has no near-memory units", hint='place the buffer in "spm" or "dram"'
        )
    return machine.near_memory


@dataclass(frozen=True)
class Turns:
    """Chunks of ``chunk`` bytes, ``stride`` bytes apart, the first ``offset`` bytes into a bank.

    A chunk is cut into pieces of ``piece`` bytes, ``pitch`` bytes apart. Buffers of the same stride
    and pitch lie side by side: a chunk, or a piece, of each in turn.
    """

    offset: int
    chunk: int
    stride: int
    piece: int
    pitch: int

    def end(self, part: int) -> int:
        """Where ``part`` bytes of a bank end."""
        chunks, pieces = max(1, part // self.chunk), self.chunk // self.piece
        return self.offset + (chunks - 1) * self.stride + (pieces - 1) * self.pitch + self.piece


def bank_count(machine: Machine) -> int:
    """Banks of one core; raises ``UsageError`` without near-memory units."""
    return machine.near_memory_channels * _engine(machine).units_per_channel


def banks_end(machine: Machine) -> int:
    """The first address behind all banks of one core; 0 without near-memory units."""
    near = machine.near_memory
    return NEAR_MEMORY_BASE + bank_count(machine) * near.bank_bytes if near else 0


def bank_addresses(machine: Machine, address: int) -> list[int]:
    """Addresses in each bank of what lies at ``address`` in bank 0."""
    size = _engine(machine).bank_bytes
    return [address + bank * size for bank in range(bank_count(machine))]


def place_in_banks(
    memory: Memory, machine: Machine, address: int, size: int, name: str, data: bytes | None
) -> None:
    """Map ``size`` bytes, an equal part in each bank, and fill them with ``data``."""
    part, rest = divmod(size, bank_count(machine))
    if rest:
        raise UsageError(
            f"{name}: {size} bytes don't divide into {bank_count(machine)} banks",
            hint="make the first axis of its array the banks",
        )
    if address + part > NEAR_MEMORY_BASE + _engine(machine).bank_bytes:
        raise UsageError(
            f"{name}: a bank of {machine.name} has {_engine(machine).bank_bytes} bytes"
        )
    for bank, start in enumerate(bank_addresses(machine, address)):
        memory.map(start, part, "near_memory", f"{name} in bank {bank}")
        if data is not None:
            memory.write(start, data[bank * part : (bank + 1) * part])


def map_turns(memory: Memory, machine: Machine, wanted: Iterable[tuple[Turns, int]]) -> int:
    """Map what buffers cover that take turns, given with their bytes; gives the end in a bank."""
    banks = bank_count(machine)
    spans: list[tuple[int, int]] = []
    for start, stop in sorted((t.offset, t.end(size // banks)) for t, size in wanted):
        if spans and start <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(stop, spans[-1][1])
        else:
            spans.append((start, stop))
    for number, (start, stop) in enumerate(spans):
        name = f"near-memory buffers {number}"
        whole = (stop - start) * banks
        place_in_banks(memory, machine, NEAR_MEMORY_BASE + start, whole, name, None)
    return spans[-1][1] if spans else 0


def in_turns(memory: Memory, machine: Machine, turns: Turns, size: int) -> NDArray[Any]:
    """A view of a buffer of ``size`` bytes: (banks, chunks, pieces, bytes of a piece)."""
    banks = bank_count(machine)
    pieces = turns.chunk // turns.piece
    shape = (banks, size // banks // turns.chunk, pieces, turns.piece)
    strides = (_engine(machine).bank_bytes, turns.stride, turns.pitch, 1)
    return as_strided(memory.bytes[NEAR_MEMORY_BASE + turns.offset :], shape, strides)


def read_from_banks(memory: Memory, machine: Machine, address: int, size: int) -> bytes:
    """The bytes of all parts, bank by bank."""
    part = size // bank_count(machine)
    return b"".join(memory.read(start, part) for start in bank_addresses(machine, address))


def map_local_memories(memory: Memory, machine: Machine) -> None:
    """Map the scratchpad and all banks, each unless something else lies there."""
    stop = SPM_BASE + machine.spm_bytes
    if stop <= NEAR_MEMORY_BASE and memory.is_free(SPM_BASE, stop):
        memory.map(SPM_BASE, machine.spm_bytes, "spm", "the scratchpad")
    near = machine.near_memory
    if near is None:
        return
    stop = NEAR_MEMORY_BASE + bank_count(machine) * near.bank_bytes
    if memory.is_free(NEAR_MEMORY_BASE, stop):
        for bank, start in enumerate(bank_addresses(machine, NEAR_MEMORY_BASE)):
            memory.map(start, near.bank_bytes, "near_memory", f"near-memory bank {bank}")
