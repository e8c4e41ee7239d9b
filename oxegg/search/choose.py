"""From a saturated e-graph to physical programs: costs, extraction, read-back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from oxegg.costmodels import Machine, timing
from oxegg.egraph.readout import OUTPUT_LAYOUT, PART_LAYOUT, PhysicalGraph, PhysicalNode
from oxegg.emit.physical import Access, Buffer, PhysicalProgram, Value
from oxegg.errors import LoweringError
from oxegg.extraction import Method, Node, Problem, Solution, extract
from oxegg.ir.affine import Affine, Axis
from oxegg.ir.term import Term
from oxegg.ir.types import BOOL, TYPES, U8, ElementType
from oxegg.rules.vector_engine import FORMS

Filter = Callable[[PhysicalNode], bool]
SCALAR_COST = 0.7  # cycles of one scalar instruction that shares its cycle with another
BUFFER_COST = 12.0  # cycles around a loop nest: pointers, latencies
_SLOW_SCALAR = {"div": 15.0, "sqrt": 15.0, "reciprocal": 15.0, "quotient": 20.0, "remainder": 20.0}


@dataclass(frozen=True)
class Choice:
    """An extracted program with what extraction says about it."""

    program: PhysicalProgram
    solution: Solution
    nodes: tuple[PhysicalNode, ...]


class Costs:
    """Absolute cost of physical nodes on one machine: local work times how often it runs."""

    def __init__(self, graph: PhysicalGraph, machine: Machine) -> None:
        self.graph, self.machine = graph, machine
        self.axes = graph.encoding.axes
        widest = max((c.type.bits for c in graph.classes.values()), default=32)
        self.most_lanes = max(1, 4 * machine.vlen // max(widest, 8))

    def cost(self, node: PhysicalNode) -> float:
        place = self.graph.classes[node.eclass]
        mask = place.free
        for child in node.children:
            mask |= self.graph.classes[child].free
        handler = getattr(self, f"_{node.operator.lower()}", None)
        if handler is not None:
            return handler(node, mask)
        return 0.01

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

    def _vector(self, name: str, sew: ElementType, mask: int, lane: int) -> float:
        count, lanes = self.points(mask, lane)
        bits = max(sew.bits, 8)
        lmul = _lmul(lanes * bits, self.machine.vlen)
        occupancy = timing(self.machine, name, vl=lanes, sew=bits, lmul=lmul).occupancy
        return count * (occupancy + 0.3)

    def _lane(self, node: PhysicalNode) -> int:
        return self.graph.classes[node.eclass].lane

    def _instruction(self, node: PhysicalNode, mask: int) -> float:
        key = node.attributes[0]
        if key.startswith("s:"):
            count, _ = self.points(mask, 0)
            name, type_ = key[2:].split(".")[:2]
            narrow = TYPES[type_].is_integer and TYPES[type_].bits < 32
            return count * (_SLOW_SCALAR.get(name, SCALAR_COST) + (SCALAR_COST if narrow else 0))
        form = FORMS[key]
        return self._vector(form.encodings[0].instruction, form.sew, mask, self._lane(node))

    _ins1 = _ins2 = _ins3 = _ins4 = _acc1 = _acc2 = _instruction

    def _lanes1(self, node: PhysicalNode, mask: int) -> float:
        form = FORMS[node.attributes[0]]
        work = self._vector(form.encodings[0].instruction, form.sew, mask, node.attributes[1] + 1)
        count, _ = self.points(self.graph.classes[node.eclass].free, 0)
        return work + 25 * count

    _lanes2 = _lanes1

    def _count(self, node: PhysicalNode, mask: int) -> float:
        work = self._vector("vcpop.m", U8, mask, node.attributes[0] + 1)
        return work + self.points(mask, node.attributes[0] + 1)[0]

    def _load(self, node: PhysicalNode, mask: int) -> float:
        place = self.graph.classes[node.eclass]
        if place.lane == 0:
            return self.points(place.free, 0)[0] * SCALAR_COST
        strided = not self._unit_stride(node, place.lane)
        name = f"vl{'se' if strided else 'e'}{max(place.type.bits, 8)}.v"
        return self._vector(name, place.type, mask if node.operator == "Load" else place.free, place.lane)

    _loadview = _load

    def _unit_stride(self, node: PhysicalNode, lane: int) -> bool:
        axis = self.axes[lane - 1]
        for access in _candidate_accesses(self.graph, node):
            return access.stride(axis) == access.buffer.type.bytes
        return False

    def _stored(self, node: PhysicalNode, mask: int) -> float:
        layout, lane = node.attributes
        place = self.graph.classes[node.eclass]
        fixed = BUFFER_COST if layout < OUTPUT_LAYOUT else 0.0
        if lane == 0:
            return fixed + self.points(mask, 0)[0] * SCALAR_COST
        strides = buffer_strides(self.graph, layout, place.free, place.type)
        unit = strides.get(self.axes[lane - 1], 0) == place.type.bytes
        name = f"vs{'e' if unit else 'se'}{max(place.type.bits, 8)}.v"
        return fixed + self._vector(name, place.type, mask, lane)

    def _splat(self, node: PhysicalNode, mask: int) -> float:
        return self.points(mask, 0)[0] * 1.5 if mask else 0.2

    def _scanl(self, node: PhysicalNode, mask: int) -> float:
        _, axis, lane = node.attributes
        count, lanes = self.points(mask, lane)
        steps = lanes.bit_length() * 3 + 8 if lane == axis + 1 else 2
        return count * steps * (2.0 if lane else SCALAR_COST)

    def _gatherl(self, node: PhysicalNode, mask: int) -> float:
        lane = node.attributes[1]
        count, lanes = self.points(mask, lane)
        return count * (lanes + 8 if lane else 5 * SCALAR_COST)

    def _foldl(self, node: PhysicalNode, mask: int) -> float:
        return self.points(mask, node.attributes[1])[0]


def _lmul(bits: int, vlen: int) -> int:
    lmul = 1
    while lmul * vlen < bits:
        lmul *= 2
    return min(lmul, 8)


def _candidate_accesses(graph: PhysicalGraph, node: PhysicalNode) -> list[Access]:
    """How a load would walk its buffer, whichever way that is filled."""
    memory = node.children[0]
    for candidate in graph.nodes:
        if candidate.eclass == memory:
            return [_load_access(graph, node, candidate)]
    return []


def _load_access(graph: PhysicalGraph, node: PhysicalNode, source: PhysicalNode) -> Access:
    place = graph.classes[source.eclass]
    if source.operator == "InBuf":
        leaf = graph.encoding.leaves[source.attributes[0]]
        strides = dict(_row_major(leaf.attributes[1], leaf.type))
        buffer = Buffer(leaf.attributes[0], leaf.type, leaf.size, "input", 0)
    else:
        strides = buffer_strides(graph, source.attributes[0] if source.operator == "Stored" else source.attributes[1], place.free, place.type)
        buffer = Buffer("temporary", place.type, 1, "scratch", 0)
    if node.operator == "LoadView":
        return viewed(Access(buffer, tuple(strides.items())), graph.encoding.views[node.attributes[0]])
    return Access(buffer, tuple(strides.items()))


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


def _row_major(layout: Sequence[Axis], type_: ElementType) -> list[tuple[Axis, int]]:
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
        return dict(_row_major(output.layout, type_))
    axes = [a for i, a in enumerate(encoding.axes) if free >> i & 1]
    inner = encoding.axes[layout - 1]
    return dict(_row_major([*(a for a in axes if a != inner), inner], type_))


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


def choose(
    graph: PhysicalGraph,
    machine: Machine,
    *,
    keep: Filter = lambda node: True,
    method: Method = "dag",
    seconds: float = 5.0,
) -> Choice:
    """Extract one program; ``keep`` restricts the nodes (lane axes, say)."""
    costs = Costs(graph, machine)
    nodes = _realizable([n for n in graph.nodes if keep(n)])
    if not set(graph.roots) <= {n.eclass for n in nodes}:
        raise LoweringError("no combination of instructions computes this kernel")
    problem = Problem.of(
        [Node(n.operator, n.eclass, n.children, costs.cost(n)) for n in nodes], graph.roots
    )
    solution = extract(problem, method, seconds=seconds)
    if solution.status == "infeasible":
        raise LoweringError("no combination of instructions computes this kernel")
    chosen = {nodes[n].eclass: nodes[n] for n in solution.choice.values()}
    program = _ReadBack(graph, chosen).program()
    return Choice(program, solution, tuple(chosen.values()))


def _realizable(nodes: list[PhysicalNode]) -> list[PhysicalNode]:
    """Nodes whose needs can all be met by others, found from the leaves up."""
    built: set[int] = set()
    waiting = nodes
    kept: list[PhysicalNode] = []
    while True:
        ready = [n for n in waiting if built.issuperset(n.children)]
        if not ready:
            return kept
        kept += ready
        taken = set(map(id, ready))
        waiting = [n for n in waiting if id(n) not in taken]
        built |= {n.eclass for n in ready}


class _ReadBack:
    """Builds physical values for the chosen nodes."""

    def __init__(self, graph: PhysicalGraph, chosen: dict[int, PhysicalNode]) -> None:
        self.graph, self.chosen = graph, chosen
        self.encoding = graph.encoding
        self.values: dict[int, Value] = {}
        self.buffers: dict[int, Access] = {}
        self.stores: list[Value] = []
        self.held: dict[tuple[int, int], Value] = {}

    def program(self) -> PhysicalProgram:
        kernel = self.encoding.kernel
        outputs: list[Buffer] = []
        for i, (output, root) in enumerate(zip(kernel.outputs, self.graph.roots, strict=True)):
            type_ = U8 if output.value.type is BOOL else output.value.type
            size = 1
            for axis in output.layout:
                size *= axis.size
            buffer = Buffer(output.name, type_, size, "output", i)
            outputs.append(buffer)
            self._fill(root, OUTPUT_LAYOUT + i, buffer)
        inputs = tuple(self._parameter(i, term) for i, term in enumerate(kernel.inputs))
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
        place = self.graph.classes[eclass]
        lane = node.attributes[1]
        source = self._value(node.children[0])
        strides = buffer_strides(self.graph, layout, place.free, buffer.type)
        offset = part_offset(self.graph, layout, buffer.type)
        access = Access(buffer, tuple(sorted(strides.items(), key=lambda s: s[0].name)), offset)
        lane_axis = self.encoding.axes[lane - 1] if lane else None
        self.stores.append(
            Value(
                "store", buffer.type, frozenset(strides), lane_axis, "v" if lane else "s", (source,),
                access=access,
            )
        )  # fmt: skip

    def _memory(self, eclass: int) -> Access:
        """The buffer of a memory class, filled on first use."""
        if eclass not in self.buffers:
            node = self.chosen[eclass]
            if node.operator == "InBuf":
                leaf = self.encoding.leaves[node.attributes[0]]
                name, layout = leaf.attributes
                buffer = Buffer(name, leaf.type, leaf.size, "input", 0)
                self.buffers[eclass] = Access(buffer, tuple(_row_major(layout, leaf.type)))
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
        buffer = Buffer(f"buffer{len(self.buffers)}", place.type, size, "scratch", 0)
        self._fill(eclass, layout, buffer)
        strides = buffer_strides(self.graph, layout, place.free, place.type)
        return Access(buffer, tuple(strides.items()))

    def _value(self, eclass: int) -> Value:
        if eclass not in self.values:
            node = self.chosen[eclass]
            self.values[eclass] = getattr(self, f"_{node.operator.lower()}")(node)
        return self.values[eclass]

    def _make(self, node: PhysicalNode, kind: str, **more: object) -> Value:
        place = self.graph.classes[node.eclass]
        lane = self.encoding.axes[place.lane - 1] if place.lane else None
        children = [c for c in node.children if self.graph.classes[c].space != "b"]
        operands = tuple(self._value(c) for c in children)
        fields: dict[str, object] = {
            "type": place.type, "axes": self._axes(place.free), "lane": lane, "space": place.space,
            "operands": operands, **more,
        }  # fmt: skip
        return Value(kind, **fields)  # type: ignore[arg-type]

    def _instruction(self, node: PhysicalNode) -> Value:
        key = node.attributes[0]
        if key.startswith("s:"):
            return self._make(node, "scalar", form=key[2:])
        return self._make(node, "instruction", form=key)

    _ins1 = _ins2 = _ins3 = _ins4 = _instruction

    def _accumulate(self, node: PhysicalNode) -> Value:
        key, axis = node.attributes
        return self._make(
            node, "accumulate", form=key.removeprefix("s:"), axis=self.encoding.axes[axis],
            name=self._operator(node),
        )  # fmt: skip

    _acc1 = _acc2 = _accumulate

    def _lanes1(self, node: PhysicalNode) -> Value:
        key, axis = node.attributes
        lane = self.encoding.axes[axis]
        return self._make(
            node, "lanes", form=key, axis=lane, lane=lane, name=self._operator(node)
        )

    _lanes2 = _lanes1

    def _count(self, node: PhysicalNode) -> Value:
        axis = self.encoding.axes[node.attributes[0]]
        return self._make(node, "count", axis=axis, lane=axis, name="add")

    def _operator(self, node: PhysicalNode) -> str:
        """The reduction an accumulation performs."""
        key = node.attributes[0]
        if key.startswith("s:"):
            name = key[2:].split(".")[0]
            return "add" if name == "fma" else name
        return REDUCTION_OF[key]

    def _load(self, node: PhysicalNode) -> Value:
        return self._make(node, "load", access=self._memory(node.children[0]))

    def _loadview(self, node: PhysicalNode) -> Value:
        access = viewed(self._memory(node.children[0]), self.encoding.views[node.attributes[0]])
        return self._make(node, "load", access=access)

    def _gatherl(self, node: PhysicalNode) -> Value:
        axis = self.encoding.axes[node.attributes[0]]
        return self._make(node, "gather", axis=axis, access=self._memory(node.children[0]))

    def _splat(self, node: PhysicalNode) -> Value:
        return self._make(node, "splat")

    def _alias(self, node: PhysicalNode) -> Value:
        return self._make(node, "alias")

    def _imm(self, node: PhysicalNode) -> Value:
        bits, name = node.attributes
        type_ = TYPES[name]
        return self._make(node, "immediate", bits=bits & ((1 << max(type_.bits, 1)) - 1), type=type_, lane=None)

    def _arg(self, node: PhysicalNode) -> Value:
        leaf = self.encoding.leaves[node.attributes[0]]
        return self._make(node, "argument", name=leaf.attributes[0], lane=None)

    def _index(self, node: PhysicalNode) -> Value:
        return self._make(node, "index", axis=self.encoding.axes[node.attributes[0]])

    def _scanl(self, node: PhysicalNode) -> Value:
        key, axis, _ = node.attributes
        return self._make(node, "scan", axis=self.encoding.axes[axis], name=key.split(".")[0])

    def _held(self, node: PhysicalNode) -> Value:
        lane, number = node.attributes
        return self._held_value(lane, self.encoding.leaves[number])

    def _held_value(self, lane: int, leaf: Term) -> Value:
        key = (lane, id(leaf))
        if key not in self.held:
            fold, number = self._fold_of(leaf)
            axis = self.encoding.axes[lane - 1] if lane else None
            space = "s" if lane == 0 else "m" if leaf.type is BOOL else "v"
            self.held[key] = Value(
                "held", leaf.type, frozenset(leaf.axes), axis, space,
                axis=leaf.attributes[1], name=f"fold{fold}.{lane}/{number}",
            )  # fmt: skip
        return self.held[key]

    def _fold_of(self, leaf: Term) -> tuple[int, int]:
        for number, fold in enumerate(self.encoding.folds):
            states = fold.children[: len(fold.attributes[1])]
            for i, state in enumerate(states):
                if state is leaf:
                    return number, i
        raise LoweringError("a loop state without its loop")

    def _foldl(self, node: PhysicalNode) -> Value:
        number, lane = node.attributes
        fold = self.encoding.folds[number]
        axis, names, which = fold.attributes
        states = tuple(self._held_value(lane, s) for s in fold.children[: len(names)])
        first = self._fold_of(fold.children[0])[0]
        return self._make(
            node, "fold", axis=axis, number=which, states=states, name=f"fold{first}.{lane}"
        )


def _reductions() -> dict[str, str]:
    from oxegg.rules.vector_engine import SELECTIONS

    return {row.form.key: row.reduction for row in SELECTIONS if row.reduction}


REDUCTION_OF = _reductions()
