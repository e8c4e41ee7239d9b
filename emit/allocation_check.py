"""An independent check of register allocations: does every read find its own value?

The program is walked with, for each hardware register, the set of virtual registers whose value
it holds. Nothing here knows about live ranges, units or colouring.
"""

from collections.abc import Mapping, Sequence

from oxegg.emit.effects import FIXED, effects
from oxegg.emit.program import Loop, Operation, Register, operations
from oxegg.emit.register_allocation import FILES, Allocation, is_move
from oxegg.errors import EmitError

Part = tuple[Register, int]
Place = tuple[str, int]
Contents = dict[Place, frozenset[Part]]


def check_allocation(allocation: Allocation) -> None:
    """Raise ``EmitError`` naming the first operation whose registers are wrong."""
    for operation in operations(allocation.program.body):
        _check_constraints(operation, allocation.homes)
    walk = _Walk(allocation.homes)
    for argument in allocation.program.arguments:
        walk.write(argument)
    walk.body(allocation.program.body)


def _check_constraints(operation: Operation, homes: Mapping[Register, int]) -> None:
    """Register files, alignment, v0, tuples, and overlaps of results with sources."""
    effect = effects(operation)
    for register in (*effect.reads, *effect.writes):
        home = homes[register]
        inside = home in FILES[register.bank] and home + register.group <= 32
        if not inside or home % register.group:
            raise EmitError(f"{register} may not be at {home} in `{operation}`")
    if effect.mask is not None and homes[effect.mask] != 0:
        raise EmitError(f"the mask isn't in v0 in `{operation}`")
    for overlap in effect.overlaps:
        if not overlap.allows(homes[overlap.result], homes[overlap.source]):
            raise EmitError(f"{overlap.result} overlaps {overlap.source} in `{operation}`")
    for fields in effect.tuples:
        wanted = [homes[fields[0]] + k * fields[0].group for k in range(len(fields))]
        if [homes[register] for register in fields] != wanted:
            raise EmitError(f"the fields aren't consecutive in `{operation}`")


class _Walk:
    """Execution of a program on what each hardware register holds."""

    def __init__(self, homes: Mapping[Register, int]) -> None:
        self.homes = homes
        self.contents: Contents = {}
        self.written: set[Register] = set()

    def body(self, body: Sequence[Operation | Loop]) -> None:
        for item in body:
            if isinstance(item, Operation):
                self.execute(item)
            else:
                self.loop(item)

    def loop(self, loop: Loop) -> None:
        """What holds at the head of a loop holds on entry and after every iteration."""
        while True:
            head = dict(self.contents)
            self.body(loop.body)
            merged = {
                place: parts & self.contents.get(place, frozenset())
                for place, parts in head.items()
            }
            if merged == head:
                return
            self.contents = merged

    def execute(self, operation: Operation) -> None:
        effect = effects(operation)
        for register in effect.reads:
            # The old tail of a result that was never written may be anything.
            if register in self.written and not self.holds(register):
                raise EmitError(f"{register} has lost its value before `{operation}`")
        if is_move(operation) and operation.operands[1] not in FIXED:
            target, source = operation.operands[:2]
            assert isinstance(target, Register)
            assert isinstance(source, Register)
            held = [self.contents[place] for _, place in self.places(source)]
            self.write(target)
            for (part, place), parts in zip(self.places(target), held, strict=True):
                others = (kept for kept in parts if kept[0] != target)
                self.contents[place] = frozenset({part, *others})
            return
        for register in effect.writes:
            self.write(register)

    def holds(self, register: Register) -> bool:
        """Whether every part of the register is where it should be."""
        return all(
            part in self.contents.get(place, frozenset()) for part, place in self.places(register)
        )

    def write(self, register: Register) -> None:
        """A new value for ``register``: copies of the old one are no longer its value."""
        self.written.add(register)
        for place, parts in self.contents.items():
            if any(part[0] == register for part in parts):
                self.contents[place] = frozenset(part for part in parts if part[0] != register)
        for part, place in self.places(register):
            self.contents[place] = frozenset({part})

    def places(self, register: Register) -> list[tuple[Part, Place]]:
        home = self.homes[register]
        return [((register, k), (register.bank, home + k)) for k in range(register.group)]
