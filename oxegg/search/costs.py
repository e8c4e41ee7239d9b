"""What physical nodes cost on one machine: local work times how often it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from oxegg.costmodels import Machine, timing
from oxegg.costmodels.timing import full_tile
from oxegg.egraph.near_memory_rules import RESULTS as BANK_RESULTS
from oxegg.egraph.readout import OUTPUT_LAYOUT, PhysicalGraph, PhysicalNode
from oxegg.egraph.tile_rules import tile_axes
from oxegg.emit.physical import Access, Buffer
from oxegg.ir.types import TYPES, U8, ElementType
from oxegg.rules.tensor_engine import OPERATIONS as TILE_OPERATIONS
from oxegg.rules.tensor_engine import PRODUCTS
from oxegg.rules.vector_engine import FORMS
from oxegg.search.layouts import buffer_strides, source_access
from oxegg.search.tile_graph import GROUP_BYTES, product_depth, tile_count, tile_reuse, tiles

SCALAR_COST = 0.7  # cycles of one scalar instruction that shares its cycle with another
BUFFER_COST = 12.0  # cycles around a loop nest: pointers, latencies
ISSUE_COST = 0.3  # what a vector instruction costs beyond its unit's time
LANE_FOLD_COST = 25.0  # from the last accumulation to the scalar result
TILE_START_COST = 30.0  # shapes set, the first tiles loaded, the last ones stored
TILE_LOAD_SHARE = 0.5  # of the time of tile loads that doesn't hide behind products
LEAST_COST = 0.01  # everything costs something: cycles through free nodes must not pay
USUAL_LMUL, LARGEST_LMUL = 4, 8
_SLOW_SCALAR = {"div": 15.0, "sqrt": 15.0, "reciprocal": 15.0, "quotient": 20.0, "remainder": 20.0}
_FIELDS = 8  # of a segment access that takes neighbouring elements along
SEGMENT_COST = 1.25  # of a segment access over its unit's time: nothing chains with it

Objective = Literal["cycles", "instructions"]
Handler = Callable[["Costs", PhysicalNode, int], float]


class Costs:
    """Absolute costs of the nodes of one graph on one machine."""

    def __init__(
        self, graph: PhysicalGraph, machine: Machine, objective: Objective = "cycles"
    ) -> None:
        self.graph, self.machine, self.objective = graph, machine, objective
        self.axes = graph.encoding.axes
        self.sources = {node.eclass: node for node in reversed(graph.nodes)}
        widest = max((c.type.bits for c in graph.classes.values()), default=32)
        lmul = USUAL_LMUL if objective == "cycles" else LARGEST_LMUL
        self.reuse = tile_reuse(graph, machine)
        self.most_lanes = max(1, lmul * machine.vlen // max(widest, 8))

    def cost(self, node: PhysicalNode) -> float:
        """Cycles that the node adds to the program, over all its executions."""
        mask = self.graph.classes[node.eclass].free
        for child in node.children:
            mask |= self.graph.classes[child].free
        handler = _HANDLERS.get(node.operator)
        return handler(self, node, mask) if handler else LEAST_COST

    def points(self, mask: int, lane: int) -> tuple[float, int]:
        """(instructions, lanes each) to cover the axes in ``mask`` with ``lane`` in strips."""
        total, lanes = 1.0, 1
        for number, axis in enumerate(self.axes):
            if not mask >> number & 1:
                continue
            if number == lane - 1:
                lanes = min(axis.size, self.most_lanes)
                total *= axis.size / lanes
            else:
                total *= axis.size
        return total, lanes

    def vector(self, name: str, sew: ElementType, mask: int, lane: int) -> float:
        """An instruction over all points of ``mask`` in strips along ``lane``."""
        count, lanes = self.points(mask, lane)
        if self.objective == "instructions":
            return count
        bits = max(sew.bits, 8)
        lmul = _lmul(lanes * bits, self.machine.vlen)
        occupancy = timing(self.machine, name, vl=lanes, sew=bits, lmul=lmul).occupancy
        return count * (occupancy + ISSUE_COST)

    def walk(self, node: PhysicalNode) -> Access:
        """How a load walks its buffer, whichever way that is filled."""
        view = node.attributes[0] if node.operator in ("LoadView", "TLoadView") else None
        return source_access(self.graph, self.sources[node.children[0]], view)


def _lmul(bits: int, vlen: int) -> int:
    lmul = 1
    while lmul * vlen < bits:
        lmul *= 2
    return min(lmul, 8)


def _instruction(costs: Costs, node: PhysicalNode, mask: int) -> float:
    key = node.attributes[0]
    if key.startswith("s:"):
        name, type_ = key[2:].split(".")[:2]
        narrow = TYPES[type_].is_integer and TYPES[type_].bits < 32
        each = _SLOW_SCALAR.get(name, SCALAR_COST) + (SCALAR_COST if narrow else 0)
        return costs.points(mask, 0)[0] * each
    form = FORMS[key]
    lane = costs.graph.classes[node.eclass].lane
    return costs.vector(form.encodings[0].instruction, form.sew, mask, lane)


def _lanes(costs: Costs, node: PhysicalNode, mask: int) -> float:
    form = FORMS[node.attributes[0]]
    lane = node.attributes[1] + 1
    work = costs.vector(form.encodings[0].instruction, form.sew, mask, lane)
    results, _ = costs.points(costs.graph.classes[node.eclass].free, 0)
    return work + LANE_FOLD_COST * results


def _count(costs: Costs, node: PhysicalNode, mask: int) -> float:
    lane = node.attributes[0] + 1
    return costs.vector("vcpop.m", U8, mask, lane) + costs.points(mask, lane)[0]


def _load(costs: Costs, node: PhysicalNode, mask: int) -> float:
    place = costs.graph.classes[node.eclass]
    if place.lane == 0:
        return costs.points(place.free, 0)[0] * SCALAR_COST
    access = costs.walk(node)
    stride = access.stride(costs.axes[place.lane - 1])
    del mask
    return _memory(costs, "l", access, stride, place.type, place.free, place.lane)


def _stored(costs: Costs, node: PhysicalNode, mask: int) -> float:
    layout, lane = node.attributes
    place = costs.graph.classes[node.eclass]
    fixed = BUFFER_COST if layout < OUTPUT_LAYOUT else 0.0
    if lane == 0:
        return fixed + costs.points(mask, 0)[0] * SCALAR_COST
    strides = buffer_strides(costs.graph, layout, place.free, place.type)
    access = Access(Buffer("", place.type, 1, "scratch", 0), tuple(strides.items()))
    stride = access.stride(costs.graph.encoding.axis_at(lane - 1))
    return fixed + _memory(costs, "s", access, stride, place.type, mask, lane)


def _memory(
    costs: Costs, letter: str, access: Access, stride: int, type_: ElementType, mask: int, lane: int
) -> float:
    """Unit-stride, strided, or strided with the neighbours in one segment access."""
    bits = max(type_.bits, 8)
    if stride == type_.bytes:
        return costs.vector(f"v{letter}e{bits}.v", type_, mask, lane)
    strided = costs.vector(f"v{letter}se{bits}.v", type_, mask, lane)
    neighbours = max((a.size for a, s in access.strides if s == type_.bytes), default=1)
    record = abs(stride) // type_.bytes  # of small records usually all fields are wanted
    fields = min(_FIELDS, max(neighbours, record if record <= _FIELDS else 1))
    if fields < 2:
        return strided
    together = costs.vector(f"v{letter}sseg{fields}e{bits}.v", type_, mask, lane) / fields
    return min(strided, SEGMENT_COST * together)


def _splat(costs: Costs, node: PhysicalNode, mask: int) -> float:
    del node
    return costs.points(mask, 0)[0] * 1.5 if mask else 0.2


def _scan(costs: Costs, node: PhysicalNode, mask: int) -> float:
    _, axis, lane = node.attributes
    count, lanes = costs.points(mask, lane)
    steps = lanes.bit_length() * 3 + 8 if lane == axis + 1 else 2
    return count * steps * (2.0 if lane else SCALAR_COST)


def _gather(costs: Costs, node: PhysicalNode, mask: int) -> float:
    count, lanes = costs.points(mask, node.attributes[1])
    return count * (lanes + 8 if node.attributes[1] else 5 * SCALAR_COST)


def _fold(costs: Costs, node: PhysicalNode, mask: int) -> float:
    return costs.points(mask, node.attributes[1])[0]


def _product(costs: Costs, node: PhysicalNode, mask: int) -> float:
    """Products of tiles: groups of bytes along the reduced axis for every block of the result."""
    key = node.attributes[0]
    rows, _, row_bytes = full_tile(costs.machine)
    groups = row_bytes // GROUP_BYTES
    each = timing(costs.machine, PRODUCTS[key].instruction)
    depth = product_depth(costs.graph, node) / GROUP_BYTES
    place = costs.graph.classes[node.eclass]
    axis = node.attributes[1]
    blocks = 1.0
    for number, other in enumerate(costs.axes):
        if mask >> number & 1 and number != axis:
            in_tile = number in tile_axes(place.lane)
            blocks *= tiles(other.size, rows) if in_tile else other.size
    if costs.objective == "instructions":
        return blocks * tiles(depth, groups)
    return TILE_START_COST + each.latency + blocks * depth * each.occupancy / groups


def _tile_load(costs: Costs, node: PhysicalNode, mask: int) -> float:
    """Every tile is loaded for as many products as two accumulators in its direction save."""
    del mask
    place = costs.graph.classes[node.eclass]
    number = tile_count(costs.graph, costs.machine, place)
    if costs.objective == "instructions":
        return number * costs.reuse.get(node.eclass, 1.0)
    rows = tile_axes(place.lane)[0]
    in_order = place.space == "a" or costs.walk(node).stride(costs.axes[rows]) != place.type.bytes
    letter = "ox.tld.a" if in_order else f"ox.tldat.{'bhw'[place.type.bytes // 2]}"
    occupancy = timing(costs.machine, letter).occupancy
    return number * costs.reuse.get(node.eclass, 1.0) * occupancy * TILE_LOAD_SHARE


def _tile_store(costs: Costs, node: PhysicalNode, mask: int) -> float:
    del mask
    layout, _ = node.attributes
    place = costs.graph.classes[node.children[0]]
    number = tile_count(costs.graph, costs.machine, place)
    fixed = BUFFER_COST if layout < OUTPUT_LAYOUT else 0.0
    return fixed + number * timing(costs.machine, "ox.tst.c").occupancy


def _tile_operation(costs: Costs, node: PhysicalNode, mask: int) -> float:
    del mask
    number = tile_count(costs.graph, costs.machine, costs.graph.classes[node.eclass])
    instruction = TILE_OPERATIONS[node.attributes[0]].instruction
    return number * timing(costs.machine, instruction).occupancy


def _bank_pass(costs: Costs, node: PhysicalNode, mask: int) -> float:
    """One access for every register's worth of elements, in all banks at once."""
    size = costs.graph.classes[node.children[-1]].type.bytes
    points, _ = costs.points(mask, 0)
    return LEAST_COST + points * size / costs.machine.near_memory_bytes_per_cycle


_HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(("TMul", "TMulFrom"), _product),
    **dict.fromkeys(("TLoad", "TLoadView"), _tile_load),
    "TStored": _tile_store,
    **dict.fromkeys((*BANK_RESULTS, "NIns", "NStart", "NMac", "NAdd"), _bank_pass),
    "TOp": _tile_operation,
    **dict.fromkeys(("Ins1", "Ins2", "Ins3", "Ins4", "Acc1", "Acc2"), _instruction),
    **dict.fromkeys(("Lanes1", "Lanes2"), _lanes),
    **dict.fromkeys(("Load", "LoadView"), _load),
    "Count": _count,
    "Stored": _stored,
    "Splat": _splat,
    "ScanL": _scan,
    "GatherL": _gather,
    "FoldL": _fold,
}
