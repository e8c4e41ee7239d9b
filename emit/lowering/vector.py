"""The vector engine: instances of physical values as RVV instructions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from oxegg.emit.lowering import addresses
from oxegg.emit.lowering.emitter import Combo, Emitter
from oxegg.emit.lowering.scalar import normalize
from oxegg.emit.lowering.ties import Choice, TiedOperation
from oxegg.emit.physical import Value
from oxegg.emit.program import ZERO, Operand, Register, VectorState
from oxegg.ir.types import BOOL, I64, U8, ElementType, bits_to_value
from oxegg.isa import TABLE
from oxegg.rules.selection import Form
from oxegg.rules.vector_engine import FORMS

Lookup = Callable[[Value, Combo], Register]


def instruction(emitter: Emitter, value: Value, combo: Combo, lookup: Lookup) -> Register:
    """A pointwise instruction: operands in their places, the cheapest encoding."""
    form = FORMS[value.form]
    target = emitter.vector(form.type)
    state = emitter.state(form.sew, emitter.width(value, combo))
    operands = bind(emitter, form, value.operands, combo, lookup)
    issue(emitter, form, target, operands, state)
    return target


def bind(
    emitter: Emitter, form: Form, values: tuple[Value, ...], combo: Combo, lookup: Lookup
) -> dict[str, Operand | Value]:
    """Operand names to registers; constants in scalar places stay values (immediate forms)."""
    bound: dict[str, Operand | Value] = {}
    names = [(name, place) for name, place in form.operands if name != "acc"]
    for (name, place), operand in zip(names, values, strict=True):
        if place == "s" and operand.kind == "immediate":
            bound[name] = operand
        else:
            bound[name] = lookup(operand, combo)
    return bound


def issue(
    emitter: Emitter,
    form: Form,
    target: Register,
    operands: dict[str, Operand | Value],
    state: VectorState,
) -> None:
    """Emit ``form``; forms that overwrite an operand leave the choice of which to the end."""
    if form.masked:
        state = replace(state, mask_undisturbed=True)
    choices: list[Choice] = []
    for encoding in form.encodings:
        name, words = _assembly(emitter, encoding.instruction, encoding.assembly, operands, target)
        # Sums that name their old value keep it apart from the new one, but for the tail of it.
        named = encoding.tied in encoding.assembly and not state.tail_undisturbed
        if encoding.tied is None or named:
            emitter.emit(name, *words, state=state)
            return
        tied = operands[encoding.tied]
        if isinstance(tied, Register):
            choices.append(Choice(name, words, tied))
    reads = tuple(o for o in operands.values() if isinstance(o, Register))
    emitter.emit_tied(
        TiedOperation("tied", (target, *reads), state, target=target, choices=tuple(choices))
    )


def _assembly(
    emitter: Emitter,
    name: str,
    words: tuple[str | int, ...],
    operands: dict[str, Operand | Value],
    target: Register,
) -> tuple[str, tuple[Operand, ...]]:
    """Assembly operands; a constant takes the immediate form where the instruction has one."""
    result: list[Operand] = []
    for word in words:
        if isinstance(word, int):
            result.append(word)
            continue
        operand = target if word == "d" else operands[word]
        if isinstance(operand, Value):
            immediate = _immediate(name, operand)
            if immediate is not None:
                name, operand = immediate
            else:
                operand = constant(emitter, operand)
        result.append(operand)
    return name, tuple(result)


def _immediate(name: str, value: Value) -> tuple[str, int] | None:
    """The immediate form of a ``.vx`` or ``.wx`` instruction for a constant that fits."""
    if value.type.is_float or not name.endswith((".vx", ".vxm", ".wx")):
        return None
    number = int(bits_to_value(value.bits, value.type))
    if name == "vsub.vx":
        name, number = "vadd.vx", -number
    changed = name.replace(".vxm", ".vim").replace(".vx", ".vi").replace(".wx", ".wi")
    if changed not in TABLE:
        return None
    unsigned = any(operand.name == "uimm5" for operand in TABLE[changed].operands)
    low, high = (0, 31) if unsigned else (-16, 15)
    return (changed, number) if low <= number <= high else None


def constant(emitter: Emitter, value: Value) -> Register:
    """A scalar register that holds an immediate."""
    if value.type.is_float:
        return emitter.float_constant(value.bits, value.type)
    return emitter.integer(int(bits_to_value(value.bits, value.type)))


def splat(emitter: Emitter, value: Value, combo: Combo, lookup: Lookup) -> Register:
    """One scalar in every lane."""
    (source,) = value.operands
    if value.type is BOOL:
        return _splat_mask(emitter, value, combo, lookup)
    target = emitter.vector(value.type)
    fill(emitter, target, value.type, source, emitter.width(value, combo), combo, lookup)
    return target


def fill(
    emitter: Emitter,
    target: Register,
    type_: ElementType,
    source: Value,
    vl: int,
    combo: Combo,
    lookup: Lookup,
) -> None:
    """Put a scalar value into the first ``vl`` lanes of ``target``."""
    state = emitter.state(type_, vl)
    if source.kind == "immediate" and not (type_.is_float and source.bits):
        number = int(bits_to_value(source.bits, type_))
        if -16 <= number <= 15:
            emitter.emit("vmv.v.i", target, number, state=state)
            return
    constant_source = source.kind == "immediate"
    register = constant(emitter, source) if constant_source else lookup(source, combo)
    emitter.emit("vfmv.v.f" if type_.is_float else "vmv.v.x", target, register, state=state)


def _splat_mask(emitter: Emitter, value: Value, combo: Combo, lookup: Lookup) -> Register:
    (source,) = value.operands
    state = emitter.state(U8, emitter.width(value, combo))
    register = constant(emitter, source) if source.kind == "immediate" else lookup(source, combo)
    spread, target = emitter.vector(U8), emitter.vector(BOOL)
    emitter.emit("vmv.v.x", spread, register, state=state)
    emitter.emit("vmsne.vi", target, spread, 0, state=state)
    return target


def load(emitter: Emitter, value: Value, combo: Combo) -> Register:
    """Unit-stride, strided or reversed load of a strip."""
    access = value.access
    assert access is not None
    vl = emitter.width(value, combo)
    target, state = emitter.vector(value.type), emitter.state(value.type, vl)
    stride = access.stride(value.lane)
    register = addresses.at(emitter, access, combo)
    memory = addresses.reference(emitter, access, combo, "load", vl, stride)
    if stride == value.type.bytes or vl == 1:
        emitter.emit(f"vle{value.type.bits}.v", target, register, state=state, memory=memory)
    else:
        step = emitter.integer(stride)
        emitter.emit(f"vlse{value.type.bits}.v", target, register, step, state=state, memory=memory)
    return target


def store(emitter: Emitter, value: Value, combo: Combo, source: Register) -> None:
    access = value.access
    assert access is not None
    vl = emitter.width(value, combo)
    state = emitter.state(value.type, vl)
    stride = access.stride(value.lane)
    register = addresses.at(emitter, access, combo)
    memory = addresses.reference(emitter, access, combo, "store", vl, stride)
    if stride == value.type.bytes or vl == 1:
        emitter.emit(f"vse{value.type.bits}.v", source, register, state=state, memory=memory)
    else:
        step = emitter.integer(stride)
        emitter.emit(f"vsse{value.type.bits}.v", source, register, step, state=state, memory=memory)


def index(emitter: Emitter, value: Value, combo: Combo) -> Register:
    """Positions along the axis across the lanes."""
    axis = value.axis
    assert axis is not None
    state = emitter.state(value.type, emitter.width(value, combo))
    lanes, target = emitter.vector(value.type), emitter.vector(value.type)
    start = addresses.at(emitter, addresses.index_access(axis), combo)
    emitter.emit("vid.v", lanes, state=state)
    if start == ZERO:
        return lanes
    emitter.emit("vadd.vx", target, lanes, start, state=state)
    return target


def gather(emitter: Emitter, value: Value, combo: Combo, lookup: Lookup) -> Register:
    """Indexed load: byte offsets from the computed positions (and from the lanes)."""
    access, axis = value.access, value.axis
    assert access is not None
    assert axis is not None
    (position,) = value.operands
    vl = emitter.width(value, combo)
    offsets = _offsets(emitter, value, combo, lookup(position, combo), position.type, vl)
    lane_stride = addresses.without(access, axis).stride(value.lane)
    if lane_stride:
        state = emitter.state(I64, vl)
        lanes, moved = emitter.vector(I64), emitter.vector(I64)
        emitter.emit("vid.v", lanes, state=state)
        emitter.emit("vmul.vx", moved, lanes, emitter.integer(lane_stride), state=state)
        total = emitter.vector(I64)
        emitter.emit("vadd.vv", total, offsets, moved, state=state)
        offsets = total
    target = emitter.vector(value.type)
    base = addresses.at(emitter, addresses.without(access, axis), combo)
    memory = addresses.MemoryRef(access.buffer.name, "load")
    emitter.emit(
        "vluxei64.v", target, base, offsets, state=emitter.state(value.type, vl), memory=memory
    )
    return target


def _offsets(
    emitter: Emitter, value: Value, combo: Combo, positions: Register, type_: ElementType, vl: int
) -> Register:
    """Positions clipped into the axis, as 64-bit byte offsets."""
    access, axis = value.access, value.axis
    assert access is not None
    assert axis is not None
    del combo
    state = emitter.state(I64, vl)
    wide = positions
    if type_.bits < 64:
        wide = emitter.vector(I64)
        extend = f"v{'s' if type_.is_signed else 'z'}ext.vf{64 // type_.bits}"
        emitter.emit(extend, wide, positions, state=state)
    low, high, scaled = (emitter.vector(I64) for _ in range(3))
    emitter.emit("vmax.vx", low, wide, ZERO, state=state)
    emitter.emit("vmin.vx", high, low, emitter.integer(axis.size - 1), state=state)
    emitter.emit("vmul.vx", scaled, high, emitter.integer(access.stride(axis)), state=state)
    return scaled


def first_lane(emitter: Emitter, source: Register, type_: ElementType, vl: int) -> Register:
    """Lane 0 as a scalar, integers extended as the scalar engine keeps them."""
    state = emitter.state(type_, vl)
    if type_.is_float:
        target = emitter.new("f")
        emitter.emit("vfmv.f.s", target, source, state=state)
        return target
    target = emitter.new("x")
    emitter.emit("vmv.x.s", target, source, state=state)
    return target if type_.is_signed else normalize(emitter, target, type_)
