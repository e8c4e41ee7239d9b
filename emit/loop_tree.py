"""From a stage of a physical program to a tree of loops.

Values sink into the innermost loop that they depend on and float to the outermost level that has
all their axes, so loop-invariant code is hoisted by construction. Within a level, loops that wait
for each other's results come one after the other (*phases*); those that don't, share one loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from oxegg.emit.physical import Step, Value, walk
from oxegg.errors import EmitError
from oxegg.ir.affine import Axis


class LoopConflict(EmitError):
    """``value``'s loop would have to end inside itself: it needs a loop, and memory, of its own.

    As in ``x[a, b] + sum_a(x)[b] + sum_b(x)[a]``: whichever loop of the sum is outermost, one of
    the two reductions can't be complete inside it. In ``sum_b(cumsum_a(x)[a, b])`` the loop over b
    has to be the innermost one for the sum, and the loop over a for the running sum.
    """

    def __init__(self, value: Value) -> None:
        super().__init__(f"the loop over {value.axis} would have to end inside itself")
        self.value = value


@dataclass
class Level:
    """Straight-line values and loops, in order of execution."""

    items: list[Value | LoopNode] = field(default_factory=list["Value | LoopNode"])


@dataclass
class LoopNode:
    """A loop over ``axis``; ``step`` is what one of its steps covers.

    ``tasks`` are the reductions, folds and stores whose work happens inside. Reductions and folds
    among those that end with this loop are ``closing``.
    """

    axis: Axis
    step: Step
    tasks: list[Value]
    body: Level = field(default_factory=Level)

    @property
    def closing(self) -> list[Value]:
        return [t for t in self.tasks if t.closes_loop and t.axis == self.axis]


def build(sinks: Sequence[Value], order: Sequence[Axis]) -> Level:
    """The loop tree of the stores ``sinks``; ``order`` ranks all their axes, outermost first.

    Raises ``LoopConflict`` where a reduction can't be complete when it is used, or a scan would
    have to run along two loops at once.
    """
    rank = {axis: i for i, axis in enumerate(order)}
    return _Builder(rank).level(_writers_first(sinks), frozenset(), set(), None)


@dataclass
class _Scan:
    """What one level holds: values with no open axes, and the loop tasks below it."""

    straight: list[Value] = field(default_factory=list[Value])
    tasks: list[Value] = field(default_factory=list[Value])
    needs: dict[int, list[Value]] = field(default_factory=dict[int, list[Value]])


class _Builder:
    def __init__(self, rank: dict[Axis, int]) -> None:
        self.rank = rank

    def level(
        self, sinks: list[Value], context: frozenset[Axis], done: set[int], loop: Axis | None
    ) -> Level:
        """The body of the loop over ``loop``, inside the loops over ``context``."""
        scan = self._scan(sinks, context, done, loop)
        phase = self._phases(scan, context)
        level = Level()
        last = max(phase.values(), default=0)
        computed = done | {id(v) for v in scan.straight} | {id(t) for t in scan.tasks}
        for number in range(last + 1):
            level.items += [v for v in scan.straight if phase[id(v)] == number]
            groups: dict[tuple[Axis, Step], list[Value]] = {}
            for task in scan.tasks:
                if phase[id(task)] == number:
                    axis = self._first_axis(task, context)
                    groups.setdefault((axis, task.step(axis)), []).append(task)
            for (axis, step), tasks in groups.items():
                node = LoopNode(axis, step, tasks)
                node.body = self.level(tasks, context | {axis}, computed, axis)
                level.items.append(node)
        return level

    def _first_axis(self, task: Value, context: frozenset[Axis]) -> Axis:
        """The nest's order decides, as far as axes don't have to lie inside others.

        The task's own closing axis, and axes of scans and reductions whose results are used
        inside while other axes of theirs are still open, all have to wait.
        """
        open_axes = task.domain - context
        carried = _carried_under(task, context)
        waiting = {v.axis for v in [*carried, task] if v is not task or task.closes_loop}
        free = open_axes - waiting if len(open_axes) > 1 else open_axes
        if not free:
            innermost = (v for v in walk([task]) if v in carried and v.axis in open_axes)
            raise LoopConflict(next(innermost))
        return min(free, key=lambda a: self.rank[a])

    def _scan(
        self, sinks: list[Value], context: frozenset[Axis], done: set[int], loop: Axis | None
    ) -> _Scan:
        """Find what executes at this level and what each item needs from this level."""
        scan = _Scan()
        placed: set[int] = set()

        def place(value: Value, sink: bool) -> None:
            """``value`` is demanded at this level with its axes all open here."""
            if id(value) in placed or (id(value) in done and not sink):
                return
            placed.add(id(value))
            task = bool(value.domain - context)
            inside_itself = value.closes_loop and not sink
            if not task and (inside_itself or (value.kind == "scan" and value.axis != loop)):
                raise LoopConflict(value)
            found: list[Value] = []
            inside(value, found, set())
            scan.needs[id(value)] = found
            (scan.tasks if task else scan.straight).append(value)

        def inside(value: Value, found: list[Value], seen: set[int]) -> None:
            """Collect what ``value``'s work needs from this level; descend through open values."""
            for operand in value.operands:
                if id(operand) in seen:
                    continue
                seen.add(id(operand))
                if not operand.axes - context and operand.kind != "held":
                    if id(operand) not in done:
                        place(operand, False)
                        found.append(operand)
                else:
                    inside(operand, found, seen)

        for sink in sinks:
            place(sink, True)
        return scan

    def _phases(self, scan: _Scan, context: frozenset[Axis]) -> dict[int, int]:
        """Longest chain of finished loops that each item waits for."""
        phase: dict[int, int] = {}
        tasks = {id(t) for t in scan.tasks}
        writers: dict[str, list[Value]] = {}
        for store in [*scan.straight, *scan.tasks]:
            if store.kind == "store" and store.note == "spill" and store.access:
                writers.setdefault(store.access.buffer.name, []).append(store)

        def after(value: Value, writer: Value) -> bool:
            """Whether ``value`` waits for all of a writer's loop, not for its iteration alone."""
            if id(writer) not in tasks or id(value) not in tasks:
                return id(writer) in tasks
            axis = self._first_axis(writer, context)
            shared = axis == self._first_axis(value, context) and axis in writer.axes
            return not shared or writer.step(axis) != value.step(axis)

        def visit(value: Value, path: tuple[int, ...] = ()) -> int:
            if id(value) in phase:
                return phase[id(value)]
            if id(value) in path:
                raise EmitError(f"values of kind {value.kind} wait for each other")
            deeper = (*path, id(value))
            waits = [
                visit(need, deeper) + (id(need) in tasks)
                for need in scan.needs[id(value)]
                if need is not value
            ]
            waits += [
                visit(writer, deeper) + after(value, writer)
                for writer in _written_under(value, writers)
                if writer is not value
            ]
            phase[id(value)] = max(waits, default=0)
            return phase[id(value)]

        for value in [*scan.straight, *scan.tasks]:
            visit(value)
        return phase


def _carried_under(task: Value, context: frozenset[Axis]) -> list[Value]:
    """What a task's work uses: reductions and folds with open axes, scans with other open axes."""
    found: list[Value] = []
    stack, seen = list(task.operands), set[int]()
    while stack:
        value = stack.pop()
        if id(value) in seen or not value.axes - context:
            continue
        seen.add(id(value))
        if value.closes_loop or (value.kind == "scan" and value.axes - context - {value.axis}):
            found.append(value)
        stack.extend(value.operands)
    return found


def _written_under(value: Value, writers: Mapping[str, Sequence[Value]]) -> list[Value]:
    """Stores among ``writers`` into buffers that ``value``'s work reads (spilled values)."""
    if not writers:
        return []
    loads = [v for v in walk([value]) if v.note == "spilled"]
    return [w for load in loads if load.access for w in writers.get(load.access.buffer.name, [])]


def _writers_first(sinks: Sequence[Value]) -> list[Value]:
    """``sinks`` in an order in which spilled values are stored before they are read."""
    writers: dict[str, list[Value]] = {}
    for store in sinks:
        if store.note == "spill" and store.access:
            writers.setdefault(store.access.buffer.name, []).append(store)
    ordered: dict[int, Value] = {}

    def visit(sink: Value) -> None:
        for writer in _written_under(sink, writers):
            if writer is not sink and id(writer) not in ordered:
                visit(writer)
        ordered.setdefault(id(sink), sink)

    for sink in sinks:
        visit(sink)
    return list(ordered.values())
