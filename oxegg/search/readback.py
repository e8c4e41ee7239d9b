"""Extraction's choice as a physical program: values, buffers, stores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from oxegg.egraph.near_memory_rules import PRODUCT as BANK_PRODUCT
from oxegg.egraph.near_memory_rules import RELU as BANK_RELU
from oxegg.egraph.near_memory_rules import STORED as BANK_STORED
from oxegg.egraph.near_memory_rules import SUM as BANK_SUM
from oxegg.egraph.near_memory_rules import TOTAL as BANK_TOTAL
from oxegg.egraph.readout import OUTPUT_LAYOUT, PART_LAYOUT, TILES, PhysicalGraph, PhysicalNode
from oxegg.egraph.tile_rules import STORED, tile_axes
from oxegg.emit.physical import Access, Buffer, PhysicalProgram, Space, Value, ValueKind, walk
from oxegg.errors import LoweringError
from oxegg.ir.affine import Axis
from oxegg.ir.term import Term
from oxegg.ir.types import BOOL, TYPES, U8
from oxegg.rules.near_memory import OPERATIONS as BANK_OPERATIONS
from oxegg.rules.tensor_engine import OPERATIONS, PRODUCTS
from oxegg.rules.vector_engine import SELECTIONS
from oxegg.search.layouts import buffer_strides, part_offset, row_major, viewed

REDUCTION_OF = {row.form.key: row.reduction for row in SELECTIONS if row.reduction}
"""Key of an accumulating form to the reduction that it performs."""


def read_back(graph: PhysicalGraph, chosen: Mapping[int, PhysicalNode]) -> PhysicalProgram:
    """The program of one chosen node per e-class."""
    return _ReadBack(graph, chosen).program()


class _ReadBack:
    """Builds physical values for the chosen nodes."""

    def __init__(self, graph: PhysicalGraph, chosen: Mapping[int, PhysicalNode]) -> None:
        self.graph, self.chosen = graph, chosen
        self.encoding = graph.encoding
        self.values: dict[int, Value] = {}
        self.buffers: dict[int, Access] = {}
        self.stores: list[Value] = []
        self.states: dict[tuple[int, int], Value] = {}

    def program(self) -> PhysicalProgram:
        kernel = self.encoding.kernel
        outputs: list[Buffer] = []
        for i, (output, root) in enumerate(zip(kernel.outputs, self.graph.roots, strict=True)):
            type_ = U8 if output.value.type is BOOL else output.value.type
            size = 1
            for axis in output.layout:
                size *= axis.size
            buffer = Buffer(f"output {output.name}", type_, size, "output", i)
            outputs.append(buffer)
            self._fill(root, OUTPUT_LAYOUT + i, buffer)
        inputs = tuple(self._parameter(i, term) for i, term in enumerate(kernel.inputs))
        _check_states(self.stores)
        return PhysicalProgram(kernel.name, inputs, tuple(outputs), self.stores)

    def _parameter(self, position: int, term: Term) -> Buffer | Value:
        name = term.attributes[0]
        type_ = U8 if term.type is BOOL else term.type
        if not term.axes:
            return Value("argument", type_, frozenset(), name=name)
        return Buffer(name, type_, term.size, "input", position)

    def _axes(self, mask: int) -> frozenset[Axis]:
        return frozenset(a for i, a in enumerate(self.encoding.axes) if mask >> i & 1)

    def _fill(self, eclass: int, layout: int, buffer: Buffer) -> None:
        """Stores that fill ``buffer`` with the value of a memory class."""
        node = self.chosen[eclass]
        if node.operator == "Join":
            number = node.attributes[0]
            for part, child in enumerate(node.children):
                code = PART_LAYOUT * (layout + 1) + 1000 * (number + 1) + part
                self._fill(child, code, buffer)
            return
        if node.operator in (BANK_STORED, BANK_RELU, BANK_SUM, BANK_TOTAL):
            self._fill_near_memory(node, layout, buffer)
            return
        if node.operator == BANK_PRODUCT:
            self._fill_product(node, layout, buffer)
            return
        place = self.graph.classes[eclass]
        lane = node.attributes[1]
        source = self._value(node.children[0])
        strides = buffer_strides(self.graph, layout, place.free, buffer.type)
        offset = part_offset(self.graph, layout, buffer.type)
        access = Access(buffer, tuple(sorted(strides.items(), key=lambda s: s[0].name)), offset)
        if node.operator == STORED:
            store = Value(
                "store", buffer.type, frozenset(strides), None, source.space, (source,),
                access=access, tile=source.tile,
            )  # fmt: skip
            self.stores.append(store)
            return
        lane_axis = self.encoding.axis_at(lane - 1) if lane else None
        space: Space = "v" if lane else "s"
        axes = frozenset(strides)
        store = Value("store", buffer.type, axes, lane_axis, space, (source,), access=access)
        self.stores.append(store)

    def _fill_near_memory(self, node: PhysicalNode, layout: int, buffer: Buffer) -> None:
        """The store of what near-memory units compute: a banked array, or one sum."""
        place = self.graph.classes[node.eclass]
        strides = buffer_strides(self.graph, layout, place.free, buffer.type)
        access = Access(buffer, tuple(sorted(strides.items(), key=lambda s: s[0].name)))
        if node.operator in (BANK_SUM, BANK_TOTAL):
            key, axis = node.attributes
            factors = tuple(self._value(c) for c in node.children)
            source = Value(
                "bank sum", buffer.type, frozenset(), None, "h", factors, form=key,
                axis=self.encoding.axis_at(axis),
            )  # fmt: skip
        else:
            source = self._value(node.children[0])
        banks = [v.access for v in walk([source]) if v.kind == "bank" and v.access]
        expected = [access, *banks] if access.strides else banks
        if any(not _alike(expected[0], other) for other in expected):
            raise LoweringError("near-memory units need arrays of one layout")
        axes = frozenset(strides)
        form = "ox.nm.st.relu" if node.operator == BANK_RELU else "ox.nm.st"
        self.stores.append(
            Value("store", buffer.type, axes, None, "h", (source,), access=access, form=form)
        )

    def _fill_product(self, node: PhysicalNode, layout: int, buffer: Buffer) -> None:
        """The store of a banked matrix times vectors: near-memory units add, the core stores."""
        _, key, axis = node.attributes
        place, vector = self.graph.classes[node.eclass], self.graph.classes[node.children[1]]
        strides = buffer_strides(self.graph, layout, place.free, buffer.type)
        axes = frozenset(strides)
        factor = Value(
            "bank factor", vector.type, self._axes(vector.free),
            access=self._memory(node.children[1]),
        )  # fmt: skip
        source = Value(
            "bank product", buffer.type, axes, None, "h", (self._value(node.children[0]), factor),
            form=key, axis=self.encoding.axis_at(axis),
        )  # fmt: skip
        access = Access(
            buffer, tuple(strides.items()), part_offset(self.graph, layout, buffer.type)
        )
        self.stores.append(Value("store", buffer.type, axes, None, "h", (source,), access=access))

    def _memory(self, eclass: int) -> Access:
        """The buffer of a memory class, filled on first use."""
        if eclass not in self.buffers:
            node = self.chosen[eclass]
            if node.operator == "InBuf":
                leaf = self.encoding.leaf(node.attributes[0])
                name, layout = leaf.attributes
                buffer = Buffer(name, leaf.type, leaf.size, "input", 0)
                self.buffers[eclass] = Access(buffer, tuple(row_major(layout, leaf.type)))
            else:
                self.buffers[eclass] = self._scratch(eclass, node)
        return self.buffers[eclass]

    def _scratch(self, eclass: int, node: PhysicalNode) -> Access:
        place = self.graph.classes[eclass]
        layout = node.attributes[1] if node.operator == "Join" else node.attributes[0]
        axes = self._axes(place.free)
        size = 1
        for axis in axes:
            size *= axis.size
        buffer = Buffer(f"scratch {eclass}", place.type, size, "scratch", 0)
        self._fill(eclass, layout, buffer)
        strides = buffer_strides(self.graph, layout, place.free, place.type)
        return Access(buffer, tuple(strides.items()))

    def _value(self, eclass: int) -> Value:
        """The value of a class, operands first (a program can be thousands of values deep)."""
        waiting = [eclass]
        while waiting:
            node = self.chosen[waiting[-1]]
            missing = [c for c in self._operands(node) if c not in self.values]
            if missing:
                waiting += missing
            elif waiting.pop() not in self.values:
                self.values[node.eclass] = _MAKERS[node.operator](self, node)
        return self.values[eclass]

    def _operands(self, node: PhysicalNode) -> list[int]:
        """Children that are values, not buffers."""
        return [c for c in node.children if self.graph.classes[c].space != "b"]

    def make(self, node: PhysicalNode, kind: ValueKind, **more: Any) -> Value:
        """A value with what its class says about it; ``more`` are further fields."""
        place = self.graph.classes[node.eclass]
        assert place.space != "b"
        in_tiles = place.space in TILES
        lane = self.encoding.axes[place.lane - 1] if place.lane and not in_tiles else None
        operands = tuple(self._value(c) for c in self._operands(node))
        value = Value(kind, place.type, self._axes(place.free), lane, place.space, operands)
        if in_tiles:
            rows, columns = tile_axes(place.lane)
            value.tile = self.encoding.axis_at(rows), self.encoding.axis_at(columns)
        return replace(value, **more)

    def tile_product(self, node: PhysicalNode) -> Value:
        key, axis = node.attributes
        instruction = PRODUCTS[key].instruction
        return self.make(
            node, "tile product", form=instruction, axis=self.encoding.axis_at(axis), name="add"
        )

    def tile_sum(self, node: PhysicalNode) -> Value:
        axis = self.encoding.axis_at(node.attributes[0])
        return self.make(node, "tile sum", axis=axis, name="add")

    def tile_operation(self, node: PhysicalNode) -> Value:
        row = OPERATIONS[node.attributes[0]]
        return self.make(node, "tile operation", form=row.instruction, bits=row.scalar or 0)

    def tile_load(self, node: PhysicalNode) -> Value:
        return self.make(node, "tile load", access=self._memory(node.children[0]))

    def tile_load_view(self, node: PhysicalNode) -> Value:
        access = viewed(self._memory(node.children[0]), self.encoding.view(node.attributes[0]))
        return self.make(node, "tile load", access=access)

    def bank(self, node: PhysicalNode) -> Value:
        return self.make(node, "bank", access=self._memory(node.children[0]))

    def bank_operation(self, node: PhysicalNode) -> Value:
        instruction = BANK_OPERATIONS[node.attributes[0]].instruction
        return self.make(node, "bank operation", form=instruction)

    def instruction(self, node: PhysicalNode) -> Value:
        key = node.attributes[0]
        if key.startswith("s:"):
            return self.make(node, "scalar", form=key[2:])
        return self.make(node, "instruction", form=key)

    def accumulate(self, node: PhysicalNode) -> Value:
        key, axis = node.attributes
        return self.make(
            node, "accumulate", form=key.removeprefix("s:"), axis=self.encoding.axis_at(axis),
            name=self._operator(node),
        )  # fmt: skip

    def lanes(self, node: PhysicalNode) -> Value:
        key, axis = node.attributes
        lane = self.encoding.axis_at(axis)
        return self.make(node, "lanes", form=key, axis=lane, lane=lane, name=self._operator(node))

    def count(self, node: PhysicalNode) -> Value:
        axis = self.encoding.axis_at(node.attributes[0])
        return self.make(node, "count", axis=axis, lane=axis, name="add")

    def _operator(self, node: PhysicalNode) -> str:
        """The reduction an accumulation performs."""
        key = node.attributes[0]
        if key.startswith("s:"):
            name = key[2:].split(".")[0]
            return "add" if name == "fma" else name
        return REDUCTION_OF[key]

    def load(self, node: PhysicalNode) -> Value:
        return self.make(node, "load", access=self._memory(node.children[0]))

    def load_view(self, node: PhysicalNode) -> Value:
        access = viewed(self._memory(node.children[0]), self.encoding.view(node.attributes[0]))
        return self.make(node, "load", access=access)

    def gather(self, node: PhysicalNode) -> Value:
        axis = self.encoding.axis_at(node.attributes[0])
        return self.make(node, "gather", axis=axis, access=self._memory(node.children[0]))

    def splat(self, node: PhysicalNode) -> Value:
        return self.make(node, "splat")

    def alias(self, node: PhysicalNode) -> Value:
        return self.make(node, "alias")

    def immediate(self, node: PhysicalNode) -> Value:
        bits, name = node.attributes
        type_ = TYPES[name]
        pattern = bits & ((1 << type_.bits) - 1)
        return self.make(node, "immediate", bits=pattern, type=type_, lane=None)

    def argument(self, node: PhysicalNode) -> Value:
        leaf = self.encoding.leaf(node.attributes[0])
        return self.make(node, "argument", name=leaf.attributes[0], lane=None)

    def index(self, node: PhysicalNode) -> Value:
        return self.make(node, "index", axis=self.encoding.axis_at(node.attributes[0]))

    def scan(self, node: PhysicalNode) -> Value:
        key, axis, _ = node.attributes
        return self.make(node, "scan", axis=self.encoding.axis_at(axis), name=key.split(".")[0])

    def held(self, node: PhysicalNode) -> Value:
        lane, number = node.attributes
        return self._held_value(lane, self.encoding.leaf(number))

    def _held_value(self, lane: int, leaf: Term) -> Value:
        key = (lane, id(leaf))
        if key not in self.states:
            fold, number = self._fold_of(leaf)
            axis = self.encoding.axes[lane - 1] if lane else None
            space: Space = "s" if lane == 0 else "m" if leaf.type is BOOL else "v"
            self.states[key] = Value(
                "held", leaf.type, frozenset(leaf.axes), axis, space,
                axis=leaf.attributes[1], name=f"fold{fold}.{lane}/{number}",
            )  # fmt: skip
        return self.states[key]

    def _fold_of(self, leaf: Term) -> tuple[int, int]:
        for number, fold in enumerate(self.encoding.folds):
            states = fold.children[: len(fold.attributes[1])]
            for i, state in enumerate(states):
                if state is leaf:
                    return number, i
        raise LoweringError("a loop state without its loop")

    def fold(self, node: PhysicalNode) -> Value:
        number, lane = node.attributes
        fold = self.encoding.fold(number)
        axis, names, which = fold.attributes
        states = tuple(self._held_value(lane, s) for s in fold.children[: len(names)])
        first = self._fold_of(fold.children[0])[0]
        return self.make(
            node, "fold", axis=axis, number=which, states=states, name=f"fold{first}.{lane}"
        )


def _alike(first: Access, second: Access) -> bool:
    """Whether two arrays have their elements in the same order and of the same size."""
    same = first.buffer.elements == second.buffer.elements
    return same and dict(first.strides) == dict(second.strides)


def _check_states(stores: Sequence[Value]) -> None:
    """Refuse programs that use the state of a loop outside of it, or across other lanes."""
    held: dict[int, frozenset[str]] = {}
    for value in walk(stores):
        own = {value.name.rpartition("/")[0]} if value.kind == "held" else set[str]()
        closed = {value.name} if value.kind == "fold" else set[str]()
        held[id(value)] = frozenset(own).union(*(held[id(o)] for o in value.operands)) - closed
    if any(held[id(store)] for store in stores):
        raise LoweringError("the state of a loop is used outside of it")


_MAKERS: dict[str, Callable[[_ReadBack, PhysicalNode], Value]] = {
    **dict.fromkeys(("Ins1", "Ins2", "Ins3", "Ins4"), _ReadBack.instruction),
    **dict.fromkeys(("Acc1", "Acc2"), _ReadBack.accumulate),
    **dict.fromkeys(("Lanes1", "Lanes2"), _ReadBack.lanes),
    "Count": _ReadBack.count,
    "Load": _ReadBack.load,
    "LoadView": _ReadBack.load_view,
    "GatherL": _ReadBack.gather,
    "Splat": _ReadBack.splat,
    "Alias": _ReadBack.alias,
    "Imm": _ReadBack.immediate,
    "Arg": _ReadBack.argument,
    "Index": _ReadBack.index,
    "ScanL": _ReadBack.scan,
    "Held": _ReadBack.held,
    "FoldL": _ReadBack.fold,
    **dict.fromkeys(("TMul", "TMulFrom"), _ReadBack.tile_product),
    "TSum": _ReadBack.tile_sum,
    "TOp": _ReadBack.tile_operation,
    "TLoad": _ReadBack.tile_load,
    "TLoadView": _ReadBack.tile_load_view,
    "NBank": _ReadBack.bank,
    "NIns": _ReadBack.bank_operation,
    "NStart": lambda self, node: self.make(node, "bank start"),
    "NMac": lambda self, node: self.make(node, "bank multiply"),
    "NAdd": lambda self, node: self.make(node, "bank add"),
}
