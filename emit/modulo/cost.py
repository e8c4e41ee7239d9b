"""What an operation takes of the machine, relative to the cycle in which it issues.

The rules are those of the simulator's scoreboard. A vector operation issues a cycle before it
starts; one of them leaves the queue per cycle. Issue waits for scalar operands, vector operands are
waited for behind the queue: with the kernel's text in the order of issue, no operation then starts
later than the schedule says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oxegg.costmodels import FIRST_PIPE, Machine, unit_copies
from oxegg.emit.effects import PSEUDO
from oxegg.emit.modulo.addresses import touches_memory
from oxegg.emit.modulo.graph import Usage
from oxegg.emit.pipeline import Step
from oxegg.emit.program import Operation
from oxegg.isa import TABLE

QUEUE = "vector queue"
STORES = "scalar accesses behind vector stores"
LOADS = "scalar stores behind vector loads"
SERIAL = "issue behind a scalar result of the vector unit"
WHOLE_SOURCE = ("vgather", "vcompress")


@dataclass(frozen=True)
class Cost:
    """Timing of one operation, and the names of the rules that concern it."""

    step: Step
    memory: str | None
    whole_source: bool
    sets_state: bool = False

    @property
    def delay(self) -> int:
        """Cycles from issue to start."""
        return 1 if self.step.is_vector else 0


def cost(operation: Operation, step: Step) -> Cost:
    """The cost of an operation whose timing is ``step``."""
    if operation.name in PSEUDO:
        return Cost(step, None, False)
    record = TABLE[operation.name]
    memory = record.memory if touches_memory(operation) else None
    return Cost(step, memory, record.timing in WHOLE_SOURCE, record.timing == "vset")


def usages(
    costs: Sequence[Cost], machine: Machine
) -> tuple[tuple[tuple[Usage, ...], ...], Mapping[str, int]]:
    """Resources that each operation takes, and how many there are of each.

    Rules that concern one side only (a vector store, but no scalar access) take nothing.
    """
    width = machine.issue_width
    capacity: dict[str, int] = {}
    rows: list[list[Usage]] = []
    for one in costs:
        step = one.step
        capacity[step.unit] = unit_copies(machine, step.unit)
        kept = step.share
        if step.serialises:
            # Nothing is behind it in the queue before the scalar core has its result.
            kept = max(kept, step.latency + machine.vector.queue_cycles)
        row = [Usage(step.unit, one.delay, kept, held=step.is_vector)]
        if step.one_pipe:
            capacity[FIRST_PIPE] = 1
            row.append(Usage(FIRST_PIPE, one.delay, step.occupancy, held=step.is_vector))
        if step.is_vector:
            capacity[QUEUE] = machine.dispatch_width
            row.append(Usage(QUEUE, 1, 1))
        rows.append(row)
    vector = {(c.memory, True) for c in costs if c.step.is_vector}
    scalar = {(c.memory, False) for c in costs if not c.step.is_vector}
    kinds = vector | scalar
    if ("store", True) in kinds and kinds & {("load", False), ("store", False)}:
        capacity[STORES] = width
        _shadow(STORES, costs, rows, width, "store", ("load", "store"))
    if ("load", True) in kinds and ("store", False) in kinds:
        capacity[LOADS] = width
        _shadow(LOADS, costs, rows, width, "load", ("store",))
    if any(c.step.serialises for c in costs):
        capacity[SERIAL] = width
        for one, row in zip(costs, rows, strict=True):
            row.append(Usage(SERIAL, 0, 1))
            if one.step.serialises:
                row.append(Usage(SERIAL, 1, one.step.latency, width, held=True))
    return tuple(tuple(row) for row in rows), capacity


def _shadow(
    name: str,
    costs: Sequence[Cost],
    rows: Sequence[list[Usage]],
    width: int,
    vector: str,
    scalar: tuple[str, ...],
) -> None:
    """Keep scalar accesses of kinds ``scalar`` out while a vector ``vector`` runs."""
    for one, row in zip(costs, rows, strict=True):
        if one.step.is_vector and one.memory == vector:
            row.append(Usage(name, 1, one.step.occupancy, width, held=True))
        elif not one.step.is_vector and one.memory in scalar:
            row.append(Usage(name, 0, 1))


def order_wait(first: Cost, second: Cost) -> int | None:
    """Cycles between operations of which the text's order is all that counts.

    ``None``: the first may start after the second, from its queue.
    """
    del second
    return None if first.step.is_vector else 0


def read_wait(producer: Cost, consumer: Cost, *, in_vector: bool) -> int:
    """Least cycles from the writer of a register to its reader, counted from start to start.

    As everywhere here operations that start behind a queue count as if they issued right before.
    """
    first = producer.delay + producer.step.latency
    if not in_vector:
        return first
    # A chained consumer may not overtake its producer.
    pace = 0 if consumer.whole_source else consumer.step.occupancy
    lag = max(0, producer.step.occupancy - pace) if producer.step.chains else 0
    return first + lag - consumer.delay


def write_wait(earlier: Cost, later: Cost, *, in_vector: bool) -> int | None:
    """Least cycles between two writers of one register."""
    if not in_vector:
        return order_wait(earlier, later)
    lag = max(0, earlier.step.occupancy - later.step.occupancy) if earlier.step.chains else 0
    first = earlier.delay + earlier.step.latency + lag
    return first - later.step.latency - later.delay


def release_wait(reader: Cost, writer: Cost, *, in_vector: bool) -> int | None:
    """Least cycles from a reader of a register to the next writer: the reader's tail counts."""
    if not in_vector:
        return order_wait(reader, writer)
    tail = reader.delay + max(0, reader.step.occupancy - writer.step.occupancy)
    return tail - writer.step.latency - writer.delay


def tile_write_wait(earlier: Cost, later: Cost) -> int:
    """Least cycles between two writers of one tile."""
    return max(0, earlier.step.latency - later.step.latency)


def tile_release_wait(reader: Cost, writer: Cost) -> int:
    """Least cycles from a reader of a tile to its next writer, whose first row is written

    ``latency - occupancy`` after its start.
    """
    return max(0, reader.step.occupancy - (writer.step.latency - writer.step.occupancy))
