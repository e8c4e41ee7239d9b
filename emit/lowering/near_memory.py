"""Near-memory stages: one pass of commands over banked arrays, eight accesses at a time.

The core writes the numbers that the units need into the scratchpad, enters near-memory mode once,
sends the commands of every group, and leaves the mode: until then it touches no bank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oxegg.costmodels import Machine
from oxegg.emit.banked import (
    GROUP,
    BankLayout,
    Frame,
    banks_of,
    near_memory_of,
    part_bytes,
    side_by_side,
)
from oxegg.emit.constants import fits_immediate
from oxegg.emit.lowering.bank_products import frame_of, lower_product, product_of
from oxegg.emit.lowering.emitter import Emitter
from oxegg.emit.lowering.staging import LINE, STAGING
from oxegg.emit.physical import Buffer, PhysicalProgram, Value, walk
from oxegg.emit.program import MemoryRef, Register
from oxegg.emit.stages import Stage
from oxegg.errors import EmitError
from oxegg.ir.types import I8, ElementType, value_to_bits
from oxegg.rules.near_memory import LANES, SUMS

SUM_BYTES = 4
SUMS_PLACE = "sums of the units"
FACTORS_PLACE = "factors of the arrays"
NOWHERE = ""
BYTE_SUMS = 4  # registers that hold the sums of one register of 8-bit products
_STORES = {1: "sb", 2: "sh", 4: "sw"}


@dataclass(frozen=True)
class Command:
    """One command of a group: ``place`` is the buffer whose part it walks, or a number's name.

    ``NOWHERE``: it touches registers only.

    ``register`` is the first of ``repeat`` registers; ``step``: which access of the group.
    """

    name: str
    register: int
    place: str
    repeat: int
    step: int = 0

    @property
    def in_banks(self) -> bool:
        return self.place != NOWHERE and not self.name.startswith("ox.nm.bc")


@dataclass(frozen=True)
class Pass:
    """What a stage does: ``before`` all groups, and the value that its ``store`` stores.

    ``numbers`` are the scalars that units need, by name; those in ``spread`` fill whole registers.
    ``woven`` are arrays that alternate access by access, with their factors (``None``: one): one
    command then adds an element of each, times its factor.
    """

    store: Value
    numbers: dict[str, Value | None]
    spread: frozenset[str]
    before: tuple[Command, ...]
    woven: tuple[tuple[Buffer, Value | None], ...] = ()

    @property
    def source(self) -> Value:
        return self.store.operands[0]

    @property
    def output(self) -> Buffer:
        assert self.store.access is not None
        return self.store.access.buffer

    @property
    def type(self) -> ElementType:
        return next(v.type for v in walk([self.source]) if v.kind == "bank")

    @property
    def buffers(self) -> list[Buffer]:
        """The banked arrays, the result's last."""
        read = [v.access.buffer for v in walk([self.source]) if v.kind == "bank" and v.access]
        written = [] if self.source.kind == "bank sum" else [self.output]
        return list({buffer.name: buffer for buffer in [*read, *written]}.values())

    @property
    def walked(self) -> list[Buffer]:
        """Arrays whose pointers commands take."""
        return [self.woven[0][0], self.output] if self.woven else self.buffers

    @property
    def sum_registers(self) -> int:
        """Registers that hold each unit's sums; 0 where the result is an array."""
        if self.source.kind != "bank sum":
            return 0
        return BYTE_SUMS if SUMS[self.source.form].factor is I8 else 1


def plan(store: Value) -> Pass:
    """What a near-memory store does; raises ``EmitError`` for numbers that must be computed."""
    (source,) = store.operands
    if source.kind == "bank sum":
        return _sum_pass(store)
    chain = _chain(source)
    woven = _woven(chain)
    if woven:
        bring = Command("ox.nm.bcs", 0, FACTORS_PLACE, len(woven))
        return Pass(store, {}, frozenset(), (bring,), woven)
    start, steps = chain[0], chain[1:]
    numbers: dict[str, Value | None] = {}
    spread: set[str] = set()
    before: list[Command] = []
    if start.kind == "bank operation" and start.operands[0].kind != "bank":
        name = _number(start.operands[0])
        numbers[name] = start.operands[0]
        spread.add(name)
        before.append(Command("ox.nm.bcv", 0, name, GROUP))
    factors = {_factor(step): step.operands[2] if _scaled(step) else None for step in steps}
    if len(factors) == 1:
        before.append(Command("ox.nm.bcs", 0, next(iter(factors)), 1))
    clash = set(factors) & spread
    if clash:  # one number, two places: whole registers of it serve for both
        factors = {name: value for name, value in factors.items() if name not in clash}
    return Pass(store, numbers | factors, frozenset(spread), tuple(before))


def _sum_pass(store: Value) -> Pass:
    """Products of two arrays, or of one array with ones."""
    first, *others = store.operands[0].operands
    if others:
        return Pass(store, {}, frozenset(), ())
    one = _bits(value_to_bits(1.0, first.type))
    ones = Command("ox.nm.bcv", 0, one, GROUP)
    return Pass(store, {one: None}, frozenset({one}), (ones,))


def _woven(chain: Sequence[Value]) -> tuple[tuple[Buffer, Value | None], ...]:
    """Arrays times factors whose sum a chain is, where its steps have different factors.

    Registers hold the factors of all arrays at once, and a command takes them one after the other.
    """
    start, *steps = chain
    if len({_factor(step) for step in steps}) < 2:
        return ()
    if start.kind == "bank start":
        terms: list[tuple[Value, Value | None]] = [(start.operands[0], None)]
    elif start.form == "ox.nm.mul" and start.operands[0].kind != "bank":
        terms = [(start.operands[1], start.operands[0])]
    else:
        return ()
    terms += [(step.operands[1], step.operands[2] if _scaled(step) else None) for step in steps]
    arrays = [(bank.access.buffer, factor) for bank, factor in terms if bank.access]
    distinct = len({buffer.name for buffer, _ in arrays}) == len(arrays)
    return tuple(arrays) if distinct and len(arrays) <= GROUP else ()


def group_commands(planned: Pass, count: int) -> list[Command]:
    """The commands of one group of ``count`` accesses to every array."""
    if planned.source.kind == "bank sum":
        *loaded, last = (_buffer(operand) for operand in planned.source.operands)
        loads = [Command("ox.nm.ld", 0, name, count) for name in loaded]
        return [*loads, Command("ox.nm.mac", 0, last, count)]
    stored = Command(planned.store.form, 0, planned.output.name, count)
    if planned.woven:
        first, each = planned.woven[0][0].name, len(planned.woven)
        sums = [Command("ox.nm.macs", i, first, each, i * each) for i in range(count)]
        return [Command("ox.nm.zero", 0, NOWHERE, count), *sums, stored]
    start, *steps = _chain(planned.source)
    commands: list[Command] = []
    if start.kind == "bank start":
        commands.append(Command("ox.nm.add", 0, _buffer(start.operands[0]), count))
    else:
        first, second = start.operands
        if first.kind == "bank":
            commands.append(Command("ox.nm.ld", 0, _buffer(first), count))
        commands.append(Command(start.form, 0, _buffer(second), count))
    several = len({_factor(step) for step in steps}) > 1
    for step in steps:
        if several:
            commands.append(Command("ox.nm.bcs", 0, _factor(step), 1))
        place = _buffer(step.operands[1])
        commands += [Command("ox.nm.macs", i, place, 1, i) for i in range(count)]
    return [*commands, stored]


def bank_layouts(program: PhysicalProgram, machine: Machine) -> Mapping[str, BankLayout]:
    """Where the banked arrays of a program lie, by name: those of one pass side by side.

    Raises ``EmitError`` when the banks are too small, or an array would have two layouts.
    """
    frames: list[dict[str, Buffer]] = []
    apart: list[Frame] = []  # matrices, and arrays that alternate access by access
    for store in program.stores:
        if is_product(store):
            frame_of_matrix = frame_of(product_of(store, machine))
            apart += [] if frame_of_matrix in apart else [frame_of_matrix]
        elif store.space == "h":
            planned = plan(store)
            if planned.woven:
                arrays = (*(buffer for buffer, _ in planned.woven), planned.output)
                apart.append(Frame(arrays, woven=len(planned.woven)))
                continue
            frame = {buffer.name: buffer for buffer in planned.buffers}
            for other in [f for f in frames if f.keys() & frame.keys()]:
                frames.remove(other)
                frame = other | frame
            frames.append(frame)
    streams = [Frame(tuple(frame.values())) for frame in frames]
    return side_by_side([*streams, *apart], machine) if streams or apart else {}


def is_product(store: Value) -> bool:
    """Whether a near-memory store multiplies a matrix by vectors."""
    return store.space == "h" and store.operands[0].kind == "bank product"


def group_counts(planned: Pass, machine: Machine) -> tuple[int, int]:
    """Whole groups, and the accesses of a last smaller one."""
    accesses = part_bytes(planned.buffers[0].bytes, machine) // near_memory_of(machine).width_bytes
    return divmod(accesses, GROUP)


def near_memory_bytes(stage: Stage, machine: Machine) -> int:
    """Bytes of scratchpad for a stage."""
    if is_product(stage.stores[0]):
        return product_of(stage.stores[0], machine).scratchpad_bytes
    planned = plan(stage.stores[0])
    sums = planned.sum_registers * banks_of(machine) * SUM_BYTES
    factors = len(planned.woven) * planned.type.bytes
    numbers = sum(_room(planned, name, machine) for name in planned.numbers)
    return numbers + _lines(factors) + _lines(sums)


def lower_near_memory(emitter: Emitter, stage: Stage, layouts: Mapping[str, BankLayout]) -> None:
    """The commands of a stage between the core's own work before and after them."""
    (store,) = stage.stores
    if is_product(store):
        lower_product(emitter, product_of(store, emitter.machine), layouts)
    else:
        _Lowering(emitter, plan(store), layouts).lower()


class _Lowering:
    def __init__(self, emitter: Emitter, planned: Pass, layouts: Mapping[str, BankLayout]) -> None:
        self.emitter, self.plan, self.layouts = emitter, planned, layouts
        self.machine = emitter.machine
        self.width = near_memory_of(self.machine).width_bytes
        self.places: dict[str, Register] = {}

    def lower(self) -> None:
        emitter = self.emitter
        self._write_numbers()
        channels = emitter.integer((1 << self.machine.near_memory_channels) - 1)
        kind = emitter.integer(LANES[self.plan.type])
        emitter.emit("ox.nm.on", emitter.new("x"), channels, kind)
        for buffer in self.plan.walked:
            pointer = self.places[buffer.name] = emitter.new("x")
            emitter.emit("addi", pointer, emitter.bases[buffer.name], 0)
        self._send(self.plan.before)
        groups, rest = group_counts(self.plan, self.machine)
        emitter.repeat("near_memory", groups, lambda: self._group(GROUP))
        if rest:
            self._group(rest)
        if self.plan.sum_registers:
            count = emitter.integer(self.plan.sum_registers)
            emitter.emit("ox.nm.rdsum", 0, self.places[SUMS_PLACE], count)
        emitter.emit("ox.nm.wait", emitter.new("x"))
        emitter.emit("ox.nm.off")
        if self.plan.sum_registers:
            self._add_sums()

    def _write_numbers(self) -> None:
        """Numbers into the scratchpad, as often as their readers want them."""
        size = self.plan.type.bytes
        offset = 0
        for name, value in self.plan.numbers.items():
            place = self.places[name] = self._at(offset)
            offset += _room(self.plan, name, self.machine)
            copies = GROUP * self.width // size if name in self.plan.spread else 1
            for copy in range(copies):
                self._store(value, size * copy, place)
        if self.plan.woven:
            place = self.places[FACTORS_PLACE] = self._at(offset)
            for number, (_, factor) in enumerate(self.plan.woven):
                self._store(factor, size * number, place)
        if self.plan.sum_registers:
            self.places[SUMS_PLACE] = self._at(offset)

    def _at(self, offset: int) -> Register:
        place = self.emitter.new("x")
        self.emitter.emit("addi", place, self.emitter.bases[STAGING], offset)
        return place

    def _store(self, value: Value | None, offset: int, place: Register) -> None:
        type_, memory = self.plan.type, MemoryRef(STAGING, "store")
        if value is not None and value.kind == "argument":
            letter = "f" if type_.is_float else ""
            name, source = letter + _STORES[type_.bytes], self.emitter.bases[value.name]
        else:
            if value is not None and value.kind != "immediate":
                raise EmitError("near-memory units take numbers that are parameters or constants")
            bits = value_to_bits(1.0, type_) if value is None else value.bits
            name, source = _STORES[type_.bytes], self.emitter.integer(bits)
        self.emitter.emit(name, source, offset, place, memory=memory)

    def _group(self, count: int) -> None:
        self._send(group_commands(self.plan, count))
        for buffer in self.plan.walked:
            pointer, stride = self.places[buffer.name], self.layouts[buffer.name].stride
            if fits_immediate(stride):
                self.emitter.emit("addi", pointer, pointer, stride)
            else:
                self.emitter.emit("add", pointer, pointer, self.emitter.integer(stride))

    def _send(self, commands: Sequence[Command]) -> None:
        emitter = self.emitter
        for command in commands:
            repeat = emitter.integer(command.repeat)
            if command.place == NOWHERE:
                emitter.emit(command.name, command.register, repeat)
                continue
            place = self.places[command.place]
            if command.step:
                base, place = place, emitter.new("x")
                emitter.emit("addi", place, base, command.step * self.width)
            emitter.emit(command.name, command.register, place, repeat)

    def _add_sums(self) -> None:
        """The units' sums, one after the other, into the result."""
        emitter, type_ = self.emitter, SUMS[self.plan.source.form].type
        load, add, store, bank = (
            ("flw", "fadd.s", "fsw", "f") if type_.is_float else ("lw", "addw", "sw", "x")
        )
        pointer, total, word = self.places[SUMS_PLACE], emitter.new(bank), emitter.new(bank)
        emitter.emit(load, total, 0, pointer)
        words = self.plan.sum_registers * banks_of(self.machine)

        def add_next() -> None:
            emitter.emit("addi", pointer, pointer, SUM_BYTES)
            emitter.emit(load, word, 0, pointer)
            emitter.emit(add, total, total, word)

        emitter.repeat("sums", words - 1, add_next)
        emitter.emit(store, total, 0, emitter.bases[self.plan.output.name])


def _chain(value: Value) -> list[Value]:
    """A chain of commands, its start first."""
    chain = [value]
    while chain[-1].operands[0].space == "h":
        chain.append(chain[-1].operands[0])
    return chain[::-1]


def _buffer(value: Value) -> str:
    assert value.access is not None
    return value.access.buffer.name


def _scaled(step: Value) -> bool:
    return step.kind == "bank multiply"


def _factor(step: Value) -> str:
    """The name of the number that an array is multiplied by."""
    return _number(step.operands[2]) if _scaled(step) else _bits(value_to_bits(1.0, step.type))


def _number(value: Value) -> str:
    if value.kind == "argument":
        return value.name
    if value.kind != "immediate":
        raise EmitError("near-memory units take numbers that are parameters or constants")
    return _bits(value.bits)


def _bits(bits: int) -> str:
    return f"bits {bits:x}"


def _room(planned: Pass, name: str, machine: Machine) -> int:
    whole = GROUP * near_memory_of(machine).width_bytes
    return _lines(whole if name in planned.spread else planned.type.bytes)


def _lines(size: int) -> int:
    return -(-size // LINE) * LINE
