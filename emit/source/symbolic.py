"""Symbolic execution: do two texts of a loop compute the same, whatever the inputs?

Registers hold terms over the initial contents, memory is a map from symbolic bytes to the stores
that wrote them. Every instruction is an uninterpreted function of what it reads, but for additions
of constants, so that addresses can be told apart. Branches compare terms whose difference is known.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from oxegg.emit.effects import bind, effects
from oxegg.emit.modulo.addresses import touches_memory
from oxegg.emit.modulo.values import SCALAR_SIZES, address_of
from oxegg.emit.program import ZERO, Operation, Register
from oxegg.emit.source.flow import Place, places
from oxegg.errors import VerificationError
from oxegg.isa import TABLE

Term = tuple[object, ...]
"""("init", place), ("const", n), ("sum", term, n), ("part", term, k) or a function's name with
its arguments; equal terms are equal values."""

COMPARE: Mapping[str, Callable[[int, int], bool]] = {
    "beq": int.__eq__, "bne": int.__ne__, "blt": int.__lt__,
    "bge": int.__ge__, "bltu": int.__lt__, "bgeu": int.__ge__,
}  # fmt: skip
LONGEST_RUN = 100_000


@dataclass(frozen=True)
class Label:
    """A place that branches name."""

    name: str


Item = Operation | Label


@dataclass
class Symbols:
    """Numbers for terms: equal terms get the same one, so comparing is cheap."""

    numbers: dict[Term, int] = field(default_factory=dict[Term, int])
    terms: list[Term] = field(default_factory=list[Term])

    def number(self, term: Term) -> int:
        if term not in self.numbers:
            self.numbers[term] = len(self.terms)
            self.terms.append(term)
        return self.numbers[term]

    def sum(self, term: int, amount: int) -> int:
        """``term + amount``, flattened."""
        head = self.terms[term]
        if head[0] == "const":
            return self.number(("const", _as_int(head[1]) + amount))
        if head[0] == "sum":
            amount += _as_int(head[2])
            term = _as_int(head[1])
        return self.number(("sum", term, amount)) if amount else term

    def split(self, term: int) -> tuple[int | None, int]:
        """A term as base plus constant; no base for a plain constant."""
        head = self.terms[term]
        if head[0] == "const":
            return None, _as_int(head[1])
        if head[0] == "sum":
            return _as_int(head[1]), _as_int(head[2])
        return term, 0


def _as_int(value: object) -> int:
    assert isinstance(value, int)
    return value


@dataclass
class SymbolicState:
    """Registers and memory of one run."""

    symbols: Symbols
    vlen: int
    registers: dict[Place, int] = field(default_factory=dict[Place, int])
    memory: dict[tuple[int | None, int], tuple[int, int]] = field(
        default_factory=dict[tuple[int | None, int], tuple[int, int]]
    )
    state: int = 0
    unknown: int = 0

    def read(self, register: Register) -> int:
        """The term in a register group."""
        if register == ZERO:
            return self.symbols.number(("const", 0))
        parts = [self.place(place) for place in sorted(places(register))]
        if len(parts) == 1:
            return parts[0]
        return self.symbols.number(("group", *parts))

    def place(self, place: Place) -> int:
        if place not in self.registers:
            self.registers[place] = self.symbols.number(("init", *place))
        return self.registers[place]

    def write(self, register: Register, term: int) -> None:
        if register == ZERO:
            return
        where = sorted(places(register))
        for k, place in enumerate(where):
            part = term if len(where) == 1 else self.symbols.number(("part", term, k))
            self.registers[place] = part


def execute(
    items: Sequence[Item], state: SymbolicState, size: Callable[[Operation], int | None]
) -> None:
    """Run from the first item until control leaves behind the last one.

    ``size`` gives the bytes of a vector access where they are known. Raises ``VerificationError``
    for a branch on a value that isn't known.
    """
    labels = {item.name: i for i, item in enumerate(items) if isinstance(item, Label)}
    position = steps = 0
    while position < len(items):
        steps += 1
        if steps > LONGEST_RUN:
            raise VerificationError("the new loop doesn't end when the old one does")
        item = items[position]
        position += 1
        if isinstance(item, Label):
            continue
        record = TABLE[item.name]
        if record.is_branch:
            if item.name == "jal" or _taken(item, state):
                position = labels[str(item.operands[-1])]
        else:
            _step(item, state, size)


def _taken(operation: Operation, state: SymbolicState) -> bool:
    first, second = (o for o in operation.operands if isinstance(o, Register))
    a, b = (state.symbols.split(state.read(r)) for r in (first, second))
    if a[0] != b[0]:
        raise VerificationError(f"the branch {operation} depends on more than the loop's counter")
    return COMPARE[operation.name](a[1], b[1])


def _step(
    operation: Operation, state: SymbolicState, size: Callable[[Operation], int | None]
) -> None:
    symbols = state.symbols
    if operation.name == "addi":
        target, source, amount = operation.operands
        assert isinstance(target, Register)
        assert isinstance(source, Register)
        state.write(target, symbols.sum(state.read(source), _as_int(amount)))
        return
    if operation.name in ("add", "sub") and (total := _known_sum(operation, state)) is not None:
        target = operation.operands[0]
        assert isinstance(target, Register)
        state.write(target, total)
        return
    effect = effects(operation)
    constants = tuple(o for o in operation.operands if not isinstance(o, Register))
    reads = tuple(
        state.read(value)
        for bound in bind(operation)
        for value in bound.values
        if isinstance(value, Register) and bound.operand.reads
    )
    old = tuple(state.read(r) for r in effect.updates)
    timing = TABLE[operation.name].timing
    head: Term = (operation.name, constants, reads, old, state.state if operation.state else 0)
    if timing == "vset":
        state.state = symbols.number(("state", head))
        head = ("length", head)
    if touches_memory(operation):
        head = _access(operation, state, head, size)
    if not effect.writes:
        return
    value = symbols.number(head)
    for k, register in enumerate(effect.writes):
        state.write(
            register, value if len(effect.writes) == 1 else symbols.number(("of", value, k))
        )


def _known_sum(operation: Operation, state: SymbolicState) -> int | None:
    """The term of ``add`` or ``sub`` when one side is a constant."""
    _, first, second = operation.operands
    assert isinstance(first, Register)
    assert isinstance(second, Register)
    a, b = state.read(first), state.read(second)
    base, amount = state.symbols.split(b)
    if base is None:
        return state.symbols.sum(a, amount if operation.name == "add" else -amount)
    base, amount = state.symbols.split(a)
    return state.symbols.sum(b, amount) if base is None and operation.name == "add" else None


def _access(
    operation: Operation,
    state: SymbolicState,
    head: Term,
    size: Callable[[Operation], int | None],
) -> Term:
    """Memory read or written; the term of what a load gives."""
    base, displacement = address_of(operation)
    loads = TABLE[operation.name].memory == "load"
    bytes_ = SCALAR_SIZES.get(operation.name) or size(operation)
    symbols = state.symbols
    where = symbols.split(state.read(base)) if base is not None else (None, 0)
    known = bytes_ is not None and where[0] is not None and symbols.terms[where[0]][0] == "init"
    if not known:
        contents = symbols.number(
            ("all", state.unknown, tuple(sorted(state.memory.items(), key=str)))
        )
        if not loads:
            state.unknown = symbols.number(("store", contents, head))
            state.memory.clear()
        return ("load", head, contents)
    assert bytes_ is not None
    cells = [(where[0], where[1] + displacement + k) for k in range(bytes_)]
    if loads:
        seen = tuple(state.memory.get(cell, (-1, state.unknown)) for cell in cells)
        return ("load", operation.name, cells[0], seen, head[2:] if operation.state else ())
    # The address is known, so only what is written where counts, not how the address was formed.
    data = tuple(
        state.read(value)
        for bound in bind(operation)
        for value in bound.values
        if isinstance(value, Register) and bound.operand.name != "rs1"
    )
    stored = symbols.number(("stored", operation.name, data, head[3:]))
    for k, cell in enumerate(cells):
        state.memory[cell] = (stored, k)
    return head
