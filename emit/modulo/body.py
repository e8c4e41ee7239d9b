"""A loop body of instructions as a graph: webs of values, dependences, resources."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from oxegg.costmodels import Machine
from oxegg.emit.effects import TILE_SHAPE, is_tile, operand_reads
from oxegg.emit.modulo.addresses import accesses, memory_order
from oxegg.emit.modulo.cost import (
    Cost,
    cost,
    order_wait,
    read_wait,
    release_wait,
    tile_release_wait,
    tile_write_wait,
    usages,
    write_wait,
)
from oxegg.emit.modulo.displacement import Floating, floating_accesses
from oxegg.emit.modulo.graph import Edge, Graph, Use, Web
from oxegg.emit.modulo.values import Definition, Values, values_of
from oxegg.emit.pipeline import step
from oxegg.emit.program import Bank, Operation, Register


@dataclass(frozen=True)
class Rules:
    """What the body may assume and must keep.

    ``files``: registers per bank for what the body reads and writes. ``pinned``: registers whose
    values all stay in one place; ``resident`` ones have their register to themselves while they
    hold what comes in or goes out. ``places`` names the pinned register that others are parts of.
    ``disjoint_bases``: different base registers point to memory that
    doesn't overlap. ``control``: operations that take neither slots nor units.
    """

    files: Mapping[Bank, int]
    pinned: frozenset[Register] = frozenset()
    resident: frozenset[Register] = frozenset()
    places: Mapping[Register, Register] = field(default_factory=dict[Register, Register])
    disjoint_bases: bool = False
    control: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Body:
    """``graph`` of ``operations``, the last of which branches back.

    ``carrier[web]`` is the register that the source used for the web, ``reads[i]`` and
    ``writes[i]`` the webs behind the registers of operation i; ``homes`` marks the webs that hold
    what the loop begins or ends with, one for each register of the source. ``floating`` accesses
    don't depend on their pointer.
    """

    operations: tuple[Operation, ...]
    values: Values
    graph: Graph
    carrier: tuple[Register, ...]
    reads: tuple[Mapping[Register, int], ...]
    writes: tuple[Mapping[Register, int], ...]
    homes: Mapping[Register, int]
    floating: Mapping[int, Floating]


def body_of(operations: Sequence[Operation], machine: Machine, rules: Rules) -> Body:
    """The graph of a loop body whose last operation is the branch back."""
    values = values_of(operations, rules.places)
    costs = [cost(op, step(op, machine)) for op in operations]
    builder = _Builder(values, costs, rules)
    builder.webs()
    branch, dead = len(operations) - 1, max(0, machine.scalar.branch_taken - 1)
    edges = _strongest(_behind(branch, 1 + dead, builder.edges()))
    used, capacity = usages(costs, machine)
    free = tuple(() if i in rules.control else row for i, row in enumerate(used))
    graph = Graph(
        free,
        edges,
        builder.found,
        capacity,
        rules.files,
        machine.issue_width,
        branch,
        dead,
        queued=frozenset(i for i, one in enumerate(costs) if one.step.is_vector),
        depth=machine.vector_queue_depth,
        apart=int(machine.dispatch_width == 1),
    )
    return Body(
        tuple(operations), values, graph, builder.carrier, builder.reads, builder.writes,
        builder.homes, builder.floating,
    )  # fmt: skip


def _behind(branch: int, latency: int, edges: Iterable[Edge]) -> Iterator[Edge]:
    """The same edges; what follows the branch, the kernel's last word, is in the next kernel."""
    for edge in edges:
        if edge.source == branch:
            edge = replace(edge, latency=max(edge.latency, latency), least=latency)
        yield edge


def _strongest(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """Of edges between the same operations those that matter."""
    strongest: dict[tuple[int, int, int], Edge] = {}
    for edge in edges:
        if edge.source == edge.target and edge.distance > 0 and edge.latency == 0:
            continue
        key = (edge.source, edge.target, edge.distance)
        other = strongest.get(key, edge)
        least = max((e.least for e in (edge, other) if e.least is not None), default=None)
        latency = max(edge.latency, other.latency)
        strongest[key] = replace(edge, latency=latency, least=least)
    return tuple(edge for _, edge in sorted(strongest.items()))


Value = tuple[int, Register]
"""The value that an operation writes to a register."""


class _Builder:
    def __init__(self, values: Values, costs: Sequence[Cost], rules: Rules) -> None:
        self.values = values
        self.costs = costs
        self.rules = rules
        self.floating = floating_accesses(values, rules.pinned)
        self.parent: dict[Value, Value] = {}
        self.found: tuple[Web, ...] = ()
        self.carrier: tuple[Register, ...] = ()
        self.reads: tuple[Mapping[Register, int], ...] = ()
        self.writes: tuple[Mapping[Register, int], ...] = ()
        self.homes: Mapping[Register, int] = {}

    def _waits(self, index: int, register: Register) -> bool:
        """Whether the operation depends on the register when it issues."""
        return index not in self.floating or self.floating[index].pointer != register

    def _only_keeps(self, index: int, register: Register) -> bool:
        """Whether the register is read for the undisturbed elements of a result alone."""
        return (
            register in self.values.effects[index].updates
            and register not in self.rules.places.values()
            and register not in operand_reads(self.values.operations[index])
        )

    # Webs

    def _root(self, value: Value) -> Value:
        while self.parent[value] != value:
            value = self.parent[value]
        return value

    def _tied(self, index: int, register: Register) -> Definition | None:
        """The definition whose register this write must keep."""
        updates = self.values.effects[index].updates
        return self.values.sources[index].get(register) if register in updates else None

    def webs(self) -> None:
        """Group values into webs; number them; name reads and writes by web."""
        written = [(i, r) for i, e in enumerate(self.values.effects) for r in e.writes]
        self.parent = {value: value for value in written}
        for index, register in written:
            source = self._tied(index, register)
            if source is not None:
                self._join((index, register), (source.operation, register))
            elif register in self.rules.pinned:
                self._join((index, register), (self.values.last_writer[register], register))
        numbers: dict[Value | Register, int] = {}
        carrier: list[Register] = []
        for value in written:
            root = self._root(value)
            if root not in numbers:
                numbers[root] = len(carrier)
                carrier.append(value[1])
        of_value = {value: numbers[self._root(value)] for value in written}
        for sources in self.values.sources:
            for register, source in sources.items():
                if source is None and register not in numbers:
                    numbers[register] = len(carrier)
                    carrier.append(register)
        self.carrier = tuple(carrier)
        self.writes = tuple(
            {r: of_value[i, r] for r in e.writes} for i, e in enumerate(self.values.effects)
        )
        self.reads = tuple(
            {
                r: numbers[r] if source is None else of_value[source.operation, r]
                for r, source in sources.items()
            }
            for sources in self.values.sources
        )
        self.homes = {r: of_value[w, r] for r, w in self.values.last_writer.items()}
        self.found = tuple(self._web(number, of_value) for number in range(len(carrier)))

    def _join(self, first: Value, second: Value) -> None:
        self.parent[self._root(first)] = self._root(second)

    def _web(self, number: int, of_value: Mapping[Value, int]) -> Web:
        register = self.carrier[number]
        members = [value for value, web in of_value.items() if web == number]
        roots = [v for v in members if self._tied(*v) is None]
        if len(roots) != 1 or register in self.rules.pinned:
            return Web(register.bank, register.group, None, (), resident=True)
        age = self._ages(roots[0], members)
        uses: dict[Use, None] = {}
        disjoint = False
        for index, sources in enumerate(self.values.sources):
            for read, source in sources.items():
                known = source is not None and self._waits(index, read)
                if source is not None and known and (source.operation, read) in age:
                    distance = source.distance + age[source.operation, read]
                    uses[Use(index, distance)] = None
                    disjoint |= self._may_not_overlap(index, read)
        is_mask = any(number == self._mask_web(use.operation) for use in uses)
        return Web(
            register.bank,
            register.group,
            roots[0][0],
            tuple(uses),
            resident=self._is_resident(members),
            overhang=int(disjoint),
            mask=is_mask,
            ready=self.costs[roots[0][0]].step.latency,
        )

    def _mask_web(self, index: int) -> int | None:
        """The web that operation ``index`` wants in v0."""
        mask = self.values.effects[index].mask
        return None if mask is None else self.reads[index][mask]

    def _is_resident(self, members: Sequence[Value]) -> bool:
        """Whether the web is the last one of a register that must stay where it is."""
        return any(
            register in self.rules.resident and self.values.last_writer[register] == index
            for index, register in members
        )

    def _ages(self, root: Value, members: Sequence[Value]) -> dict[Value, int]:
        """Iterations from the root's definition to each member's."""
        age = {root: 0}
        while len(age) < len(members):
            for value in members:
                source = self._tied(*value)
                if value not in age and source is not None:
                    before = (source.operation, value[1])
                    if before in age:
                        age[value] = age[before] + source.distance
        return age

    def _may_not_overlap(self, index: int, register: Register) -> bool:
        return any(o.source == register for o in self.values.effects[index].overlaps)

    # Edges

    def edges(self) -> Iterator[Edge]:
        """All dependences: registers, their reuse, other state, memory, the branch."""
        yield from self._true_dependences()
        yield from self._reuse()
        yield from self._in_place()
        yield from self._fixed_places()
        rules = self.rules
        found = accesses(self.values)
        for first, second, distance in memory_order(found, disjoint_bases=rules.disjoint_bases):
            yield _edge(first, second, order_wait(self.costs[first], self.costs[second]), distance)

    def _true_dependences(self) -> Iterator[Edge]:
        for index, sources in enumerate(self.values.sources):
            for register, source in sources.items():
                if source is not None and self._waits(index, register):
                    producer, consumer = self.costs[source.operation], self.costs[index]
                    in_vector = register.bank == "v"
                    wait: int | None = read_wait(producer, consumer, in_vector=in_vector)
                    edge = _edge(source.operation, index, wait, source.distance)
                    if self._only_keeps(index, register):
                        # What stays of an undisturbed result: for the machine it is overwritten.
                        edge = replace(edge, least=write_wait(producer, consumer, in_vector=True))
                    yield edge

    def _reuse(self) -> Iterator[Edge]:
        """A web is read before its register is written again, an iteration later."""
        for web in self.found:
            if web.definition is None:
                continue
            in_vector = web.bank == "v"
            writer = self.costs[web.definition]
            for use in web.uses:
                wait = release_wait(self.costs[use.operation], writer, in_vector=in_vector)
                yield _edge(use.operation, web.definition, wait, 1 - use.distance)

    def _in_place(self) -> Iterator[Edge]:
        """All readers of a value come before the operation that updates it in place."""
        readers: dict[Value, list[tuple[int, int]]] = {}
        for index, sources in enumerate(self.values.sources):
            for register, source in sources.items():
                if source is not None and self._waits(index, register):
                    key = (source.operation, register)
                    readers.setdefault(key, []).append((index, source.distance))
        for index, effect in enumerate(self.values.effects):
            for register in effect.updates:
                source = self._tied(index, register)
                if source is None:
                    continue
                for reader, distance in readers[source.operation, register]:
                    if reader != index:
                        a, b = self.costs[reader], self.costs[index]
                        wait = release_wait(a, b, in_vector=register.bank == "v")
                        yield _edge(reader, index, wait, source.distance - distance)

    def _fixed_places(self) -> Iterator[Edge]:
        """Pinned registers and state outside the register files: order of reads and writes."""
        places: dict[Register | str, list[tuple[int, bool, bool]]] = {}
        for index, effect in enumerate(self.values.effects):
            for register in sorted(self.rules.pinned):
                reads, writes = register in effect.reads, register in effect.writes
                if reads or writes:
                    places.setdefault(register, []).append((index, reads, writes))
            for key in dict.fromkeys((*effect.uses, *effect.changes)):
                entry = (index, key in effect.uses, key in effect.changes)
                places.setdefault(key, []).append(entry)
        if any(one.sets_state for one in self.costs):
            places["vtype"] = [
                (index, one.step.is_vector, one.sets_state)
                for index, one in enumerate(self.costs)
                if one.step.is_vector or one.sets_state
            ]
        for place, visits in places.items():
            yield from self._visits(place, visits)

    def _visits(
        self, place: Register | str, visits: Sequence[tuple[int, bool, bool]]
    ) -> Iterator[Edge]:
        after = _waits(place)
        for first, reads, writes in visits:
            for second, second_reads, second_writes in visits:
                if not (writes or second_writes):
                    continue
                distance = 0 if first < second else 1
                orders = (
                    (writes and second_reads, after.read),
                    (writes and second_writes, after.write),
                    (reads and second_writes, after.release),
                )
                a, b = self.costs[first], self.costs[second]
                waits = [
                    cycles for holds, wait in orders if holds if (cycles := wait(a, b)) is not None
                ]
                yield _edge(first, second, max(waits, default=None), distance)


def _edge(source: int, target: int, wait: int | None, distance: int) -> Edge:
    """An edge for times of issue in the text's order, which may not be that of the starts."""
    return Edge(source, target, max(0, wait or 0), distance, wait)


Wait = Callable[[Cost, Cost], int | None]


@dataclass(frozen=True)
class _Waits:
    """Cycles from a writer to a reader, from a writer to the next, from a reader to the next."""

    read: Wait
    write: Wait
    release: Wait


def _waits(place: Register | str) -> _Waits:
    """Of one register, or of state outside the register files."""
    if isinstance(place, Register):
        in_vector = place.bank == "v"
        return _Waits(
            partial(read_wait, in_vector=in_vector),
            partial(write_wait, in_vector=in_vector),
            partial(release_wait, in_vector=in_vector),
        )
    read = partial(read_wait, in_vector=False)
    if is_tile(place):
        return _Waits(read, tile_write_wait, tile_release_wait)

    return _Waits(read if place == TILE_SHAPE else order_wait, order_wait, order_wait)
