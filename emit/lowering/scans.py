"""Values carried from step to step: running reductions (scans) and folds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from oxegg.emit.loop_tree import Level, LoopNode
from oxegg.emit.lowering import reductions, scalar, vector
from oxegg.emit.lowering.emitter import Combo, Emitter, restrict
from oxegg.emit.lowering.vector import Lookup
from oxegg.emit.physical import Value
from oxegg.emit.program import ZERO, Register
from oxegg.ir.affine import Axis
from oxegg.ir.types import BOOL, ElementType, value_to_bits

_STEP = {
    "add": ("vfadd", "vadd", "vadd"),
    "mul": ("vfmul", "vmul", "vmul"),
    "minnum": ("vfmin", "", ""),
    "maxnum": ("vfmax", "", ""),
    "min": ("", "vmin", "vminu"),
    "max": ("", "vmax", "vmaxu"),
    "and": ("", "vand", "vand"),
    "or": ("", "vor", "vor"),
    "xor": ("", "vxor", "vxor"),
}
Combos = Callable[[frozenset[Axis]], Iterator[Combo]]


def values_in(level: Level) -> Iterator[Value]:
    """Values computed at a level itself (not in its loops)."""
    for item in level.items:
        if isinstance(item, Value):
            yield item


def scanned_in(node: LoopNode) -> list[Value]:
    """Scans along the loop's own axis; they are computed directly in its body."""
    return [v for v in values_in(node.body) if v.kind == "scan" and v.axis == node.axis]


def is_sequential(node: LoopNode) -> bool:
    """Loops that carry state run one copy per iteration."""
    return bool(scanned_in(node)) or any(v.kind == "fold" for v in node.closing)


class Carried:
    """Registers that live from one iteration to the next."""

    def __init__(self, emitter: Emitter) -> None:
        self.emitter = emitter
        self.scans: dict[tuple[int, Combo], Register] = {}
        self.states: dict[tuple[str, Combo], Register] = {}
        self.advanced: set[str] = set()

    # running reductions

    def start_scan(self, value: Value, combos: Iterable[Combo]) -> None:
        for combo in combos:
            self.scans[id(value), restrict(value, combo)] = self._identity(value)

    def _identity(self, value: Value) -> Register:
        emitter, type_ = self.emitter, value.type
        number = reductions.identity(value.name, type_, exact=emitter.exact)
        start = Value("immediate", type_, frozenset(), bits=value_to_bits(number, type_))
        if value.lane is not None and value.lane != value.axis:
            register = emitter.vector(type_)
            width = min(emitter.lanes, value.lane.size)
            vector.fill(emitter, register, type_, start, width, (), _no_lookup)
            return register
        register = scalar.fresh(emitter, type_)
        scalar.move(emitter, register, vector.constant(emitter, start), type_)
        return register

    def scan(self, value: Value, combo: Combo, lookup: Lookup) -> Register:
        """The running value after this step (or strip of lanes)."""
        assert value.axis is not None
        name = value.axis.name
        carry = self.scans[id(value), tuple(c for c in restrict(value, combo) if c[0] != name)]
        (operand,) = value.operands
        source = reductions.scalar_operand(self.emitter, operand, combo, lookup)
        if value.lane == value.axis:
            return self._scan_lanes(value, combo, source, carry)
        if value.lane is None:
            result = scalar.apply(self.emitter, f"{value.name}.{value.type}", [carry, source])
            scalar.move(self.emitter, carry, result, value.type)
            return result
        state = self.emitter.state(value.type, self.emitter.width(value, combo))
        target = self.emitter.vector(value.type)
        self.emitter.emit(f"{_step(value)}.vv", target, carry, source, state=state)
        self.emitter.emit("vmv.v.v", carry, target, state=state)
        return target

    def _scan_lanes(
        self, value: Value, combo: Combo, source: Register, carry: Register
    ) -> Register:
        """Within the register by doubling slides (Hillis and Steele 1986), then the carry."""
        emitter, type_ = self.emitter, value.type
        vl = emitter.width(value, combo)
        state = emitter.state(type_, vl)
        number = reductions.identity(value.name, type_, exact=emitter.exact)
        neutral = Value("immediate", type_, frozenset(), bits=value_to_bits(number, type_))
        running, distance = source, 1
        while distance < vl:
            shifted, total = emitter.vector(type_), emitter.vector(type_)
            vector.fill(emitter, shifted, type_, neutral, vl, (), _no_lookup)
            if distance < 32:
                emitter.emit("vslideup.vi", shifted, running, distance, state=state)
            else:
                amount = emitter.integer(distance)
                emitter.emit("vslideup.vx", shifted, running, amount, state=state)
            emitter.emit(f"{_step(value)}.vv", total, shifted, running, state=state)
            running, distance = total, 2 * distance
        result = emitter.vector(type_)
        suffix = "vf" if type_.is_float else "vx"
        emitter.emit(f"{_step(value)}.{suffix}", result, running, carry, state=state)
        last = running
        if vl > 1:
            last = emitter.vector(type_)
            emitter.emit("vslidedown.vx", last, running, emitter.integer(vl - 1), state=state)
        total = vector.first_lane(emitter, last, type_, vl)
        advanced = scalar.apply(emitter, f"{value.name}.{type_}", [carry, total])
        scalar.move(emitter, carry, advanced, type_)
        return result

    # folds

    def start(self, value: Value, combos: Combos, lookup: Lookup) -> None:
        """Copy the start values of every state into registers of their own (once per fold)."""
        if any(key[0].startswith(value.name + "/") for key in self.states):
            return
        for number, start in enumerate(_starts(value)):
            for combo in combos(value.states[number].axes - {value.axis}):
                source = reductions.scalar_operand(self.emitter, start, combo, lookup)
                self.states[f"{value.name}/{number}", combo] = self._copied(
                    start, value, source, combo
                )

    def _copied(self, start: Value, value: Value, source: Register, combo: Combo) -> Register:
        register = self._fresh(start.type, value)
        self._move(register, source, start.type, value, combo)
        return register

    def _fresh(self, type_: ElementType, value: Value) -> Register:
        return self.emitter.vector(type_) if value.lane else scalar.fresh(self.emitter, type_)

    def _move(
        self, target: Register, source: Register, type_: ElementType, value: Value, combo: Combo
    ) -> None:
        if not value.lane:
            scalar.move(self.emitter, target, source, type_)
        elif type_ is BOOL:
            self.emitter.emit("vmv1r.v", target, source)
        else:
            state = self.emitter.state(type_, self.emitter.width(value, combo))
            self.emitter.emit("vmv.v.v", target, source, state=state)

    def state(self, value: Value, combo: Combo) -> Register:
        """The register of a held value: ``name`` is fold/number."""
        wanted = {a.name for a in value.axes if a != value.axis}
        return self.states[value.name, tuple(c for c in combo if c[0] in wanted)]

    def advance(self, value: Value, lookup: Lookup) -> None:
        """End of a step: all states take their new values together."""
        if value.name in self.advanced:
            return
        self.advanced.add(value.name)
        moves: list[tuple[Register, Register, ElementType, Combo]] = []
        for (name, combo), register in self.states.items():
            fold, _, number = name.rpartition("/")
            if fold == value.name:
                body = _bodies(value)[int(number)]
                moves.append((register, lookup(body, combo), body.type, combo))
        targets = {m[0] for m in moves}
        for target, source, type_, combo in self._untangled(moves, targets, value):
            self._move(target, source, type_, value, combo)

    def _untangled(
        self,
        moves: list[tuple[Register, Register, ElementType, Combo]],
        targets: set[Register],
        value: Value,
    ) -> list[tuple[Register, Register, ElementType, Combo]]:
        """Sources that are themselves states are saved first, so that order doesn't matter."""
        result: list[tuple[Register, Register, ElementType, Combo]] = []
        for target, source, type_, combo in moves:
            if source in targets and source != target:
                saved = self._fresh(type_, value)
                self._move(saved, source, type_, value, combo)
                source = saved
            if source != target:
                result.append((target, source, type_, combo))
        return result

    def finish(self, value: Value, combos: Combos) -> None:
        for combo in combos(value.axes):
            key = (f"{value.name}/{value.number}", combo)
            self.emitter.define(value, combo, self.states[key])

    def close(self, name: str) -> None:
        """Forget the states of a fold that has ended."""
        self.advanced.discard(name)
        for key in [k for k in self.states if k[0].startswith(f"{name}/")]:
            del self.states[key]


def _starts(value: Value) -> tuple[Value, ...]:
    return value.operands[: len(value.operands) // 2]


def _bodies(value: Value) -> tuple[Value, ...]:
    return value.operands[len(value.operands) // 2 :]


def _step(value: Value) -> str:
    return _STEP[value.name][{"float": 0, "int": 1, "uint": 2}[value.type.kind]]


def _no_lookup(value: Value, combo: Combo) -> Register:
    del value, combo
    return ZERO
