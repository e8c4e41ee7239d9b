"""Near-memory nodes of a graph: where they can execute, and what passes over banks take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from oxegg.costmodels import Machine, row_cycles, timing
from oxegg.egraph.near_memory_rules import RESULTS
from oxegg.egraph.readout import PhysicalGraph
from oxegg.emit.banked import GROUP, BankLayout, near_memory_of
from oxegg.emit.lowering.bank_products import (
    SUM_BYTES,
    Product,
    product_cycles,
    product_of,
)
from oxegg.emit.lowering.near_memory import (
    Pass,
    bank_layouts,
    group_commands,
    group_counts,
    is_product,
    plan,
)
from oxegg.emit.nest import Nest
from oxegg.emit.physical import PhysicalProgram
from oxegg.emit.stages import Stage
from oxegg.errors import EmitError

BANK_NODES = (*RESULTS, "NBank", "NIns", "NStart", "NMac", "NAdd")
ISSUE_CYCLES = 4  # of the core for each command (ISA manual, "Xoxn")


def without_banks(graph: PhysicalGraph) -> PhysicalGraph:
    """``graph`` for a machine, or for a place of the data, without near-memory units."""
    return replace(graph, nodes=tuple(n for n in graph.nodes if n.operator not in BANK_NODES))


def bank_nest(stage: Stage) -> Nest:
    """Near-memory passes leave nothing open."""
    return Nest(tuple(stage.axes), 1, segments=False)


def pass_cycles(program: PhysicalProgram, stage: Stage, machine: Machine) -> float | None:
    """Cycles of a near-memory stage; None where it can't be lowered."""
    (store,) = stage.stores
    mode = 2 * timing(machine, "ox.nm.on").occupancy
    try:
        layouts = bank_layouts(program, machine)
        if is_product(store):
            return mode + _product_cycles(product_of(store, machine), layouts, machine)
        planned = plan(store)
    except EmitError:
        return None
    groups, rest = group_counts(planned, machine)
    tail = _group_cycles(planned, rest, machine) if rest else 0.0
    layout = layouts[planned.buffers[0].name]
    return mode + groups * _group_cycles(planned, GROUP, machine) + tail + _rows(layout, machine)


def _group_cycles(planned: Pass, count: int, machine: Machine) -> float:
    """Accesses of all banks at once, their rows open."""
    commands = group_commands(planned, count)
    busy = sum(timing(machine, c.name, repeat=c.repeat).occupancy for c in commands)
    return max(float(busy), ISSUE_CYCLES * len(commands))


def _product_cycles(product: Product, layouts: Mapping[str, BankLayout], machine: Machine) -> float:
    """Commands, rows that are opened for each vector, and what the core brings and takes away."""
    rows = _rows(layouts[product.matrix.buffer.name], machine)
    carried = product.vectors * (
        product.depth.size * product.type.bytes + product.row.size * SUM_BYTES
    )
    core = carried / min(machine.mlen_bytes, machine.dram_bytes_per_cycle)
    return product_cycles(product, machine) + product.vectors * rows + core


def _rows(layout: BankLayout, machine: Machine) -> float:
    """Cycles to open the rows that arrays side by side lie in, one after the other."""
    near = near_memory_of(machine)
    if near.kind != "dram":
        return 0.0
    rows = layout.chunks * layout.stride / near.row_bytes
    return rows * row_cycles(machine, precharges=1, activates=1)
