"""What a program has to do at least, for the roofline."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from oxegg.costmodels import KernelWork, Machine, Roofline, Traffic, roofline
from oxegg.egraph.near_memory_rules import PRODUCT, RELU, SUM, TOTAL
from oxegg.egraph.readout import PhysicalGraph, PhysicalNode
from oxegg.emit.banked import GROUP
from oxegg.emit.lowering.bank_products import registers_each
from oxegg.emit.physical import Buffer, PhysicalProgram, walk
from oxegg.rules.tensor_engine import PRODUCTS
from oxegg.rules.vector_engine import FORMS
from oxegg.search.tile_graph import PRODUCT_NODES

_KINDS = (  # prefix of the instruction, kind of costmodels.roofline
    ("vfmin", "extremum"), ("vfmax", "extremum"), ("vmin", "int"), ("vmax", "int"),
    ("vfdiv", "div"), ("vfrdiv", "div"), ("vfsqrt", "sqrt"), ("vfadd", "fma"), ("vfsub", "fma"),
    ("vfrsub", "fma"), ("vfmul", "fma"), ("vfm", "fma"), ("vfnm", "fma"), ("vdiv", "idiv"),
    ("vmul", "mul"), ("vmacc", "mul"), ("vadd", "int"), ("vsub", "int"), ("vrsub", "int"),
)  # fmt: skip
BANK_WORK = ("NIns", "NMac", "NAdd", SUM, TOTAL, PRODUCT, RELU)
_NOT_COUNTED = ("vfmerge", "vmf", "vms")


def kernel_roofline(
    graph: PhysicalGraph,
    nodes: Iterable[PhysicalNode],
    program: PhysicalProgram,
    machine: Machine,
    place: str,
) -> Roofline:
    """The bound for this algebra on the scalar and vector engines, and on others that are used.

    Bytes are those of inputs and outputs, each once; operations those that extraction chose.
    """
    gathered = _gathered(program)
    arrays = [b for b in (*program.inputs, *program.outputs) if isinstance(b, Buffer)]
    read = sum(min(b.bytes, gathered.get(b.name, b.bytes)) for b in arrays if b.role == "input")
    written = sum(b.bytes for b in program.outputs)
    banked = [b for b in arrays if b.name in program.banked]
    in_banks = Traffic(
        sum(b.bytes for b in banked if b.role == "input"),
        sum(b.bytes for b in banked if b.role == "output"),
    )
    traffic = Traffic(read, written)
    operations: dict[tuple[str, int], int] = {}
    engines = {"scalar", "vector"}
    for node in nodes:
        if node.operator in PRODUCT_NODES:
            engines.add("tensor")
            _count_products(graph, node, operations)
        if node.operator in BANK_WORK:
            engines.add("near_memory")
            _count_in_banks(graph, node, operations)
        if node.operator in ("Ins2", "Ins3", "Acc1", "Acc2", "Lanes1", "Lanes2"):
            _count(graph, node, operations)
    copied = 0 if operations else min(read, written)
    work = KernelWork(
        spm=traffic if place == "spm" else Traffic(),
        dram=traffic if place == "dram" else Traffic(),
        copied=copied,
        banks=in_banks,
        **_shared(graph, nodes),
        operations=operations,
    )
    return roofline(machine, work, engines=frozenset(engines))


def _shared(graph: PhysicalGraph, nodes: Iterable[PhysicalNode]) -> dict[str, int]:
    """Bytes in banks that are multiplied by broadcast numbers, and the units' accumulators."""
    found = [graph.classes[n.children[0]] for n in nodes if n.operator == PRODUCT]
    if not found:
        return {}
    sizes = [_points(graph, place.free) * place.type.bytes for place in found]
    return {
        "shared": sum(sizes),
        "accumulators": max(GROUP // registers_each(place.type) for place in found),
    }


def _gathered(program: PhysicalProgram) -> dict[str, int]:
    """Most bytes of each buffer that is read at computed positions only."""
    found: dict[str, int] = {}
    whole: set[str] = set()
    for value in walk(program.stores):
        if value.access is None or value.kind == "store":
            continue
        name, size = value.access.buffer.name, value.type.bytes
        if value.kind == "gather":
            found[name] = found.get(name, 0) + prod(a.size for a in value.axes) * size
        else:
            whole.add(name)
    return {name: size for name, size in found.items() if name not in whole}


def _count_products(
    graph: PhysicalGraph, node: PhysicalNode, operations: dict[tuple[str, int], int]
) -> None:
    """Multiply-accumulates of tiles, by the width of the factors."""
    factor = PRODUCTS[node.attributes[0]].left
    kind = "mac_int" if factor.is_integer else "fma" if factor.bits == 32 else "mac_float"
    mask = 0
    for child in node.children:
        mask |= graph.classes[child].free
    points = _points(graph, mask)
    operations[kind, factor.bits] = operations.get((kind, factor.bits), 0) + points


def _count_in_banks(
    graph: PhysicalGraph, node: PhysicalNode, operations: dict[tuple[str, int], int]
) -> None:
    """One operation for each element of a banked array."""
    last = node.operator in ("NIns", TOTAL, RELU)
    bank = graph.classes[node.children[-1 if last else 1]]
    integer = "mac_int" if node.operator in (SUM, PRODUCT) else "int"
    kind = integer if bank.type.is_integer else "fma"
    key = (kind, bank.type.bits)
    free = bank.free
    if node.operator == PRODUCT:
        free |= graph.classes[node.children[0]].free
    operations[key] = operations.get(key, 0) + _points(graph, free)


def _points(graph: PhysicalGraph, mask: int) -> int:
    sizes = [a.size for number, a in enumerate(graph.encoding.axes) if mask >> number & 1]
    return prod(sizes)


def _count(
    graph: PhysicalGraph, node: PhysicalNode, operations: dict[tuple[str, int], int]
) -> None:
    key = node.attributes[0]
    form = FORMS.get(key)
    if form is None or form.encodings[0].instruction.startswith(_NOT_COUNTED):
        return
    name = form.encodings[0].instruction
    kind = next((kind for prefix, kind in _KINDS if name.startswith(prefix)), None)
    if kind is None:
        return
    mask = graph.classes[node.eclass].free
    for child in node.children:
        mask |= graph.classes[child].free
    points = _points(graph, mask)
    closes = node.operator.startswith(("Acc1", "Lanes1"))
    results = _points(graph, graph.classes[node.eclass].free)
    width = (kind, max(form.type.bits, 8))
    operations[width] = operations.get(width, 0) + points - (results if closes else 0)
