"""Inputs brought into the scratchpad as a whole, by DMA, before the first stage that reads them.

The transfers start together with the program; each stage waits for what it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from oxegg.emit.constants import materialize_constant
from oxegg.emit.lowering.addresses import advanced
from oxegg.emit.lowering.emitter import Emitter
from oxegg.emit.physical import Buffer, PhysicalProgram, walk
from oxegg.emit.program import ZERO, Register
from oxegg.emit.stages import Stage
from oxegg.ir.types import U8

DESCRIPTOR = 64  # bytes, one line
LOADS = 0  # the queue of transfers into the scratchpad


def with_copies(
    program: PhysicalProgram, room: int, wanted: Callable[[str], bool] = lambda name: True
) -> PhysicalProgram:
    """``program`` with as many of its inputs copied as ``room`` bytes hold, the smallest first.

    ``wanted`` says of which inputs, by name.
    """
    copies: list[tuple[Buffer, Buffer]] = []
    arrays = [i for i in program.inputs if isinstance(i, Buffer) and wanted(i.name)]
    for buffer in sorted(arrays, key=lambda b: b.bytes):
        size = DESCRIPTOR + -(-buffer.bytes // DESCRIPTOR) * DESCRIPTOR
        if size <= room:
            room -= size
            copies.append((buffer, Buffer(f"copy of {buffer.name}", U8, size, "scratch", 0)))
    return replace(program, copies=tuple(copies))


def all_copied(program: PhysicalProgram) -> bool:
    """Whether every input is read from a copy."""
    arrays = {item.name for item in program.inputs if isinstance(item, Buffer)}
    return arrays == {buffer.name for buffer, _ in program.copies}


class Copies:
    """The transfers of a program: their handles, until somebody has waited for them."""

    def __init__(self, emitter: Emitter, program: PhysicalProgram) -> None:
        """Start them; from now on the inputs' addresses are those in the scratchpad."""
        self.emitter = emitter
        self.handles: dict[str, Register] = {}
        for buffer, place in program.copies:
            self.handles[buffer.name] = self._start(buffer, place)

    def wait_for(self, stages: Iterable[Stage]) -> None:
        """Before the stages that read them."""
        for stage in stages:
            for value in walk(stage.stores):
                handle = self.handles.pop(value.access.buffer.name, None) if value.access else None
                if handle is not None:
                    self.emitter.emit("ox.dma.wait", handle)

    def _start(self, buffer: Buffer, place: Buffer) -> Register:
        emitter = self.emitter
        descriptor = emitter.bases[place.name]
        target, handle = emitter.new("x"), emitter.new("x")
        emitter.body += advanced(target, descriptor, DESCRIPTOR)
        size = self._constant(buffer.bytes)
        words = [emitter.bases[buffer.name], target, size, self._constant(1), *[ZERO] * 4]
        for number, word in enumerate(words):
            emitter.emit("sd", word, 8 * number, descriptor)
        emitter.emit("ox.dma", handle, descriptor, self._constant(LOADS))
        emitter.bases[buffer.name] = target
        return handle

    def _constant(self, value: int) -> Register:
        register = self.emitter.new("x")
        self.emitter.body += materialize_constant(register, value)
        return register
