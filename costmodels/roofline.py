"""The roofline: cycles that no program can beat which moves these bytes and does these operations.

Every byte that an operation consumes must come in through a load port, every computed byte must
leave through a store port, everything in DRAM crosses the DRAM interface once, and every operation
takes its time on some engine. Engines may share the work in any proportion, scalar instructions
included, as far as issue slots go; the smallest whole number of cycles with room for all of it is
the bound. Latencies, dependences, loop control and imperfect overlap only make programs slower.
SIMT mode is not covered: it is costed, not yet programmed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil

from oxegg.costmodels.bank_bound import bank_cycles
from oxegg.costmodels.machine import Machine
from oxegg.costmodels.timing import full_tile, timing, unit_copies
from oxegg.errors import UsageError

SCALAR_BYTES = 8
LMULS = (1, 2, 4, 8)


@dataclass(frozen=True)
class Kind:
    """A kind of element operation and the instructions that do it.

    ``vector`` lists alternatives (the cheapest counts); ``{s}`` in ``scalar`` is the float width's
    letter. ``dot`` operations are what tile and near-memory units can do as well; of those that
    ``pack``, one scalar instruction may do as many as fit into 64 bits.
    """

    vector: tuple[str, ...]
    scalar: str
    dot: bool = False
    packs: bool = False


KINDS: Mapping[str, Kind] = {
    # x + y is also x * 1 + y.
    "int": Kind(("vadd.vv", "vmacc.vv"), "add", dot=True, packs=True),
    "mul": Kind(("vmul.vv",), "mul", dot=True, packs=True),
    "idiv": Kind(("vdiv.vv",), "div"),
    "fma": Kind(("vfmacc.vv",), "fmadd.{s}", dot=True),
    "extremum": Kind(("vfmin.vv",), "fmin.{s}", dot=True),
    "div": Kind(("vfdiv.vv",), "fdiv.{s}"),
    "sqrt": Kind(("vfsqrt.v",), "fsqrt.{s}"),
    "convert": Kind(("vfcvt.x.f.v",), "fcvt.w.s"),
    "move": Kind(("vfmin.vv", "vadd.vv"), "and", dot=True, packs=True),
    "compare": Kind(("vmseq.vv",), "slt", packs=True),
    # A multiply-accumulate of narrow inputs into a wider sum; the width is that of the inputs.
    "mac_int": Kind(("vwmacc.vv",), "mul", dot=True, packs=True),
    "mac_float": Kind(("vfwmacc.vv",), "fmadd.s", dot=True),
}


@dataclass(frozen=True)
class Traffic:
    """Unique bytes that a kernel reads and writes in one place."""

    read: int = 0
    written: int = 0


@dataclass(frozen=True)
class KernelWork:
    """What every program for a kernel has to do, whatever it looks like.

    ``spm`` and ``dram`` are the unique bytes per place. ``copied`` of the bytes read are written
    unchanged, and no operation looks at them. ``banks`` is the part of the DRAM traffic that lies
    where near-memory units can consume and write it, ``shared`` the bytes of it that they multiply
    by numbers from elsewhere into one of ``accumulators``; those units compute on nothing else.
    ``operations`` counts element operations by (kind of ``KINDS``, width in bits); a multiplication
    and the addition of its result are one ``fma``, and n values are summed by n - 1 operations.
    ``instructions`` is a
    number of scalar instructions that can't be avoided.
    """

    spm: Traffic = Traffic()
    dram: Traffic = Traffic()
    copied: int = 0
    banks: Traffic = Traffic()
    shared: int = 0
    accumulators: int = 8
    operations: Mapping[tuple[str, int], int] = field(default_factory=dict[tuple[str, int], int])
    instructions: int = 0


@dataclass(frozen=True)
class Roofline:
    """The bound in cycles, the resource that sets it, and the bound of each resource alone."""

    cycles: int
    limit: str
    bounds: Mapping[str, float]


@dataclass(frozen=True)
class _Resource:
    """``need`` units of work; engines do ``rate`` of them per cycle, a scalar instruction ``help``.

    At most ``helpers`` scalar instructions per cycle work on it.
    """

    need: float
    rate: float
    help: float = 0.0
    helpers: float = 0.0

    def scalar_instructions(self, cycles: int) -> float:
        """Scalar instructions that must help to finish in ``cycles``; inf when they can't."""
        rest = self.need - self.rate * cycles
        if rest <= 0:
            return 0.0
        count = rest / self.help if self.help else float("inf")
        return count if count <= self.helpers * cycles else float("inf")

    @property
    def alone(self) -> float:
        """Least cycles when every scalar instruction that can help does."""
        capacity = self.rate + self.help * self.helpers
        if not self.need:
            return 0.0
        return self.need / capacity if capacity else float("inf")


def roofline(
    machine: Machine, work: KernelWork, *, engines: frozenset[str] | None = None
) -> Roofline:
    """The least cycles of any program for ``work`` that uses only ``engines``.

    ``engines`` defaults to all that the machine has; give ``{"scalar", "vector"}`` to bound what
    code without tiles, near-memory commands and DMA can reach. Raises ``UsageError`` for an
    unknown kind of operation and for work that none of the engines can do.
    """
    allowed = machine.engines if engines is None else engines & machine.engines
    resources = _resources(machine, work, allowed)
    issue = _Resource(work.instructions, machine.issue_width)
    bounds = {name: part.alone for name, part in resources.items()} | {"issue": issue.alone}
    ports = machine.scalar.load_ports

    def fits(cycles: int) -> bool:
        helpers = {name: part.scalar_instructions(cycles) for name, part in resources.items()}
        memory = helpers["load port"] + helpers["store port"]
        everything = sum(helpers.values()) + work.instructions
        return memory <= ports * cycles and everything <= machine.issue_width * cycles

    limit = max(bounds, key=lambda name: bounds[name])
    if bounds[limit] == float("inf"):
        raise UsageError(f"no engine of {', '.join(sorted(allowed))} can do the work: {limit}")
    return Roofline(_least(fits, ceil(max(bounds.values()) - 1e-6)), limit, bounds)


def _least(fits: Callable[[int], bool], low: int) -> int:
    """The smallest number >= ``low`` that fits; what fits goes on fitting above."""
    high = max(low, 1)
    while not fits(high):
        high *= 2
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle + 1, high)
    return low


def _resources(machine: Machine, work: KernelWork, engines: frozenset[str]) -> dict[str, _Resource]:
    copied = work.copied if "dma" in engines else 0
    banks = work.banks if "near_memory" in engines else Traffic()
    banked = banks.read + banks.written
    tile_port = machine.tensor.port_bytes if machine.tensor and "tensor" in engines else 0
    port = machine.mlen_bytes * ("vector" in engines) + tile_port
    scalar = machine.scalar.load_ports if "scalar" in engines else 0
    read = work.spm.read + work.dram.read - copied - banks.read
    written = work.spm.written + work.dram.written - copied - banks.written
    dram = work.dram.read + work.dram.written - banked
    return {
        "dram": _Resource(dram, machine.dram_bytes_per_cycle),
        # Ordinary reads of a channel and near-memory commands exclude each other.
        "near memory": _Resource(
            min(
                banked / machine.dram_bytes_per_cycle,
                bank_cycles(machine, banks.read, banks.written, work.shared, work.accumulators)
                if banked
                else 0.0,
            ),
            1.0,
        ),
        "load port": _Resource(max(0, read), port, SCALAR_BYTES, scalar),
        "store port": _Resource(max(0, written), port, SCALAR_BYTES, scalar),
        "arithmetic": _arithmetic(machine, work, engines),
    }


def _arithmetic(machine: Machine, work: KernelWork, engines: frozenset[str]) -> _Resource:
    """Element operations, measured in the vector unit's time.

    An engine that does r operations per cycle, each worth v cycles of the vector unit, does at
    most max(r * v) of that work per cycle, however the operations are dealt out.
    """
    worth = {operation: vector_cycles(machine, *operation) for operation in work.operations}
    need = sum(worth[operation] * count for operation, count in work.operations.items())
    rate = float("vector" in engines)
    if "tensor" in engines:
        rate += max((_tensor_rate(machine, *op) * value for op, value in worth.items()), default=0)
    if "near_memory" in engines and work.banks != Traffic():
        rate += max((_bank_rate(machine, *op) * value for op, value in worth.items()), default=0)
    if "scalar" not in engines:
        return _Resource(need, rate)
    best, helpers = _scalar_help(machine, worth)
    return _Resource(need, rate, best, helpers)


def _scalar_help(machine: Machine, worth: Mapping[tuple[str, int], float]) -> tuple[float, float]:
    """Most that one scalar instruction does, in vector time, and such instructions per cycle."""
    best = 0.0
    units: dict[str, float] = {}
    for (kind, width), value in worth.items():
        letter = {16: "h", 32: "s"}.get(width, "d")
        scalar = timing(machine, KINDS[kind].scalar.format(s=letter))
        done = value * (64 // width if KINDS[kind].packs else 1)
        per_cycle = done * unit_copies(machine, scalar.unit) / scalar.occupancy
        units[scalar.unit] = max(units.get(scalar.unit, 0.0), per_cycle)
        best = max(best, done)
    return best, sum(units.values()) / best if best else 0.0


def vector_cycles(machine: Machine, kind: str, width: int) -> float:
    """Least cycles of the vector unit per element operation, over all register group sizes."""
    if kind not in KINDS:
        raise UsageError(
            f'"{kind}" is no kind of element operation', hint="one of " + ", ".join(KINDS)
        )
    return min(
        timing(machine, name, vl=elements, sew=width, lmul=lmul).share / elements
        for name in KINDS[kind].vector
        for lmul in LMULS
        for elements in [machine.vlmax(width, lmul)]
    )


def _tensor_rate(machine: Machine, kind: str, width: int) -> float:
    """Element operations of the tile unit per cycle, were all of its products useful."""
    if machine.tensor is None or not KINDS[kind].dot or width > 32:
        return 0.0
    rows, columns, row_bytes = full_tile(machine)
    products = rows * columns * row_bytes * 8 // max(8, width)
    name = "ox.mm.f32" if width == 32 else "ox.mm.ss"
    return products / timing(machine, name).occupancy


def _bank_rate(machine: Machine, kind: str, width: int) -> float:
    """Element operations of the near-memory units per cycle: as fast as the banks deliver."""
    return machine.near_memory_bytes_per_cycle * 8 / width if KINDS[kind].dot else 0.0
