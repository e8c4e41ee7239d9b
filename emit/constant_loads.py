"""Copies of constant vectors become loads where the loads' port has time to spare.

A multiply-add overwrites an operand; where that is a constant which the loop needs again, such as a
coefficient of a polynomial, lowering copies it. The copy takes as long as any arithmetic of the
loop, on the same unit. The same vector lies in memory just as well: rematerialization, Briggs,
Cooper and Torczon, PLDI 1992, from the constants behind the code.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from oxegg.costmodels import Machine, unit_copies
from oxegg.emit.effects import LA, effects
from oxegg.emit.hoisting import registers_left
from oxegg.emit.liveness import liveness
from oxegg.emit.pipeline import step
from oxegg.emit.program import (
    ZERO,
    Bank,
    Loop,
    MemoryRef,
    Operation,
    Program,
    Register,
    VectorState,
    fresh_numbers,
    operations,
)
from oxegg.emit.register_allocation import is_move

_SPLATS = ("vmv.v.i", "vmv.v.x", "vfmv.v.f")
_TO_FLOAT = ("fmv.h.x", "fmv.w.x", "fmv.d.x")


@dataclass(frozen=True)
class _Splat:
    """A vector of equal elements, ``bits`` each."""

    bits: int
    state: VectorState

    @property
    def name(self) -> str:
        return f".Lsplat_{self.bits:x}_{self.state.sew}_{self.state.vl}"

    @property
    def data(self) -> bytes:
        width = self.state.sew // 8
        return (self.bits % (1 << self.state.sew)).to_bytes(width, "little") * self.state.vl


def with_constant_loads(program: Program, machine: Machine, files: Mapping[Bank, int]) -> Program:
    """The same program with loads for copies, in loops whose copies the busiest unit does.

    ``files``: registers per bank; the addresses take what the loop leaves of the scalar ones.
    """
    splats = _splats(program)
    if not splats:
        return program
    rewriter = _Rewriter(program, machine, files, splats)
    body = rewriter.body(program.body)
    constants = {**program.constants, **rewriter.constants}
    return _without_idle_splats(replace(program, body=body, constants=constants), splats)


def _splats(program: Program) -> dict[Register, _Splat]:
    """Vectors that are written once, with a constant in every lane."""
    writes = Counter(r for op in operations(program.body) for r in effects(op).writes)
    found: dict[Register, _Splat] = {}
    for operation, value in _values(program.body, {ZERO: 0}):
        target = operation.operands[0]
        assert isinstance(target, Register)
        splats = operation.name in _SPLATS and writes[target] == 1
        if splats and operation.state is not None:
            found[target] = _Splat(value, operation.state)
    return found


def _values(
    body: Sequence[Operation | Loop], numbers: dict[Register, int]
) -> Iterator[tuple[Operation, int]]:
    """Operations whose result is a known number; ``numbers`` are those in registers before."""
    for item in body:
        if isinstance(item, Loop):
            # A later round finds what the round before left.
            for register in {r for op in operations(item.body) for r in effects(op).writes}:
                numbers.pop(register, None)
            yield from _values(item.body, numbers)
            continue
        value = _value(item, numbers)
        if value is not None:
            yield item, value
        for register in effects(item).writes:
            numbers.pop(register, None)
        target = item.operands[0] if item.operands else None
        if isinstance(target, Register) and value is not None and item.name not in _SPLATS:
            numbers[target] = value


def _value(operation: Operation, numbers: Mapping[Register, int]) -> int | None:
    """What an instruction of a constant's sequence computes (``materialize_constant``)."""
    known = [numbers.get(o) if isinstance(o, Register) else o for o in operation.operands[1:]]
    match operation.name, known:
        case "lui", [int(upper)]:
            return _signed(upper << 12, 32)
        case "addi", [int(source), int(number)]:
            return _signed(source + number, 64)
        case "addiw", [int(source), int(number)]:
            return _signed(source + number, 32)
        case "slli", [int(source), int(amount)]:
            return _signed(source << amount, 64)
        case name, [int(source), *_] if name in _TO_FLOAT or name in _SPLATS:
            return source
        case _:
            return None


def _signed(value: int, bits: int) -> int:
    half = 1 << (bits - 1)
    return (value + half) % (2 * half) - half


class _Rewriter:
    def __init__(
        self,
        program: Program,
        machine: Machine,
        files: Mapping[Bank, int],
        splats: Mapping[Register, _Splat],
    ) -> None:
        self.machine = machine
        self.files = files
        self.splats = splats
        self.live = liveness(program)
        self.numbers = fresh_numbers(program)
        self.constants: dict[str, bytes] = {}
        self.position = 0

    def body(self, body: Sequence[Operation | Loop]) -> list[Operation | Loop]:
        result: list[Operation | Loop] = []
        for item in body:
            if not isinstance(item, Loop):
                self.position += 1
                result.append(item)
            elif any(isinstance(inner, Loop) for inner in item.body):
                result.append(replace(item, body=self.body(item.body)))
            else:
                result += self.loop(item, list(operations(item.body)))
        return result

    def loop(self, loop: Loop, inside: list[Operation]) -> Iterator[Operation | Loop]:
        """An innermost loop behind the addresses of its constants."""
        first, self.position = self.position, self.position + len(inside)
        room = registers_left(self.live, first, self.position, self.files)["x"]
        addresses: dict[_Splat, Register] = {}
        chosen: dict[int, Operation] = {}
        for place, splat in self.worthwhile(inside):
            if splat not in addresses:
                if len(addresses) == room:
                    continue
                addresses[splat] = Register("x", next(self.numbers))
                self.constants[splat.name] = splat.data
                yield Operation(LA, (addresses[splat], splat.name))
            chosen[place] = _load(inside[place], splat, addresses[splat])
        yield replace(loop, body=[chosen.get(place, op) for place, op in enumerate(inside)])

    def copied(self, operation: Operation) -> _Splat | None:
        """The constant vector that the operation copies to another register."""
        if not is_move(operation) or not operation.name.startswith("vmv"):
            return None
        source = operation.operands[1]
        return self.splats.get(source) if isinstance(source, Register) else None

    def worthwhile(self, inside: Sequence[Operation]) -> Iterator[tuple[int, _Splat]]:
        """Copies whose loads take their unit no longer than what is left takes the copies'."""
        busy: dict[str, float] = {}
        steps = [step(operation, self.machine) for operation in inside]
        for timing in steps:
            share = timing.occupancy / unit_copies(self.machine, timing.unit)
            busy[timing.unit] = busy.get(timing.unit, 0.0) + share
        for place, operation in enumerate(inside):
            splat = self.copied(operation)
            if splat is None:
                continue
            unit = steps[place].unit
            load = step(_load(operation, splat, ZERO), self.machine)
            spent = steps[place].occupancy / unit_copies(self.machine, unit)
            taken = load.occupancy / unit_copies(self.machine, load.unit)
            if busy[unit] == max(busy.values()) and (
                busy.get(load.unit, 0.0) + taken <= busy[unit] - spent
            ):
                busy[unit] -= spent
                busy[load.unit] = busy.get(load.unit, 0.0) + taken
                yield place, splat


def _load(move: Operation, splat: _Splat, address: Register) -> Operation:
    memory = MemoryRef(splat.name, "load")
    target = move.operands[0]
    name = f"vle{splat.state.sew}.v"
    return Operation(name, (target, address), splat.state, memory, note="a constant")


def _without_idle_splats(program: Program, splats: Mapping[Register, _Splat]) -> Program:
    """Without the registers that only copies read."""
    read = {register for op in operations(program.body) for register in effects(op).reads}
    idle = {register for register in splats if register not in read}

    def kept(body: Sequence[Operation | Loop]) -> list[Operation | Loop]:
        return [
            replace(item, body=kept(item.body)) if isinstance(item, Loop) else item
            for item in body
            if isinstance(item, Loop) or item.operands[:1] == () or item.operands[0] not in idle
        ]

    return replace(program, body=kept(program.body))
