"""Why an instruction can't complete: faults that become traps, and faults that stop a run."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Literal

Kind = Literal["fetch", "load", "store"]
"""What an access wants of memory."""


class Cause(IntEnum):
    """Exception codes of mcause."""

    FETCH_MISALIGNED = 0
    FETCH_ACCESS = 1
    ILLEGAL_INSTRUCTION = 2
    BREAKPOINT = 3
    LOAD_MISALIGNED = 4
    LOAD_ACCESS = 5
    STORE_MISALIGNED = 6
    STORE_ACCESS = 7
    ECALL_FROM_U = 8
    FETCH_PAGE = 12
    LOAD_PAGE = 13
    STORE_PAGE = 15


ACCESS_FAULTS: Mapping[Kind, Cause] = {
    "fetch": Cause.FETCH_ACCESS, "load": Cause.LOAD_ACCESS, "store": Cause.STORE_ACCESS,
}  # fmt: skip


class Fault(Exception):
    """A synchronous exception: its cause, and the value that mtval shows (0 if there is none)."""

    def __init__(self, message: str, cause: Cause, value: int = 0) -> None:
        super().__init__(message)
        self.cause, self.value = cause, value


class MemoryFault(Fault):
    """An access that guest memory refuses; ``value`` is the address."""

    def __init__(self, message: str, cause: Cause = Cause.LOAD_ACCESS, address: int = 0) -> None:
        super().__init__(message, cause, address)


class IllegalInstruction(Fault):
    """An instruction that the hart refuses in its present mode."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Cause.ILLEGAL_INSTRUCTION)


class ReservedEncoding(IllegalInstruction):
    """A vector instruction that RVV 1.0 reserves under the present vtype."""


class EnvironmentCall(Fault):
    """ecall or ebreak; the hart's privilege mode decides the cause of an ecall."""


class StateFault(Exception):
    """An instruction that an engine refuses in its present state, whatever the program does."""
