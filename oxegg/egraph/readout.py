"""The physical half of a saturated e-graph as plain Python: classes, nodes, what they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from oxegg.egraph.encode import Encoding
from oxegg.egraph.engine import Table
from oxegg.egraph.schema import MEMORY, PHYSICAL
from oxegg.ir.affine import Axis
from oxegg.ir.term import Term
from oxegg.ir.types import BOOL, TYPES, ElementType

OUTPUT_LAYOUT = 100  # layouts 1..62: a buffer of our own, axis layout-1 innermost
PART_LAYOUT = 1_000_000
TILES = ("a", "r", "n")


@dataclass(frozen=True)
class PhysicalClass:
    """A set of equal ways to have one value in one place."""

    free: int  # axes that the value depends on
    lane: int  # 1 + axis across the lanes, 0 when there is none; of tiles both axes (tile_rules)
    # vector, mask, scalar register; accumulator, input tile, narrowed tile; near-memory banks and
    # registers; memory
    space: Literal["v", "m", "s", "a", "r", "n", "k", "h", "b"]
    type: ElementType
    term: int  # e-class of the logical value


@dataclass(frozen=True)
class PhysicalNode:
    """One way: an instruction, a transfer, a buffer. ``attributes`` are the node's primitives."""

    operator: str
    attributes: tuple[Any, ...]
    children: tuple[int, ...]
    eclass: int


@dataclass(frozen=True)
class PhysicalGraph:
    """What extraction chooses from; ``roots[i]`` is the memory class of output ``i``.

    ``terms``: logical e-class to the kernel's own term in it.
    """

    encoding: Encoding
    classes: Mapping[int, PhysicalClass]
    nodes: tuple[PhysicalNode, ...]
    roots: tuple[int, ...]
    terms: Mapping[int, Term]


def read_out(encoding: Encoding, tables: Mapping[str, Table]) -> PhysicalGraph:
    """Decode the child's tables. Nodes that put an invariant value into lanes are left out."""
    free = {row[0]: row[1] for row in tables["free"].rows}
    types = _types(encoding, tables)
    classes = _classes(tables, free, types)
    lists = _lists(tables)
    steps = [encoding.axis(fold.attributes[0]) for fold in encoding.folds]
    nodes: list[PhysicalNode] = []
    for name in (*PHYSICAL, *MEMORY):
        table = tables[name]
        for row in table.rows:
            node = _node(name, table.sorts, row, lists)
            place = classes.get(node.eclass)
            if place is not None and place.type is BOOL and place.space == "v":
                continue  # truth values live in masks
            if place is not None and place.space in TILES and name == "Held":
                continue  # states of loops live in registers
            if place is None or (name not in ("Splat", "Alias") and not _lane_is_free(place)):
                continue
            if any(_outside(place, step) for step in steps):
                continue
            if name == "Join" and _mixes_axes(encoding, node):
                continue
            nodes.append(node)
    ids = {row[0]: row[1] for row in tables["Id"].rows}
    memory = {(row[0], row[1]): row[2] for row in tables["Mem"].rows}
    roots = tuple(memory[ids[root], OUTPUT_LAYOUT + i] for i, root in enumerate(encoding.roots))
    terms = {ids[number]: term for number, term in reversed(list(enumerate(encoding.held)))}
    return PhysicalGraph(encoding, classes, tuple(nodes), roots, terms)


def _mixes_axes(encoding: Encoding, node: PhysicalNode) -> bool:
    """Whether a concatenation inside of another's part walks two ways along one axis."""
    number, layout = node.attributes
    _, owns = encoding.concat(number).attributes
    return not _walked(encoding, layout).isdisjoint(owns)


def _walked(encoding: Encoding, layout: int) -> set[Axis]:
    """The axes along which the place of a part is walked; none for a buffer of its own."""
    if layout < PART_LAYOUT:
        return set()
    outer, rest = divmod(layout, PART_LAYOUT)
    number, part = divmod(rest, 1000)
    term = encoding.concat(number - 1)
    axis, owns = term.attributes
    whole = _walked(encoding, outer - 1) | set(term.axes)
    return (whole - {axis}) | ({owns[part]} if owns[part] else set())


def _outside(place: PhysicalClass, step: int) -> bool:
    """Whether a value of single steps of a counted loop is wanted where several of them meet.

    The loop's state never leaves the registers, so nothing that is computed anew in each step is
    in memory, or has one lane for each step.
    """
    each_step = bool(place.free >> step & 1)
    return each_step and (place.space == "b" or place.lane == step + 1)


def _lane_is_free(place: PhysicalClass) -> bool:
    in_lanes = place.lane and place.space not in TILES
    return not in_lanes or bool(place.free >> (place.lane - 1) & 1)


def _classes(
    tables: Mapping[str, Table], free: Mapping[int, int], types: Mapping[int, ElementType]
) -> dict[int, PhysicalClass]:
    classes: dict[int, PhysicalClass] = {}
    for term, lane, space, eclass in tables["At"].rows:
        found = PhysicalClass(free[term], lane, space, types[term], term)
        if eclass not in classes or not _lane_is_free(classes[eclass]):
            classes[eclass] = found
    for term, _, eclass in tables["Mem"].rows:
        classes[eclass] = PhysicalClass(free[term], 0, "b", types[term], term)
    return classes


def _node(
    name: str, sorts: tuple[str, ...], row: tuple[Any, ...], lists: Mapping[int, tuple[int, ...]]
) -> PhysicalNode:
    attributes: list[Any] = []
    children: list[int] = []
    for sort, value in zip(sorts[:-1], row[:-1], strict=True):
        if sort in ("L", "B"):
            children.append(value)
        elif sort in ("LL", "BL"):
            children.extend(lists[value])
        else:
            attributes.append(value)
    return PhysicalNode(name, tuple(attributes), tuple(children), row[-1])


def _lists(tables: Mapping[str, Table]) -> dict[int, tuple[int, ...]]:
    """Cons lists by e-class."""
    cells = {row[2]: (row[0], row[1]) for n in ("LCons", "BCons") for row in tables[n].rows}
    ends = {row[0] for n in ("LNil", "BNil") for row in tables[n].rows}

    def items(cell: int) -> tuple[int, ...]:
        found: list[int] = []
        while cell not in ends:
            head, cell = cells[cell]
            found.append(head)
        return tuple(found)

    return {cell: items(cell) for cell in cells}


def _types(encoding: Encoding, tables: Mapping[str, Table]) -> dict[int, ElementType]:
    """Element type of every logical class, read off its operators' names."""
    types: dict[int, ElementType] = {}
    for row in tables["Leaf"].rows:
        types[row[1]] = encoding.leaf(row[0]).type
    for row in tables["Const"].rows:
        types[row[2]] = TYPES[row[1]]
    for name in ("P1", "P2", "P3"):
        for row in tables[name].rows:
            types[row[-1]] = _operator_type(row[0])
    for name in ("Red", "Scan"):
        for row in tables[name].rows:
            types[row[-1]] = TYPES[row[0].split(".")[1]]
    for row in tables["Cat"].rows:
        types[row[-1]] = encoding.concat(row[0]).type
    for row in tables["Fold"].rows:
        types[row[-1]] = encoding.fold(row[0]).type
    changed = True
    while changed:
        changed = False
        for name, child in (("View", 1), ("Gather", 1)):
            for row in tables[name].rows:
                if row[-1] not in types and row[child] in types:
                    types[row[-1]] = types[row[child]]
                    changed = True
    return types


def _operator_type(key: str) -> ElementType:
    parts = key.split(".")
    if len(parts) == 3:
        return TYPES[parts[2]]
    return BOOL if parts[0] in ("eq", "ne", "lt", "le") else TYPES[parts[1]]
