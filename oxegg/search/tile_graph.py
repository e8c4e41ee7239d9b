"""Which tile nodes of a graph a machine can execute, and how often each of their tiles is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil

from oxegg.costmodels import Machine
from oxegg.costmodels.timing import full_tile
from oxegg.egraph.readout import PhysicalClass, PhysicalGraph, PhysicalNode
from oxegg.egraph.tile_rules import STORED, tile_axes
from oxegg.emit.physical import Access
from oxegg.ir.affine import Axis
from oxegg.rules.tensor_engine import PRODUCTS
from oxegg.search.layouts import buffer_strides, source_access

PRODUCT_NODES = ("TMul", "TMulFrom")
TILE_NODES = (*PRODUCT_NODES, "TSum", "TOp", "TLoad", "TLoadView", STORED)
GROUP_BYTES = 4
"""A row of a tile counts in groups of so many bytes: what a cell of the array takes per cycle."""
ACCUMULATOR_BYTES = 4


def realizable_tiles(graph: PhysicalGraph, machine: Machine) -> PhysicalGraph:
    """``graph`` without the tile nodes that ``machine`` can't execute."""
    if machine.tensor is None:
        return replace(graph, nodes=tuple(n for n in graph.nodes if n.operator not in TILE_NODES))
    sources = {node.eclass: node for node in reversed(graph.nodes)}
    kept = tuple(n for n in graph.nodes if _executes(graph, n, sources))
    return replace(graph, nodes=kept)


def _executes(
    graph: PhysicalGraph, node: PhysicalNode, sources: Mapping[int, PhysicalNode]
) -> bool:
    if node.operator == STORED:
        return _stores(graph, node)
    if node.operator in ("TLoad", "TLoadView"):
        return _loads(graph, node, sources)
    if node.operator in PRODUCT_NODES:
        return product_depth(graph, node) % GROUP_BYTES == 0
    return True


def product_depth(graph: PhysicalGraph, node: PhysicalNode) -> int:
    """Bytes of a row of the first factor: the reduced axis."""
    key, axis = node.attributes
    return graph.encoding.axis_at(axis).size * PRODUCTS[key].left.bytes


def _axes(graph: PhysicalGraph, code: int) -> tuple[Axis, Axis]:
    rows, columns = tile_axes(code)
    return graph.encoding.axis_at(rows), graph.encoding.axis_at(columns)


def _stores(graph: PhysicalGraph, node: PhysicalNode) -> bool:
    """Rows of a block are contiguous; narrowed ones are whole groups of bytes."""
    layout, code = node.attributes
    place = graph.classes[node.eclass]
    strides = buffer_strides(graph, layout, place.free, place.type)
    _, columns = _axes(graph, code)
    whole = columns.size * place.type.bytes % GROUP_BYTES == 0
    return strides.get(columns) == place.type.bytes and whole


def _loads(graph: PhysicalGraph, node: PhysicalNode, sources: Mapping[int, PhysicalNode]) -> bool:
    """Input tiles: rows or columns are contiguous. Accumulators: rows, or one row for all."""
    access = load_access(graph, node, sources)
    place = graph.classes[node.eclass]
    size = place.type.bytes
    rows, columns = _axes(graph, place.lane)
    if access is None:
        return False
    if place.space == "a":
        return access.stride(columns) == size == ACCUMULATOR_BYTES
    return place.space == "r" and size in (access.stride(rows), access.stride(columns))


def load_access(
    graph: PhysicalGraph, node: PhysicalNode, sources: Mapping[int, PhysicalNode]
) -> Access | None:
    """How a tile load walks its buffer; None when nothing fills it."""
    source = sources.get(node.children[0])
    view = node.attributes[0] if node.operator == "TLoadView" else None
    return source_access(graph, source, view) if source is not None else None


def tile_count(graph: PhysicalGraph, machine: Machine, place: PhysicalClass) -> float:
    """Tiles that hold a whole value."""
    rows, _, row_bytes = full_tile(machine)
    number = 1.0
    pair = tile_axes(place.lane)
    for axis, named in enumerate(graph.encoding.axes):
        if not place.free >> axis & 1:
            continue
        deep = place.space == "r" and axis == pair[1]
        step = (row_bytes // place.type.bytes if deep else rows) if axis in pair else 1
        number *= tiles(named.size, step)
    return number


def tile_reuse(graph: PhysicalGraph, machine: Machine) -> dict[int, float]:
    """How often each tile of an operand is loaded when blocks of 2 x 2 tiles are computed."""
    if machine.tensor is None:
        return {}
    reuse: dict[int, float] = {}
    for node in graph.nodes:
        if node.operator in PRODUCT_NODES:
            result = graph.classes[node.eclass]
            for child in node.children[:2]:
                others = result.free & ~graph.classes[child].free
                number = tile_count(graph, machine, replace(result, free=others))
                reuse[child] = max(reuse.get(child, 1.0), number / 2)
    return reuse


def tiles(size: float, step: int) -> int:
    """Steps to cover ``size``."""
    return ceil(size / step)
