"""What the clock knows about a block's instructions under one vector configuration."""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from typing import Literal

from oxegg.costmodels import Machine, TileShape, timing, timing_class, unit_copies
from oxegg.isa import VType
from oxegg.sim.blocks import Block, Decoded
from oxegg.sim.memory import LINE
from oxegg.sim.state import VectorConfig
from oxegg.sim.vector_groups import Group, groups_of

TICKS = 16
"""Ticks per cycle: the resolution of a DRAM line's time on the channel."""

F0 = 32
TILE0 = 64
FIRST_NUMBERS = {"x": 0, "f": F0, "t": TILE0, "tr": TILE0, "acc": TILE0}
SERIALISING = frozenset({"vmv_to_scalar", "vmask_scalar"})
# Consumers that need all of their source before the first result.
WHOLE_SOURCE = frozenset({"vgather", "vcompress"})
NO_CONFIG = VType(8, Fraction(1))


@dataclass(frozen=True)
class Plan:
    """One instruction as the scoreboard sees it; times in ticks.

    Scalar registers are numbered 0-31 (x) and 32-63 (f), tiles 64-71, accumulators 80-83.
    """

    name: str

    place: int
    unit: str
    copies: int
    occupancy: int
    share: int
    """Of the unit's time; less than ``occupancy`` where other pipes go on meanwhile."""
    one_pipe: bool
    latency: int
    chains: bool
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    vector_reads: tuple[int, ...] = ()
    vector_writes: tuple[int, ...] = ()
    memory: Literal["load", "store"] | None = None
    serialises: bool = False
    whole_source: bool = False
    fence: bool = False
    engine: str = "scalar"

    @property
    def tiles_read(self) -> tuple[int, ...]:
        """The tile registers among ``reads``."""
        return tuple(register for register in self.reads if register >= TILE0)


@dataclass(frozen=True)
class Costs:
    """The machine's times outside instructions, in ticks."""

    width: int
    queue_depth: int
    dispatch_width: int
    taken: int
    mispredict: int
    line: int
    dram_latency: int
    l2_latency: int
    spm_latency: int
    link_latency: int
    queue_cycles: int
    sequencer_gap: int
    arithmetic_gap: int
    """Of the arithmetic sequencer: pipes that take turns share the idle cycle."""
    machine: Machine


def costs(machine: Machine) -> Costs:
    """Tick costs of a machine; a DRAM line's time is rounded up, never below the roofline."""
    return Costs(
        width=machine.issue_width,
        queue_depth=machine.vector.queue_depth,
        dispatch_width=machine.dispatch_width,
        taken=machine.scalar.branch_taken * TICKS,
        mispredict=machine.scalar.branch_mispredict * TICKS,
        line=ceil(LINE * TICKS / machine.dram_bytes_per_cycle),
        dram_latency=machine.dram_latency * TICKS,
        l2_latency=machine.l2_latency * TICKS,
        spm_latency=machine.spm_latency * TICKS,
        link_latency=_link_latency(machine) * TICKS,
        queue_cycles=machine.vector.queue_cycles * TICKS,
        sequencer_gap=machine.vector.sequencer_gap * TICKS,
        arithmetic_gap=machine.vector.sequencer_gap * TICKS // machine.pipes,
        machine=machine,
    )


def _link_latency(machine: Machine) -> int:
    """Cycles from the core to near-memory units: those of an SRAM lie beside it."""
    near, links = machine.near_memory, machine.interconnect
    far = near is not None and near.kind == "dram" and links is not None
    return machine.cycles(links.link_latency_ns) if far and links is not None else 0


def block_plans(machine: Machine, block: Block, config: VectorConfig) -> tuple[Plan, ...]:
    """One plan per instruction of the block."""
    return tuple(
        _plan(machine, place, decoded, config) for place, decoded in enumerate(block.instructions)
    )


def tile_plan(machine: Machine, plan: Plan, shape: tuple[int, int, int]) -> Plan:
    """The plan of a tile instruction whose shape isn't that of a full tile."""
    cost = timing(machine, plan.name, tile=TileShape(*shape))
    return replace(plan, occupancy=cost.occupancy * TICKS, latency=cost.latency * TICKS)


def _plan(machine: Machine, place: int, decoded: Decoded, config: VectorConfig) -> Plan:
    record = decoded.record
    vtype = config.vtype or NO_CONFIG
    cost = timing(machine, record.name, vl=config.vl, sew=vtype.sew, lmul=vtype.lmul)
    groups = groups_of(record, decoded.values, vtype) if record.is_vector else {}
    row = _tile_row(machine, decoded) if record.is_custom else {}
    masked = any(
        operand.kind == "v0" or (operand.kind == "mask" and value)
        for operand, value in zip(record.operands, decoded.values, strict=True)
    )
    return Plan(
        name=record.name,
        place=place,
        unit=cost.unit,
        copies=unit_copies(machine, cost.unit),
        occupancy=cost.pace * TICKS,
        share=cost.share * TICKS,
        one_pipe=cost.pipes > 1,
        latency=cost.latency * TICKS,
        chains=cost.chains,
        reads=scalar_registers(decoded, reads=True),
        writes=scalar_registers(decoded, reads=False),
        vector_reads=_registers(groups, reads=True) + ((0,) if masked else ()) + row.get("in", ()),
        vector_writes=_registers(groups, reads=False) + row.get("out", ()),
        engine=timing_class(record.name).engine,
        memory=record.memory,
        serialises=record.timing in SERIALISING and machine.vector.blocking_results,
        whole_source=record.timing in WHOLE_SOURCE,
        fence=record.timing == "fence",
    )


def scalar_registers(decoded: Decoded, *, reads: bool) -> tuple[int, ...]:
    """Scoreboard numbers of the scalar registers read or written; x0 is neither."""
    numbers: list[int] = []
    for operand in decoded.record.operands:
        number = decoded.operands[operand.name]
        first = FIRST_NUMBERS.get(operand.kind)
        if (operand.reads if reads else operand.writes) and first is not None:
            numbers.append(number + first)
    return tuple(number for number in numbers if number)


def _tile_row(machine: Machine, decoded: Decoded) -> dict[str, tuple[int, ...]]:
    """Vector registers that a move between a tile row and a vector reads and writes, by role."""
    rows = machine.tensor.rows if machine.tensor else 0
    count = -(-32 * rows // machine.vlen)
    return {
        operand.role: tuple(range(int(value), int(value) + count))
        for operand, value in zip(decoded.record.operands, decoded.values, strict=True)
        if operand.kind == "v"
    }


def _registers(groups: dict[str, Group], *, reads: bool) -> tuple[int, ...]:
    chosen = (g for g in groups.values() if (g.operand.reads if reads else g.operand.writes))
    return tuple(register for group in chosen for register in group.span)
