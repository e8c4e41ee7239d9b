"""Where elements lie: layout codes of the e-graph as byte strides, views as accesses."""

from __future__ import annotations

from collections.abc import Sequence

from oxegg.egraph.readout import OUTPUT_LAYOUT, PART_LAYOUT, PhysicalGraph, PhysicalNode
from oxegg.emit.physical import Access, Buffer
from oxegg.ir.affine import Affine, Axis
from oxegg.ir.types import ElementType


def viewed(access: Access, index: tuple[tuple[Axis, Affine], ...]) -> Access:
    """Walk ``access`` through an index map."""
    mapping = dict(index)
    offset, sums = access.offset, dict[Axis, int]()
    for axis, stride in access.strides:
        affine = mapping.get(axis, Affine.axis(axis))
        offset += stride * affine.offset
        for other, coefficient in affine.terms:
            sums[other] = sums.get(other, 0) + stride * coefficient
    ordered = sorted(((a, s) for a, s in sums.items() if s), key=lambda item: item[0].name)
    return Access(access.buffer, tuple(ordered), offset)


def source_access(graph: PhysicalGraph, source: PhysicalNode, view: int | None) -> Access:
    """How a load walks the buffer that ``source`` fills, through view number ``view``."""
    place = graph.classes[source.eclass]
    if source.operator == "InBuf":
        leaf = graph.encoding.leaf(source.attributes[0])
        strides = row_major(leaf.attributes[1], leaf.type)
        buffer = Buffer(leaf.attributes[0], leaf.type, leaf.size, "input", 0)
    else:
        layout = source.attributes[1 if source.operator == "Join" else 0]
        strides = list(buffer_strides(graph, layout, place.free, place.type).items())
        buffer = Buffer("temporary", place.type, 1, "scratch", 0)
    access = Access(buffer, tuple(strides))
    return access if view is None else viewed(access, graph.encoding.view(view))


def row_major(layout: Sequence[Axis], type_: ElementType) -> list[tuple[Axis, int]]:
    """Byte strides of a dense array, ``layout`` outermost first."""
    strides: list[tuple[Axis, int]] = []
    step = type_.bytes
    for axis in reversed(layout):
        strides.append((axis, step))
        step *= axis.size
    return strides[::-1]


def buffer_strides(
    graph: PhysicalGraph, layout: int, free: int, type_: ElementType
) -> dict[Axis, int]:
    """Byte strides of a buffer with a layout code (readout.py)."""
    encoding = graph.encoding
    if layout >= PART_LAYOUT:
        outer, rest = divmod(layout, PART_LAYOUT)
        number, part = divmod(rest, 1000)
        term = encoding.concats[number - 1]
        strides = buffer_strides(graph, outer - 1, encoding.mask(term.axes), type_)
        axis, owns = term.attributes
        own = owns[part]
        step = strides.pop(axis)
        return {**strides, own: step} if own else strides
    if layout >= OUTPUT_LAYOUT:
        output = encoding.kernel.outputs[layout - OUTPUT_LAYOUT]
        return dict(row_major(output.layout, type_))
    axes = [a for i, a in enumerate(encoding.axes) if free >> i & 1]
    inner = encoding.axes[layout - 1]
    return dict(row_major([*(a for a in axes if a != inner), inner], type_))


def part_offset(graph: PhysicalGraph, layout: int, type_: ElementType) -> int:
    """Bytes from the start of the whole buffer to the part that a layout code names."""
    total = 0
    while layout >= PART_LAYOUT:
        outer, rest = divmod(layout, PART_LAYOUT)
        number, part = divmod(rest, 1000)
        term = graph.encoding.concats[number - 1]
        strides = buffer_strides(graph, outer - 1, graph.encoding.mask(term.axes), type_)
        axis, owns = term.attributes
        before = sum(own.size if own else 1 for own in owns[:part])
        total += before * strides[axis]
        layout = outer - 1
    return total
