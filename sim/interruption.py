"""Where an exception met a generated block: the instruction at fault, and what the fault was.

The generated code keeps x registers in local variables, so those of the interrupted function are
the only place where the results of the instructions before the fault are.
"""

import re
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from oxegg.sim.faults import Fault, MemoryFault
from oxegg.sim.state import State
from oxegg.sim.translation import BLOCK_FILE, Translated

# The call in generated code that checks an access: address variable, size, whether it is a store.
ACCESS_CALL = re.compile(r"access\w*\(\d+, (\w+), (\d+), (True|False)\)")


def completed(error: Exception, translated: Translated, state: State) -> tuple[int, Exception]:
    """How many instructions of a block had completed, whose results are put into ``state``, and
    the fault of the next one (or ``error`` where that isn't a stray access)."""
    if translated.source is None:
        return 0, _stray("", {}, state) if isinstance(error, IndexError) else error
    line, variables = _interruption(error.__traceback__)
    for name, value in variables.items():
        if name[0] == "x" and name[1:].isdigit():
            state.x[int(name[1:])] = value
    source = translated.source
    place = source.places[min(line, len(source.places)) - 1]
    if isinstance(error, IndexError):
        error = _stray(source.lines[line - 1], variables, state)
    return place, error


def _stray(line: str, variables: Mapping[str, Any], state: State) -> Fault:
    """The fault of a scalar access whose address isn't even in the tables of lines."""
    found = ACCESS_CALL.search(line)
    if found is None:  # of a thread in SIMT mode, whose code is elsewhere
        return MemoryFault("access outside the address space")
    address, size, write = variables[found[1]], int(found[2]), found[3] == "True"
    try:
        state.memory.region(address, size, write=write)
    except MemoryFault as fault:
        return fault
    raise AssertionError(line)


def _interruption(traceback: TracebackType | None) -> tuple[int, Mapping[str, Any]]:
    """Line of the generated block in which an exception passed, and its variables there."""
    line, variables = 1, dict[str, Any]()
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == BLOCK_FILE:
            line, variables = traceback.tb_lineno, traceback.tb_frame.f_locals
        traceback = traceback.tb_next
    return line, variables
