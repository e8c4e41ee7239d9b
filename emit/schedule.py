"""List scheduling of straight-line blocks for an in-order machine, within the register files."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from oxegg.costmodels import Machine
from oxegg.emit.dependences import dependences
from oxegg.emit.liveness import Liveness, liveness, read_point, write_point
from oxegg.emit.pipeline import Pipeline, Step, block_cycles, step
from oxegg.emit.program import Bank, Loop, Operation, Program, Register

Body = Sequence[Operation | Loop]

STATE_CHANGE_PENALTY = 2
MASK_CHANGE_PENALTY = 2
LOADS = "VL"
TEMPORARIES = 2  # registers for a block's own work when others fill the file

Priority = Callable[["Block", int, int], tuple[int, ...]]
"""Of a block, the cycle in which an operation could start and its index: smaller goes first."""


@dataclass(frozen=True)
class Block:
    """A straight-line run of operations; ``heights`` are cycles to the end of the block."""

    operations: tuple[Operation, ...]
    steps: tuple[Step, ...]
    successors: tuple[tuple[int, ...], ...]
    heights: tuple[int, ...]
    live_in: frozenset[Register]
    live_out: frozenset[Register]
    repeated: bool


def _earliest_start(block: Block, start: int, index: int) -> tuple[int, ...]:
    return start, -block.heights[index], index


def _critical_path(block: Block, start: int, index: int) -> tuple[int, ...]:
    # Waiting a few cycles for the critical operation may pay; 4 is about one vector latency.
    return start // 4, -block.heights[index], start, index


def _text_order(block: Block, start: int, index: int) -> tuple[int, ...]:
    return start, index


PRIORITIES: Mapping[str, Priority] = {
    "earliest start": _earliest_start,
    "critical path": _critical_path,
    "text order": _text_order,
}


def schedule(program: Program, machine: Machine, *, limits: Mapping[Bank, int]) -> Program:
    """``program`` with every block in the order that the machine model likes best.

    Of several list schedules (one per priority, and the given order) the fastest is kept,
    among those whose register pressure stays within ``limits`` wherever it can.
    """
    live = liveness(program)
    return replace(program, body=_Scheduler(machine, limits, live).body(program.body, False))


class _Scheduler:
    def __init__(self, machine: Machine, limits: Mapping[Bank, int], live: Liveness) -> None:
        self.machine = machine
        self.limits = limits
        self.live = live
        self.position = 0

    def body(self, body: Body, repeated: bool) -> list[Operation | Loop]:
        innermost = repeated and not any(isinstance(item, Loop) for item in body)
        result: list[Operation | Loop] = []
        run: list[Operation] = []
        for item in body:
            if isinstance(item, Loop):
                result.extend(self._flush(run, False))
                result.append(replace(item, body=self.body(item.body, True)))
            else:
                run.append(item)
        result.extend(self._flush(run, innermost))
        return result

    def _flush(self, run: list[Operation], repeated: bool) -> tuple[Operation, ...]:
        if not run:
            return ()
        first = self.position
        self.position += len(run)
        block = self._block(tuple(run), first, repeated)
        run.clear()
        return best_order(block, self.machine, self.limits)

    def _block(self, operations: tuple[Operation, ...], first: int, repeated: bool) -> Block:
        steps = tuple(step(operation, self.machine) for operation in operations)
        successors = dependences(operations)
        before = 1 << read_point(first)
        after = 1 << write_point(first + len(operations) - 1)
        ranges = self.live.ranges
        return Block(
            operations,
            steps,
            successors,
            _heights(steps, successors),
            frozenset(r for r, taken in ranges.items() if taken & before),
            frozenset(r for r, taken in ranges.items() if taken & after),
            repeated,
        )


def _heights(steps: Sequence[Step], successors: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Longest way from each operation to the end of the block, in cycles."""
    heights = [0] * len(steps)
    for index in reversed(range(len(steps))):
        own = steps[index]
        heights[index] = max(own.latency, own.occupancy)
        for other in successors[index]:
            true = any(register in steps[other].reads for register in own.writes)
            heights[index] = max(heights[index], heights[other] + (own.latency if true else 0))
    return tuple(heights)


def best_order(block: Block, machine: Machine, limits: Mapping[Bank, int]) -> tuple[Operation, ...]:
    """The operations of ``block`` in the best order found."""
    count, limits = len(block.operations), _attainable(block, limits)
    orders = [list(range(count))]
    orders += [_list_order(block, machine, limits, key) for key in PRIORITIES.values()]

    def badness(order: list[int]) -> tuple[int, float]:
        steps = [block.steps[index] for index in order]
        cycles = block_cycles(steps, machine, repeated=block.repeated)
        return excess_pressure(block, order, limits), cycles

    if block.repeated:
        orders += [_with_late_loads(block, order) for order in orders]
    best = min(orders, key=badness)
    return tuple(block.operations[index] for index in best)


def _with_late_loads(block: Block, order: Sequence[int]) -> list[int]:
    """The order with each vector load only as early as its latency demands.

    A list schedule issues what is ready: loads in front of everything. In a loop the rounds
    overlap only as far as the queue reaches, so that such loads keep the other units waiting.
    """
    busy: Counter[str] = Counter()
    for one in block.steps:
        busy[one.unit] += one.occupancy
    busiest = busy.most_common(1)[0][0]
    reached: dict[int, int] = {}
    now = 0
    for index in order:
        reached[index] = now
        now += block.steps[index].occupancy * (block.steps[index].unit == busiest)
    times = dict(reached)
    for index in order:
        one = block.steps[index]
        if one.is_vector and one.unit == LOADS and busiest != LOADS and block.successors[index]:
            needed = min(reached[other] for other in block.successors[index])
            times[index] = max(reached[index], needed - one.latency - one.occupancy)
    return sorted(order, key=lambda index: times[index])


def _attainable(block: Block, limits: Mapping[Bank, int]) -> dict[Bank, int]:
    """``limits``, raised where values that live through the block exceed them in any order.

    Those have to be spilled around it; its own work may then use as many registers as they did.
    """
    around = [_taken(block.live_in), _taken(block.live_out)]
    through = {bank: max(taken[bank] for taken in around) for bank in limits}
    return {
        bank: limit if through[bank] <= limit else through[bank] + TEMPORARIES
        for bank, limit in limits.items()
    }


def _taken(registers: Iterable[Register]) -> dict[Bank, int]:
    taken: dict[Bank, int] = {"x": 0, "f": 0, "v": 0}
    for register in registers:
        taken[register.bank] += register.group
    return taken


def excess_pressure(block: Block, order: Sequence[int], limits: Mapping[Bank, int]) -> int:
    """By how many registers the order exceeds ``limits``, all banks together."""
    pressure = _Pressure(block)
    excess: dict[Bank, int] = {}
    for index in order:
        for bank, taken in pressure.during(index).items():
            excess[bank] = max(excess.get(bank, 0), taken - limits[bank])
        pressure.schedule(index)
    return sum(excess.values())


class _Pressure:
    """Registers taken while a block is being ordered."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.live = set(block.live_in)
        self.left: dict[Register, int] = {}
        for one in block.steps:
            for register in {*one.reads, *one.writes}:
                self.left[register] = self.left.get(register, 0) + 1
        self.taken = _taken(self.live)

    def during(self, index: int) -> dict[Bank, int]:
        """Registers taken per bank while the operation executes."""
        taken = dict(self.taken)
        one = self.block.steps[index]
        for register in one.writes:
            if register not in self.live:
                taken[register.bank] += register.group
        for register in one.reads:
            if register not in one.writes and self._dies(register):
                taken[register.bank] -= register.group
        return taken

    def growth(self, index: int) -> int:
        """Vector registers that the operation takes minus those that it frees."""
        after = self.during(index)
        return sum(after[bank] - self.taken[bank] for bank in after)

    def schedule(self, index: int) -> None:
        one = self.block.steps[index]
        for register in {*one.reads, *one.writes}:
            if register not in self.live:
                self.live.add(register)
                self.taken[register.bank] += register.group
            if self._dies(register):
                self.live.discard(register)
                self.taken[register.bank] -= register.group
            self.left[register] -= 1

    def _dies(self, register: Register) -> bool:
        """Whether the next access to the register is its last in this block."""
        return self.left[register] == 1 and register not in self.block.live_out


def _list_order(
    block: Block, machine: Machine, limits: Mapping[Bank, int], priority: Priority
) -> list[int]:
    """One list schedule: operations in the order in which they are issued."""
    waiting = [0] * len(block.operations)
    for following in block.successors:
        for index in following:
            waiting[index] += 1
    ready = [index for index, count in enumerate(waiting) if not count]
    pipeline, pressure = Pipeline(machine), _Pressure(block)
    mask: Register | None = None
    order: list[int] = []
    while ready:
        index = _choose(block, ready, pipeline, pressure, limits, priority, mask)
        mask = block.steps[index].mask or mask
        ready.remove(index)
        pipeline.issue(block.steps[index])
        pressure.schedule(index)
        order.append(index)
        for other in block.successors[index]:
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    return order


def _choose(
    block: Block,
    ready: Sequence[int],
    pipeline: Pipeline,
    pressure: _Pressure,
    limits: Mapping[Bank, int],
    priority: Priority,
    mask: Register | None,
) -> int:
    """The ready operation with the best priority that doesn't overfill a register file."""

    room = {bank: limits[bank] - taken for bank, taken in pressure.taken.items()}

    def fits(index: int) -> bool:
        # Most of the time there is room whatever dies.
        if all(size <= room[bank] for bank, size in block.steps[index].result_sizes):
            return True
        return all(
            taken <= max(limits[bank], pressure.taken[bank])
            for bank, taken in pressure.during(index).items()
        )

    def key(index: int) -> tuple[int, ...]:
        one = block.steps[index]
        start = pipeline.earliest(one)[2]
        if pipeline.changes_state(one):
            start += STATE_CHANGE_PENALTY
        if one.mask is not None and mask is not None and one.mask != mask:
            start += MASK_CHANGE_PENALTY
        return priority(block, start, index)

    fitting = [index for index in ready if fits(index)]
    if fitting:
        return min(fitting, key=key)
    return min(ready, key=lambda index: (pressure.growth(index), index))


def blocks(body: Body, times: int = 1) -> Iterator[tuple[list[Operation], int, bool]]:
    """Straight-line runs, how often each executes, and whether it is an innermost loop body."""
    run: list[Operation] = []
    for item in body:
        if isinstance(item, Loop):
            if run:
                yield run, times, False
            run = []
            yield from _loop_blocks(item, times)
        else:
            run.append(item)
    if run:
        yield run, times, False


def _loop_blocks(loop: Loop, times: int) -> Iterator[tuple[list[Operation], int, bool]]:
    inner = list(blocks(loop.body, times * loop.trips))
    if len(inner) == 1 and not any(isinstance(item, Loop) for item in loop.body):
        run, executions, _ = inner[0]
        yield run, executions, True
    else:
        yield from inner


def estimated_cycles(program: Program, machine: Machine) -> float:
    """What the machine model makes of a whole program: only good for comparing two of them."""
    return sum(
        times * block_cycles([step(op, machine) for op in run], machine, repeated=repeated)
        for run, times, repeated in blocks(program.body)
    )
