"""Arrays in near-memory banks: an equal part in each, in order, whole accesses long.

Behind the last element of the array the parts hold zeros.
"""

from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from oxegg.costmodels import Machine
from oxegg.costmodels.machine import NearMemory
from oxegg.errors import EmitError


def near_memory_of(machine: Machine) -> NearMemory:
    """The engine; raises ``EmitError`` on a machine without it."""
    if machine.near_memory is None:
        raise EmitError(f"{machine.name} has no near-memory units")
    return machine.near_memory


def banks_of(machine: Machine) -> int:
    """Banks that one core computes in."""
    return machine.near_memory_channels * near_memory_of(machine).units_per_channel


def part_bytes(size: int, machine: Machine) -> int:
    """Bytes in each bank of an array of ``size`` bytes."""
    width = near_memory_of(machine).width_bytes
    accesses = -(-size // width)
    return -(-accesses // banks_of(machine)) * width


@overload
def in_banks(data: int, machine: Machine) -> int: ...
@overload
def in_banks(data: NDArray[Any], machine: Machine) -> NDArray[np.uint8]: ...
def in_banks(data: NDArray[Any] | int, machine: Machine) -> NDArray[np.uint8] | int:
    """The bytes of an array as they lie in the banks, one after the other; of a size, that size."""
    size = data if isinstance(data, int) else data.nbytes
    whole = part_bytes(size, machine) * banks_of(machine)
    if isinstance(data, int):
        return whole
    padded = np.zeros(whole, np.uint8)
    padded[:size] = np.ascontiguousarray(data).reshape(-1).view(np.uint8)
    return padded
