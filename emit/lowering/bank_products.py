"""Matrix times vectors in near-memory banks: the matrix is laid out there, vectors are broadcast.

A unit multiplies what lies in its bank by numbers of a vector that all units share. With
*scalars*, lanes are rows of the matrix, and each access takes one number of the vector
(``ox.nm.macs``); sums leave the registers as they are (``ox.nm.rd``). With *vectors*, lanes run
along the vector (``ox.nm.mac``), and a unit's lanes are summed on the way out (``ox.nm.rdsum``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from oxegg.costmodels import Machine, timing
from oxegg.emit.banked import GROUP, BankLayout, Blocks, Frame, banks_of, near_memory_of
from oxegg.emit.constants import fits_immediate
from oxegg.emit.lowering.emitter import Emitter
from oxegg.emit.lowering.staging import LINE, STAGING
from oxegg.emit.physical import Access, Value
from oxegg.emit.program import MemoryRef, Register, VectorState
from oxegg.errors import EmitError
from oxegg.ir.affine import Axis
from oxegg.ir.types import F32, I8, ElementType
from oxegg.rules.near_memory import LANES, SUMS

SUM_BYTES = 4
WIDEST_GROUP = 8


@dataclass(frozen=True)
class Product:
    """``result[..., row] = sum over depth of matrix[row, depth] * vector[..., depth]``.

    ``others`` are the axes of the result beside the rows: one vector for each of their points.
    """

    matrix: Access
    vector: Access
    result: Access
    row: Axis
    depth: Axis
    others: tuple[Axis, ...]
    type: ElementType
    blocks: Blocks
    banks: int
    width: int

    @property
    def scalars(self) -> bool:
        """Whether numbers are broadcast one by one, and not as whole registers."""
        return self.blocks.lanes > 1

    @property
    def vectors(self) -> int:
        """How many vectors the matrix is multiplied by."""
        count = 1
        for axis in self.others:
            count *= axis.size
        return count

    @property
    def registers(self) -> int:
        """Registers that hold the sums of all accumulators of a unit."""
        return self.blocks.accumulators * registers_each(self.type)

    @property
    def vector_bytes(self) -> int:
        """Of one vector in the scratchpad, zeros behind it, whole lines."""
        return _lines(self.blocks.steps * GROUP * self.blocks.along * self.type.bytes)

    @property
    def pass_bytes(self) -> int:
        """What all units hand over after one pass."""
        each = self.width if self.scalars else SUM_BYTES
        return self.banks * self.registers * each

    @property
    def result_bytes(self) -> int:
        """Sums of one vector in the scratchpad."""
        return _lines(self.blocks.passes * self.pass_bytes)

    @property
    def scratchpad_bytes(self) -> int:
        return self.vectors * (self.vector_bytes + self.result_bytes)


def product_of(store: Value, machine: Machine) -> Product:
    """The product that a store asks for, in its fastest form; raises ``EmitError``."""
    (source,) = store.operands
    matrix, vector = source.operands
    assert store.access is not None
    assert matrix.access is not None
    assert vector.access is not None
    assert source.axis is not None
    row_axes = [axis for axis, _ in matrix.access.strides if axis != source.axis]
    if len(row_axes) != 1 or not store.access.stride(row_axes[0]):
        raise EmitError("near-memory products need a matrix of two axes")
    (row,), depth, type_ = row_axes, source.axis, matrix.type
    others = tuple(a for a, _ in store.access.strides if a != row)
    banks, width = banks_of(machine), near_memory_of(machine).width_bytes
    choices = [
        Product(
            matrix.access, vector.access, store.access, row, depth, others, type_,
            Blocks(
                rows=row.size, depth=depth.size, element=type_.bytes, accumulators=count,
                lanes=lanes, along=width // type_.bytes // lanes, banks=banks,
                transposed=matrix.access.stride(row) < matrix.access.stride(depth),
            ),
            banks, width,
        )
        for lanes in _lane_choices(source.form, width)
        for count in (8, 4, 2, 1)
        if count * registers_each(type_) <= GROUP
    ]  # fmt: skip
    best = min(choices, key=lambda choice: product_cycles(choice, machine))
    if best.scratchpad_bytes > machine.spm_bytes:
        raise EmitError("vectors and sums don't fit into the scratchpad")
    return best


def _lane_choices(form: str, width: int) -> tuple[int, ...]:
    """Rows of the matrix in one register: all lanes, or all lanes for one row.

    Sums of half-precision products are wider than a lane: only ``ox.nm.rdsum`` hands them over.
    """
    row = SUMS[form]
    if row.factor is I8:
        return (width,)
    return (width // row.factor.bytes, 1) if row.factor is F32 else (1,)


def registers_each(type_: ElementType) -> int:
    """Registers of one accumulator: 32-bit sums of 8-bit products take four."""
    return SUM_BYTES if type_ is I8 else 1


def product_cycles(product: Product, machine: Machine) -> float:
    """Cycles of all commands of a product, rows open."""
    blocks = product.blocks

    def busy(name: str, repeat: int) -> int:
        return timing(machine, name, repeat=repeat).occupancy

    broadcast, accumulate, read = _commands(product)
    step = busy(broadcast, GROUP) + blocks.accumulators * busy(accumulate, GROUP)
    ends = busy("ox.nm.zero", GROUP) + busy(read, product.registers)
    return product.vectors * blocks.passes * (blocks.steps * step + ends)


def _commands(product: Product) -> tuple[str, str, str]:
    if product.scalars:
        return "ox.nm.bcs", "ox.nm.macs", "ox.nm.rd"
    return "ox.nm.bcv", "ox.nm.mac", "ox.nm.rdsum"


def frame_of(product: Product) -> Frame:
    """The matrix alone, block by block."""
    return Frame((product.matrix.buffer,), product.blocks)


def lower_product(emitter: Emitter, product: Product, layouts: Mapping[str, BankLayout]) -> None:
    """Vectors into the scratchpad, one stay in near-memory mode, sums out again."""
    _Lowering(emitter, product, layouts[product.matrix.buffer.name]).lower()


class _Lowering:
    def __init__(self, emitter: Emitter, product: Product, layout: BankLayout) -> None:
        self.emitter, self.product, self.layout = emitter, product, layout
        self.vectors = emitter.bases[STAGING]
        self.sums = self._moved(self.vectors, product.vectors * product.vector_bytes)

    def lower(self) -> None:
        product = self.product
        outside = self._moved(self.emitter.bases[product.vector.buffer.name], product.vector.offset)
        inside = self._moved(self.vectors, 0)
        moves = [(outside, product.vector), (inside, product.vector_bytes)]
        self._for_each_vector(moves, lambda: self._bring(outside, inside))
        self._commands()
        outside = self._moved(self.emitter.bases[product.result.buffer.name], product.result.offset)
        inside = self._moved(self.sums, 0)
        moves = [(outside, product.result), (inside, product.result_bytes)]
        self._for_each_vector(moves, lambda: self._carry_out(inside, outside))

    def _bring(self, outside: Register, inside: Register) -> None:
        """One vector into the scratchpad, zeros behind its end."""
        product, size = self.product, self.product.type.bytes
        whole = product.blocks.steps * GROUP * product.blocks.along
        pad = whole - product.depth.size
        if pad:
            self._fill_zeros(self._moved(inside, product.depth.size * size), pad * size)
        strides = product.vector.stride(product.depth), size
        names = product.vector.buffer.name, STAGING
        self._copy((outside, inside), strides, names, product.depth.size, size)

    def _carry_out(self, inside: Register, outside: Register) -> None:
        product = self.product
        strides = SUM_BYTES, product.result.stride(product.row)
        names = STAGING, product.result.buffer.name
        self._copy((inside, outside), strides, names, product.row.size, SUM_BYTES)

    def _commands(self) -> None:
        emitter, product = self.emitter, self.product
        channels = emitter.integer((1 << emitter.machine.near_memory_channels) - 1)
        emitter.emit("ox.nm.on", emitter.new("x"), channels, emitter.integer(LANES[product.type]))
        first = emitter.bases[product.matrix.buffer.name]
        vector, sums = self._moved(self.vectors, 0), self._moved(self.sums, 0)
        moves = [(vector, product.vector_bytes), (sums, product.result_bytes)]
        self._for_each_vector(moves, lambda: self._passes(first, vector, sums))
        emitter.emit("ox.nm.wait", emitter.new("x"))
        emitter.emit("ox.nm.off")

    def _passes(self, first: Register, vector: Register, sums: Register) -> None:
        """All rows of the matrix times one vector: the matrix is walked once, in order."""
        emitter, blocks = self.emitter, self.product.blocks
        matrix, target = self._moved(first, 0), self._moved(sums, 0)
        eight, registers = emitter.integer(GROUP), emitter.integer(self.product.registers)
        _, _, read = _commands(self.product)

        def one_pass() -> None:
            source = self._moved(vector, 0)
            emitter.emit("ox.nm.zero", 0, eight)
            emitter.repeat("depth", blocks.steps, lambda: self._step(source, matrix, eight))
            emitter.emit(read, 0, target, registers)
            self._move(target, self.product.pass_bytes)

        emitter.repeat("rows", blocks.passes, one_pass)

    def _step(self, source: Register, matrix: Register, eight: Register) -> None:
        """Broadcast a block of the vector, multiply a block of each accumulator's rows by it."""
        blocks, type_ = self.product.blocks, self.product.type
        broadcast, accumulate, _ = _commands(self.product)
        self.emitter.emit(broadcast, 0, source, eight)
        for number in range(blocks.accumulators):
            self.emitter.emit(accumulate, number * registers_each(type_), matrix, eight)
            self._move(matrix, self.layout.stride)
        self._move(source, GROUP * blocks.along * type_.bytes)

    # Pointers and copies

    def _for_each_vector(
        self, pointers: Sequence[tuple[Register, Access | int]], body: Callable[[], None]
    ) -> None:
        """Run ``body`` for each point of the other axes; pointers walk arrays, or densely."""
        self._walk(self.product.others, pointers, body)

    def _walk(
        self,
        axes: Sequence[Axis],
        pointers: Sequence[tuple[Register, Access | int]],
        body: Callable[[], None],
    ) -> None:
        if not axes:
            body()
            for pointer, by in pointers:
                if isinstance(by, int):
                    self._move(pointer, by)
            return
        axis, *inner = axes

        def one() -> None:
            self._walk(inner, pointers, body)
            for pointer, by in pointers:
                if isinstance(by, Access):
                    self._move(pointer, by.stride(axis))

        self.emitter.repeat(axis.name, axis.size, one)
        for pointer, by in pointers:
            if isinstance(by, Access):
                self._move(pointer, -by.stride(axis) * axis.size)

    def _moved(self, base: Register, offset: int) -> Register:
        """A pointer of its own, ``offset`` bytes on."""
        place = self.emitter.new("x")
        self.emitter.emit("addi", place, base, 0)
        self._move(place, offset)
        return place

    def _move(self, pointer: Register, distance: int) -> None:
        if not distance:
            return
        if fits_immediate(distance):
            self.emitter.emit("addi", pointer, pointer, distance)
        else:
            self.emitter.emit("add", pointer, pointer, self.emitter.integer(distance))

    def _strips(self, count: int, bits: int, strip: Callable[[VectorState, int], None]) -> None:
        """``strip`` for every full register group of elements, then for the rest."""
        most = self.emitter.machine.vlen * WIDEST_GROUP // bits
        groups, rest = divmod(count, most)
        state = VectorState(bits, Fraction(WIDEST_GROUP), most)
        self.emitter.repeat("copy", groups, lambda: strip(state, most))
        if rest:
            strip(VectorState(bits, Fraction(WIDEST_GROUP), rest), rest)

    def _copy(
        self,
        pointers: tuple[Register, Register],
        strides: tuple[int, int],
        names: tuple[str, str],
        count: int,
        size: int,
    ) -> None:
        """Copy elements of ``size`` bytes from the first pointer's array to the second's."""
        emitter = self.emitter
        source, target = (self._moved(pointer, 0) for pointer in pointers)

        def strip(state: VectorState, elements: int) -> None:
            register = emitter.new("v", WIDEST_GROUP)
            for letter, pointer, stride, name in (
                ("l", source, strides[0], names[0]), ("s", target, strides[1], names[1]),
            ):  # fmt: skip
                memory = MemoryRef(name, "load" if letter == "l" else "store")
                if stride == size:
                    emitter.emit(
                        f"v{letter}e{8 * size}.v", register, pointer, state=state, memory=memory
                    )
                else:
                    step = emitter.integer(stride)
                    emitter.emit(
                        f"v{letter}se{8 * size}.v", register, pointer, step,
                        state=state, memory=memory,
                    )  # fmt: skip
                self._move(pointer, stride * elements)

        self._strips(count, 8 * size, strip)

    def _fill_zeros(self, pointer: Register, count: int) -> None:
        emitter = self.emitter

        def strip(state: VectorState, elements: int) -> None:
            register = emitter.new("v", WIDEST_GROUP)
            emitter.emit("vmv.v.i", register, 0, state=state)
            memory = MemoryRef(STAGING, "store")
            emitter.emit("vse8.v", register, pointer, state=state, memory=memory)
            self._move(pointer, elements)

        self._strips(count, 8, strip)


def _lines(size: int) -> int:
    return -(-size // LINE) * LINE
