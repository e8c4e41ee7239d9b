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
    homes = allocation.homes
    for operation in operations(allocation.program.body):
        _check_constraints(operation, homes)
    contents: Contents = {}
    for argument in allocation.program.arguments:
        _write(contents, argument, homes)
    _walk(allocation.program.body, contents, homes)


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


def _walk(
    body: Sequence[Operation | Loop], contents: Contents, homes: Mapping[Register, int]
) -> None:
    """Execute ``body`` on ``contents`` (in place)."""
    for item in body:
        if isinstance(item, Operation):
            _execute(item, contents, homes)
            continue
        # What holds at the head of a loop holds on entry and after every iteration.
        while True:
            head = dict(contents)
            _walk(item.body, contents, homes)
            merged = {
                place: parts & contents.get(place, frozenset()) for place, parts in head.items()
            }
            if merged == head:
                break
            contents.clear()
            contents.update(merged)


def _execute(operation: Operation, contents: Contents, homes: Mapping[Register, int]) -> None:
    effect = effects(operation)
    for register in effect.reads:
        for part, place in _places(register, homes):
            if part not in contents.get(place, frozenset()):
                raise EmitError(f"{register} has lost its value before `{operation}`")
    if is_move(operation) and operation.operands[1] not in FIXED:
        target, source = operation.operands[:2]
        assert isinstance(target, Register)
        assert isinstance(source, Register)
        held = [contents[place] for _, place in _places(source, homes)]
        _write(contents, target, homes)
        for (part, place), parts in zip(_places(target, homes), held, strict=True):
            contents[place] = frozenset({part, *(kept for kept in parts if kept[0] != target)})
        return
    for register in effect.writes:
        _write(contents, register, homes)


def _write(contents: Contents, register: Register, homes: Mapping[Register, int]) -> None:
    """A new value for ``register``: copies of the old one are no longer its value."""
    for place, parts in contents.items():
        if any(part[0] == register for part in parts):
            contents[place] = frozenset(part for part in parts if part[0] != register)
    for part, place in _places(register, homes):
        contents[place] = frozenset({part})


def _places(register: Register, homes: Mapping[Register, int]) -> list[tuple[Part, Place]]:
    home = homes[register]
    return [((register, k), (register.bank, home + k)) for k in range(register.group)]
