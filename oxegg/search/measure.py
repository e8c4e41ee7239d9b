"""Running emitted code on the simulator: the last word on cycles and on results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from oxegg.costmodels import Machine
from oxegg.emit.banked import BankLayout
from oxegg.emit.lowering.near_memory import bank_layouts
from oxegg.emit.lowering.program import ALIGNMENT, scratch_layout
from oxegg.emit.physical import Buffer as ArrayBuffer
from oxegg.emit.physical import PhysicalProgram
from oxegg.ir.term import Kernel
from oxegg.ir.types import U8
from oxegg.sim import Buffer, CallResult, Turns, call
from oxegg.sim.domain import Domain

Array = npt.NDArray[Any]
Place = Literal["spm", "dram"]


@dataclass(frozen=True)
class Runner:
    """Emitted code with what its calling convention needs."""

    code: bytes
    program: PhysicalProgram
    output_shapes: tuple[tuple[int, ...], ...]
    output_types: tuple[np.dtype[Any], ...]
    machine: Machine
    place: Place

    def call(
        self,
        inputs: Sequence[Array],
        *,
        timing: bool,
        domain: Domain | None = None,
        record: bool = False,
    ) -> CallResult:
        """Run once, floats as elements of ``domain`` if given. ``inputs`` in parameter order.

        ``record`` keeps a timeline.
        """
        arguments: list[Buffer | np.generic] = []
        for item, value in zip(self.program.inputs, inputs, strict=True):
            if isinstance(item, ArrayBuffer):
                stored = value.astype(np.uint8) if item.type is U8 else value
                arguments.append(self._placed(item, np.ascontiguousarray(stored)))
            else:
                arguments.append(item.type.numpy.type(value))
        arguments += [self._placed(b, b.bytes) for b in self.program.outputs]
        if self.program.scratch:
            arguments.append(Buffer(scratch_layout(self.program)[1], self.scratch_place))
        return call(self.code, self.machine, arguments, timing=timing, domain=domain, record=record)

    def _placed(self, buffer: ArrayBuffer, data: Array | int) -> Buffer:
        """An array, or so many bytes, where the program expects it."""
        if buffer.name in self.program.banked:
            return in_banks(self.layouts[buffer.name], data)
        return Buffer(data, self.place)

    @cached_property
    def layouts(self) -> Mapping[str, BankLayout]:
        """Where the arrays in near-memory banks lie, by name."""
        return bank_layouts(self.program, self.machine)

    @property
    def scratch_place(self) -> Place:
        """Where scratch memory lies: in the scratchpad, in DRAM where arrays leave no room there.

        DMA brings blocks into the scratchpad only.
        """
        arrays = [i for i in self.program.inputs if isinstance(i, ArrayBuffer)]
        beside = [*arrays, *self.program.outputs] if self.place == "spm" else []
        sizes = [scratch_layout(self.program)[1], *(buffer.bytes for buffer in beside)]
        fits = sum(_aligned(size) for size in sizes) <= self.machine.spm_bytes
        return "spm" if fits or self.program.transfers else "dram"

    def results(self, result: CallResult) -> list[Array]:
        """The outputs of a call, as arrays of the kernel's types and shapes."""
        first = sum(isinstance(item, ArrayBuffer) for item in self.program.inputs)
        arrays: list[Array] = []
        for i, (shape, dtype) in enumerate(zip(self.output_shapes, self.output_types, strict=True)):
            raw = np.asarray(result.arrays[first + i]).reshape(-1).view(np.uint8)
            layout = self.layouts.get(self.program.outputs[i].name)
            raw = layout.unpack(raw) if layout else raw
            stored = np.dtype(np.uint8) if dtype == np.bool_ else dtype
            arrays.append(raw.view(stored).astype(dtype).reshape(shape))
        return arrays

    def over(self, inputs: Sequence[Array], domain: Domain) -> list[Array]:
        """The outputs of a run over a number domain; their floats are what it makes of elements."""
        return self.results(self.call(inputs, timing=False, domain=domain))

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        return self.results(self.call(inputs, timing=False))


def in_banks(layout: BankLayout, data: Array | int) -> Buffer:
    """An array, or memory for one, in near-memory banks."""
    chunks = layout.bytes if isinstance(data, int) else layout.pack(data)
    turns = Turns(layout.offset, layout.chunk, layout.stride, layout.piece, layout.pitch)
    return Buffer(chunks, "near_memory", turns=turns)


def place_of(kernel: Kernel, machine: Machine, wanted: str) -> Place:
    """Where inputs and outputs lie: ``auto`` is the scratchpad when they fit in half of it."""
    if wanted != "auto":
        return "dram" if wanted == "dram" else "spm"
    return "spm" if array_bytes(kernel) <= machine.spm_bytes // 2 else "dram"


def array_bytes(kernel: Kernel) -> int:
    """Bytes of all inputs and outputs, each on lines of its own."""
    inputs = [t.size * t.type.bytes for t in kernel.inputs if t.axes]
    outputs = [prod(a.size for a in o.layout) * o.value.type.bytes for o in kernel.outputs]
    return sum(map(_aligned, [*inputs, *outputs]))


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
