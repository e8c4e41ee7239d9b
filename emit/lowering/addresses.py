"""Addresses by strength reduction: pointers move with their loops, offsets do the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from oxegg.emit.constants import fits_immediate, materialize_constant
from oxegg.emit.lowering.emitter import Combo, Emitter, Frame, Pointer
from oxegg.emit.physical import Access, Buffer
from oxegg.emit.program import ZERO, MemoryRef, Operation, Register
from oxegg.ir.affine import Axis
from oxegg.ir.types import I64

MAX_POINTERS = 12  # per loop; beyond it addresses are added up on the spot
INDEX = Buffer("loop index", I64, 0, "scratch", -1)


def index_access(axis: Axis) -> Access:
    """Positions along an axis as the "addresses" of an imaginary buffer at 0."""
    return Access(INDEX, ((axis, 1),))


def without(access: Access, axis: Axis) -> Access:
    """``access`` at position 0 of ``axis``, whatever loops are open: the base of a gather."""
    return replace(access, strides=tuple((a, s) for a, s in access.strides if a != axis))


def constant_part(emitter: Emitter, access: Access, combo: Combo) -> int:
    """Bytes from the moving pointers' place that an instance of an access lies at."""
    numbers: Mapping[str, int] = dict(combo)
    total = access.offset
    for axis, stride in access.strides:
        if axis in emitter.env:
            total += stride * emitter.env[axis][numbers.get(axis.name, 0)].offset
    return total


def near(emitter: Emitter, access: Access, combo: Combo) -> tuple[Register, int]:
    """A register and a 12-bit offset that together address an instance of ``access``."""
    constant = constant_part(emitter, access, combo)
    register, rest = _resolve(emitter, access, len(emitter.frames), constant)
    if fits_immediate(rest):
        return register, rest
    return _add(emitter, register, rest), 0


def at(emitter: Emitter, access: Access, combo: Combo) -> Register:
    """A register that holds the address (vector accesses have no offset field)."""
    register, rest = _resolve(
        emitter, access, len(emitter.frames), constant_part(emitter, access, combo)
    )
    return _add(emitter, register, rest) if rest else register


def _add(emitter: Emitter, register: Register, offset: int) -> Register:
    key = (register, offset)
    for scope in reversed(emitter.scopes):
        if key in scope.addresses:
            return scope.addresses[key]
    target = emitter.new("x")
    emitter.body += advanced(target, register, offset)
    emitter.scopes[-1].addresses[key] = target
    return target


def advanced(target: Register, register: Register, offset: int) -> list[Operation]:
    if fits_immediate(offset):
        return [Operation("addi", (target, register, offset))]
    return [*materialize_constant(target, offset), Operation("add", (target, target, register))]


def _resolve(emitter: Emitter, access: Access, depth: int, constant: int) -> tuple[Register, int]:
    """The pointer for the loops up to ``depth`` and what remains to be added to it."""
    strides = tuple(access.stride(f.axis) * f.step for f in emitter.frames[:depth])
    while depth and strides[depth - 1] == 0:
        depth -= 1
    if depth == 0:
        return _base(emitter, access), constant
    frame, key = emitter.frames[depth - 1], strides[:depth]
    known = [p for p in frame.pointers if p.buffer == access.buffer.name and p.strides == key]
    for pointer in known:
        if fits_immediate(constant - pointer.offset):
            return pointer.register, constant - pointer.offset
    if known and len(frame.pointers) >= MAX_POINTERS:
        return known[0].register, constant - known[0].offset
    pointer = _create(emitter, frame, access, depth, constant, key)
    return pointer.register, 0


def _base(emitter: Emitter, access: Access) -> Register:
    """Where an array starts; where counting along an axis starts."""
    if access.buffer is INDEX:
        ((axis, _),) = access.strides
        return emitter.positions.get(axis, ZERO)
    return emitter.bases[access.buffer.name]


def _create(
    emitter: Emitter, frame: Frame, access: Access, depth: int, constant: int, key: tuple[int, ...]
) -> Pointer:
    """A new pointer of ``frame``, set before its loop starts."""
    parent, rest = _resolve(emitter, access, depth - 1, constant)
    pointer = Pointer(access.buffer.name, key, constant, emitter.new("x"))
    frame.preamble += advanced(pointer.register, parent, rest)
    frame.pointers.append(pointer)
    return pointer


def reference(
    emitter: Emitter, access: Access, combo: Combo, kind: str, elements: int, stride: int
) -> MemoryRef:
    """Which bytes an access touches, for the scheduler's alias test."""
    assert kind in ("load", "store")
    name = access.buffer.name
    if name not in emitter.fixed_offsets:
        return MemoryRef(name, kind)
    start = constant_part(emitter, access, combo)
    size = access.buffer.type.bytes
    span = (elements - 1) * stride
    return MemoryRef(name, kind, start + min(span, 0), abs(span) + size)
