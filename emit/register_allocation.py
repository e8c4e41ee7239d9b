"""Register allocation over the loop tree: units, colouring, and spilling until it fits."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from oxegg.emit.colouring import Failure, Overlap, Problem, Unit, colour
from oxegg.emit.effects import Effects
from oxegg.emit.exact_colouring import colour_exactly
from oxegg.emit.liveness import Liveness, liveness
from oxegg.emit.masks import legalize_masks
from oxegg.emit.program import (
    STACK_POINTER,
    ZERO,
    Bank,
    Operation,
    Program,
    Register,
    fresh_numbers,
    operations,
)
from oxegg.emit.segments import segments
from oxegg.emit.spill import Stack, spill
from oxegg.emit.vector_state import insert_vector_states
from oxegg.errors import EmitError

BANKS: tuple[Bank, ...] = ("v", "f", "x")

# Hardware registers in order of preference: those that need no saving first. ra, gp and tp stay
# as they are: nothing may clobber them in a leaf function that didn't save them.
FILES: Mapping[Bank, tuple[int, ...]] = {
    "x": (*range(5, 8), *range(28, 32), *range(17, 9, -1), 8, 9, *range(18, 28)),
    "f": (*range(8), *range(28, 32), *range(17, 9, -1), 8, 9, *range(18, 28)),
    # v0 last: where masks exist they want it.
    "v": (*range(1, 32), 0),
}
ARGUMENT_REGISTERS = range(10, 18)
MASK_REGISTER = 0

MOVES = ("vmv1r.v", "vmv2r.v", "vmv4r.v", "vmv8r.v", "vmv.v.v", "fsgnj.s", "fsgnj.d", "fsgnj.h")
MAXIMUM_ROUNDS = 400


@dataclass(frozen=True)
class Allocation:
    """``homes[register]`` is the hardware register (the lowest of a group).

    ``program`` is complete: masks, vector states and spill code are in it.
    ``stack_arguments`` are the arguments that arrive in memory, in order.
    """

    program: Program
    homes: Mapping[Register, int]
    stack_bytes: int
    stack_arguments: tuple[Register, ...]
    spills: int
    reloads: int
    rematerialized: int


@dataclass(frozen=True)
class Arrival:
    """How the arguments of a call arrive (LP64D): in registers or, in order, on the stack."""

    registers: Mapping[Register, int]
    stack: tuple[Register, ...]


def arrival(arguments: Sequence[Register]) -> Arrival:
    """Hardware registers of arguments; the 9th and later integer ones are in memory."""
    registers: dict[Register, int] = {}
    for bank in ("x", "f"):
        mine = [argument for argument in arguments if argument.bank == bank]
        registers.update(zip(mine, ARGUMENT_REGISTERS, strict=False))
    stack = tuple(argument for argument in arguments if argument not in registers)
    if any(argument.bank != "x" for argument in stack):
        raise EmitError(
            "more than 8 floating-point scalar parameters",
            hint="pass the scalars in an array",
        )
    return Arrival(registers, stack)


def allocate(program: Program, vlen: int, *, spread: bool = True) -> Allocation:
    """Give every register of ``program`` a home, spilling the cheapest live ranges if needed.

    ``spread`` avoids reusing a vector register soon after its last use. Raises ``EmitError`` when
    one instruction alone needs more than there is.
    """
    numbers = fresh_numbers(program)
    stack = Stack(vlen)
    fixed: set[Register] = set()
    hoist = True
    spills = reloads = rematerialized = 0
    for _ in range(MAXIMUM_ROUNDS):
        legal, masks = legalize_masks(program, numbers)
        complete = insert_vector_states(legal, vlen, numbers, hoist=hoist)
        live = liveness(complete)
        places = arrival(complete.arguments)
        pinned = {**places.registers, **dict.fromkeys(masks, MASK_REGISTER)}
        spillable = {r for r in _registers(program) if r not in fixed}
        # Once there is spill code, finding the last few places isn't worth a search.
        result = _colour_banks(live, pinned, spillable, spread, thorough=not spills + reloads)
        if not isinstance(result, _Victims):
            homes = {**result, ZERO: 0, STACK_POINTER: 2}
            return Allocation(
                complete, homes, stack.size, places.stack, spills, reloads, rematerialized
            )
        if result.bank == "x" and hoist:
            hoist = False
            continue
        if not result.registers:
            raise EmitError(
                f"the {result.bank} registers don't suffice in {program.name}",
                hint="use a smaller LMUL or a smaller block",
            )
        outcome = spill(program, result.registers, stack, numbers)
        program = outcome.program
        fixed |= outcome.temporaries
        spills += outcome.stores
        reloads += outcome.reloads
        rematerialized += outcome.rematerialized
    raise EmitError(f"register allocation of {program.name} doesn't end")


def _registers(program: Program) -> set[Register]:
    found = set(program.arguments)
    for operation in operations(program.body):
        found.update(value for value in operation.operands if isinstance(value, Register))
    return found - {ZERO, STACK_POINTER}


@dataclass(frozen=True)
class _Victims:
    """What to spill next in a bank; empty when nothing can be."""

    bank: Bank
    registers: tuple[Register, ...]


def _colour_banks(
    live: Liveness,
    pinned: Mapping[Register, int],
    spillable: set[Register],
    spread: bool,
    *,
    thorough: bool,
) -> dict[Register, int] | _Victims:
    """Homes of all registers, or the victims of the first bank that is too small."""
    homes: dict[Register, int] = {}
    for bank in BANKS:
        victims = _over_pressure(live, bank, len(FILES[bank]), spillable)
        if victims is not None:
            return victims
        problem = _problem(live, bank, pinned, coalesce=True)
        result = colour(problem, spread=spread and bank == "v", thorough=thorough)
        if isinstance(result, Failure):
            problem = _problem(live, bank, pinned, coalesce=False)
            result = colour(problem, spread=False, thorough=thorough)
        if isinstance(result, Failure):
            exact = colour_exactly(problem) if thorough else None
            if exact is None:
                left = [problem.units[u] for u in result.units]
                return _fragmented(live, left, spillable, bank)
            result = exact
        for unit, base in zip(problem.units, result, strict=True):
            homes.update((register, base + offset) for register, offset in unit.members)
    return homes


def _problem(
    live: Liveness, bank: Bank, pinned: Mapping[Register, int], *, coalesce: bool
) -> Problem:
    ranges = {register: live.ranges[register] for register in live.ranges if register.bank == bank}
    overlaps = tuple(
        overlap
        for effect in live.effects
        for overlap in effect.overlaps
        if overlap.result.bank == bank
    )
    units = _Units(ranges, pinned, overlaps)
    for effect in live.effects:
        units.join_tuples(effect)
    if coalesce:
        order = sorted(range(len(live.operations)), key=lambda i: -live.executions[i])
        for index in order:
            units.join_move(live.operations[index], live.effects[index])
    return Problem(units.result(), overlaps, FILES[bank])


class _Units:
    """Live ranges being joined to units; each register starts as a unit of its own."""

    def __init__(
        self,
        ranges: Mapping[Register, int],
        pinned: Mapping[Register, int],
        overlaps: Iterable[Overlap],
    ) -> None:
        self.units: dict[Register, Unit] = {
            register: Unit(
                ((register, 0),), (taken,) * register.group, register.group, pinned.get(register)
            )
            for register, taken in ranges.items()
        }
        self.apart = {frozenset((o.result, o.source)) for o in overlaps}

    def join_tuples(self, effect: Effects) -> None:
        """Put the fields of a segment access side by side."""
        for fields in effect.tuples:
            if fields[0] not in self.units:
                continue
            for k, register in enumerate(fields[1:], 1):
                if not self._join(fields[0], register, k * fields[0].group):
                    raise EmitError(
                        "a register takes part in two segment accesses that disagree",
                        hint="copy it to a register of its own for one of them",
                    )

    def join_move(self, operation: Operation, effect: Effects) -> None:
        """Give source and result of a move one home when their lives allow it."""
        if not is_move(operation) or effect.mask is not None:
            return
        target, source = operation.operands[0], operation.operands[1]
        assert isinstance(target, Register)
        if source in self.units and target in self.units:
            assert isinstance(source, Register)
            self._join(source, target, 0)

    def _join(self, first: Register, second: Register, distance: int) -> bool:
        """Fix ``second`` to lie ``distance`` above ``first``; False when that can't be."""
        a, b = self.units[first], self.units[second]
        shift = dict(a.members)[first] + distance - dict(b.members)[second]
        if a is b:
            return shift == 0
        places = {a.fixed, b.fixed} - {None}
        # A unit that has its place can only be joined by one that wants the very same.
        if len(places) > 1 or (places and shift):
            return False
        members = [*a.members, *((register, offset + shift) for register, offset in b.members)]
        lowest = min(offset for _, offset in members)
        alignment = max(a.alignment, b.alignment)
        if any((offset - lowest) % register.group for register, offset in members):
            return False
        rows = [0] * max(offset - lowest + register.group for register, offset in members)
        for unit, base in ((a, -lowest), (b, shift - lowest)):
            for k, row in enumerate(unit.rows):
                if rows[base + k] & row:
                    return False
                rows[base + k] |= row
        if len(rows) > 8 or any(
            frozenset((m, n)) in self.apart for m, _ in a.members for n, _ in b.members
        ):
            return False
        fixed = a.fixed if a.fixed is not None else b.fixed
        placed = tuple((register, offset - lowest) for register, offset in members)
        joined = Unit(placed, tuple(rows), alignment, fixed)
        self.units.update((register, joined) for register, _ in joined.members)
        return True

    def result(self) -> tuple[Unit, ...]:
        return tuple({id(unit): unit for unit in self.units.values()}.values())


def is_move(operation: Operation) -> bool:
    """Whether the operation copies its second operand to its first, as a whole."""
    operands = operation.operands
    if operation.name in ("fsgnj.s", "fsgnj.d", "fsgnj.h"):
        return operands[1] == operands[2]
    return operation.name in MOVES or (operation.name == "addi" and operands[2] == 0)


def is_idle_move(operation: Operation, homes: Mapping[Register, int]) -> bool:
    """Whether the operation moves a register onto itself."""
    if not is_move(operation):
        return False
    target, source = operation.operands[0], operation.operands[1]
    assert isinstance(target, Register)
    assert isinstance(source, Register)
    return target.bank == source.bank and homes[target] == homes[source]


def _cost(live: Liveness, bank: Bank, cheap: Iterable[Register] = ()) -> dict[Register, float]:
    """Executed loads and stores that spilling each register would bring."""
    cost: dict[Register, float] = {}
    for effect, times in zip(live.effects, live.executions, strict=True):
        for register in (*effect.reads, *effect.writes):
            if register.bank == bank:
                cost[register] = cost.get(register, 0.0) + times
    return {r: c / 2 if r in set(cheap) else c for r, c in cost.items()}


def _pressure(live: Liveness, bank: Bank) -> list[int]:
    """Registers taken at each point."""
    change = [0] * (2 * len(live.operations) + 3)
    for register, taken in live.ranges.items():
        if register.bank != bank:
            continue
        for begin, end in segments(taken):
            change[begin] += register.group
            change[end] -= register.group
    pressure: list[int] = []
    total = 0
    for delta in change:
        total += delta
        pressure.append(total)
    return pressure


def _over_pressure(
    live: Liveness, bank: Bank, capacity: int, spillable: set[Register]
) -> _Victims | None:
    """The cheapest ranges whose absence brings every point within ``capacity``."""
    pressure = _pressure(live, bank)
    if max(pressure) <= capacity:
        return None
    cost = _cost(live, bank)
    victims: list[Register] = []
    candidates = {r: t for r, t in live.ranges.items() if r.bank == bank and r in spillable}
    while candidates and max(pressure) > capacity:
        crowded = sum(1 << point for point, taken in enumerate(pressure) if taken > capacity)

        def gain(register: Register, crowded: int = crowded) -> float:
            relief = (candidates[register] & crowded).bit_count() * register.group
            return relief / (cost.get(register, 0) + 1)

        victim = max(candidates, key=lambda r: (gain(r), r))
        taken = candidates.pop(victim)
        if not taken & crowded:
            break
        victims.append(victim)
        for begin, end in segments(taken):
            for point in range(begin, end):
                pressure[point] -= victim.group
    return _Victims(bank, tuple(victims))


def _fragmented(
    live: Liveness, units: Sequence[Unit], spillable: set[Register], bank: Bank
) -> _Victims:
    """For each unit without a place the cheapest range among it and all that are in its way.

    Units that live at different times need different victims, so they are served together.
    """
    cost = _cost(live, bank)
    victims: list[Register] = []
    served = 0
    for unit in units:
        if unit.taken & served:
            continue
        members = {register for register, _ in unit.members}
        rivals = [
            register
            for register, taken in live.ranges.items()
            if register.bank == bank
            and register in spillable
            and (register in members or taken & unit.taken)
        ]
        if rivals:
            victims.append(min(rivals, key=lambda r: (_expense(live, r, cost), r)))
            served |= live.ranges[victims[-1]] | unit.taken
    return _Victims(bank, tuple(dict.fromkeys(victims)))


def _expense(live: Liveness, register: Register, cost: Mapping[Register, float]) -> float:
    """Cost of spilling per register and point that becomes free."""
    return (cost.get(register, 0) + 1) / (live.ranges[register].bit_count() * register.group)
