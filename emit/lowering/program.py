"""A physical program and its nests as a program over virtual registers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from oxegg.costmodels import Machine
from oxegg.emit.banked import BankLayout
from oxegg.emit.constants import fits_immediate, materialize_constant
from oxegg.emit.loop_tree import build
from oxegg.emit.lowering.copies import Copies
from oxegg.emit.lowering.emitter import Emitter
from oxegg.emit.lowering.fused import lower_fused
from oxegg.emit.lowering.loops import Stage as StageLowering
from oxegg.emit.lowering.near_memory import (
    bank_layouts,
    lower_near_memory,
    near_memory_bytes,
)
from oxegg.emit.lowering.scalar import normalize
from oxegg.emit.lowering.staging import STAGING, lower_staged, staging_bytes
from oxegg.emit.lowering.ties import resolve
from oxegg.emit.lowering.tile_file import TileFile
from oxegg.emit.lowering.tile_shapes import with_shapes
from oxegg.emit.nest import Nest
from oxegg.emit.physical import Buffer, PhysicalProgram, walk
from oxegg.emit.program import ZERO, Program, Register
from oxegg.emit.stages import Stage
from oxegg.errors import EmitError
from oxegg.ir.types import U8

ALIGNMENT = 64


def lower(
    physical: PhysicalProgram,
    stages: Sequence[tuple[Stage, Nest]],
    machine: Machine,
    *,
    exact: bool = False,
) -> Program:
    """Loop tree of instructions. ``exact`` keeps the source's order of every reduction."""
    physical = with_staging(physical, stages, machine)
    _check_banks(physical)
    layouts = bank_layouts(physical, machine)
    bases: dict[str, Register] = {}
    emitter = Emitter(machine, bases, exact)
    arguments = _arguments(emitter, physical)
    emitter.fixed_offsets = _fixed_offsets(physical)
    if physical.scratch:
        _place_scratch(emitter, physical, arguments[-1])
    copies = Copies(emitter, physical)
    for fusion, group in itertools.groupby(stages, key=lambda pair: pair[0].fusion):
        parts = list(group)
        copies.wait_for(stage for stage, _ in parts)
        if fusion is not None:
            emitter.tile_file = TileFile()  # a loop's body begins, and later it ends

        def lower_parts(parts: Sequence[tuple[Stage, Nest]] = parts) -> None:
            for stage, nest in parts:
                _lower_stage(emitter, stage, nest, layouts)

        if fusion is None:
            lower_parts()
        else:
            lower_fused(emitter, fusion, lower_parts, bases.get(STAGING, ZERO))
            emitter.tile_file = TileFile()
    return Program(physical.name, tuple(arguments), resolve(emitter.body))


def _lower_stage(
    emitter: Emitter, stage: Stage, nest: Nest, layouts: Mapping[str, BankLayout]
) -> None:
    emitter.start_stage()
    emitter.lanes = nest.lanes
    emitter.written = {s.access.buffer.name for s in stage.stores if s.access}
    body, emitter.body = emitter.body, []
    if stage.near_memory:
        lower_near_memory(emitter, stage, layouts)
    elif nest.blocks:
        lower_staged(emitter, stage, nest)
    else:
        StageLowering(emitter, nest, stage.stores).level(build(stage.stores, nest.order))
    file = emitter.tile_file
    shaped, file.shape = with_shapes(emitter.body, file.shape, emitter.integer)
    emitter.body = [*body, *emitter.prologue, *shaped]


def with_staging(
    physical: PhysicalProgram, stages: Sequence[tuple[Stage, Nest]], machine: Machine
) -> PhysicalProgram:
    """``physical`` with the scratchpad memory that its nests and near-memory passes need."""
    needed = max((_staging_bytes(stage, nest, machine) for stage, nest in stages), default=0)
    buffer = Buffer(STAGING, U8, needed, "scratch", 0) if needed else None
    return replace(physical, staging=buffer)


def _staging_bytes(stage: Stage, nest: Nest, machine: Machine) -> int:
    if stage.fusion is not None:
        return stage.fusion.staging_bytes
    return near_memory_bytes(stage, machine) if stage.near_memory else staging_bytes(stage, nest)


def _check_banks(physical: PhysicalProgram) -> None:
    """Ordinary loads and stores know nothing of banks."""
    banked = physical.banked
    for value in walk(physical.stores):
        ordinary = value.kind != "bank" and not value.stored_in_banks
        if ordinary and value.access and value.access.buffer.name in banked:
            raise EmitError("an array in near-memory banks is also accessed from the core")


def scratch_layout(physical: PhysicalProgram) -> tuple[dict[str, int], int]:
    """Offset of every scratch buffer from the scratch pointer, and the bytes of all of them."""
    offsets: dict[str, int] = {}
    total = 0
    for buffer in physical.scratch:
        offsets[buffer.name] = total
        total += -(-buffer.bytes // ALIGNMENT) * ALIGNMENT
    return offsets, total


def _arguments(emitter: Emitter, physical: PhysicalProgram) -> list[Register]:
    arguments: list[Register] = []
    for item in physical.inputs:
        if isinstance(item, Buffer):
            register = emitter.bases[item.name] = emitter.new("x")
        else:
            register = emitter.new("f" if item.type.is_float else "x")
            unsigned_word = item.type.name == "u32"  # the ABI sign-extends even these
            emitter.bases[item.name] = (
                normalize(emitter, register, item.type) if unsigned_word else register
            )
        arguments.append(register)
    for buffer in physical.outputs:
        register = emitter.bases[buffer.name] = emitter.new("x")
        arguments.append(register)
    return arguments + ([emitter.new("x")] if physical.scratch else [])


def _place_scratch(emitter: Emitter, physical: PhysicalProgram, pointer: Register) -> None:
    """Scratch buffers lie one after the other behind the last pointer argument."""
    offsets, _ = scratch_layout(physical)
    for name, offset in offsets.items():
        register = emitter.bases[name] = emitter.new("x")
        if fits_immediate(offset):
            emitter.emit("addi", register, pointer, offset)
        else:
            emitter.body += materialize_constant(register, offset)
            emitter.emit("add", register, register, pointer)


def _fixed_offsets(physical: PhysicalProgram) -> set[str]:
    """Buffers that all accesses walk with the same strides: their offsets can be compared."""
    patterns: dict[str, set[tuple[object, ...]]] = {}
    for value in walk(physical.stores):
        if value.access is not None:
            strides = tuple(sorted((a.name, s) for a, s in value.access.strides))
            kind = (strides, value.kind == "gather")
            patterns.setdefault(value.access.buffer.name, set()).add(kind)
    return {name for name, found in patterns.items() if len(found) == 1}
