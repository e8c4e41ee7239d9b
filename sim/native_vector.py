"""Vector instructions in native code: element loops under a fixed vl and vtype.

A loop works on chunks of elements, as many as fill 64 bytes of the widest operand, then on half
chunks of at least 8 elements; the last elements are done one by one. (LLVM knows vectors of powers
of two best; masks of others have made it fail.) Registers are read and written in memory, where the
lower tiers have them. Every operand that RVV lets a destination overlap is read no later than its
bytes are written, because elements are taken in ascending order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from oxegg.isa import Operand, VType
from oxegg.isa.semantics import Apply, Const, Expression, Name
from oxegg.sim.blocks import Decoded
from oxegg.sim.native_expression import Expressions, Whole
from oxegg.sim.native_frame import Frame, Place
from oxegg.sim.native_ir import Unsupported
from oxegg.sim.native_runtime import WORD
from oxegg.sim.vector_groups import Group, ReservedEncoding, groups_of, scalar_format

CHUNK_BITS = 512
LEAST_LANES = 8


@dataclass(frozen=True)
class Chunk:
    """``lanes`` elements from element ``first`` on; None for a single element."""

    lanes: int | None
    first: int | str

    def type(self, kind: str) -> str:
        """The type of so many values."""
        return kind if self.lanes is None else f"<{self.lanes} x {kind}>"

    def literal(self, value: int | str, kind: str) -> str:
        """A constant in every lane."""
        return str(value) if self.lanes is None else f"splat ({kind} {value})"


@dataclass(frozen=True)
class Configured:
    """The vector configuration that code is specialised for."""

    vl: int
    vtype: VType
    vxrm: int
    fill_agnostic: bool
    vlen: int


@dataclass(frozen=True)
class VectorInstruction:
    """One vector instruction at its place; raises ``Unsupported``."""

    frame: Frame
    decoded: Decoded
    place: Place
    config: Configured

    @cached_property
    def groups(self) -> dict[str, Group]:
        """Register groups by operand name."""
        try:
            return groups_of(self.decoded.record, self.decoded.values, self.config.vtype)
        except ReservedEncoding as error:
            raise Unsupported(str(error)) from error

    @cached_property
    def masked(self) -> bool:
        """Whether v0.t chooses the active elements."""
        pairs = zip(self.decoded.record.operands, self.decoded.values, strict=True)
        return any(operand.kind == "mask" and value for operand, value in pairs)

    @property
    def fills_tail(self) -> bool:
        return self.config.vtype.tail_agnostic and self.config.fill_agnostic

    @property
    def fills_masked(self) -> bool:
        return self.masked and self.config.vtype.mask_agnostic and self.config.fill_agnostic

    def operand(self, name: str) -> Operand:
        """The operand of that name."""
        return next(o for o in self.decoded.record.operands if o.name == name)

    # Chunks

    def chunks(self, widest: int) -> Iterator[Chunk]:
        """Chunks of all elements below vl, as loops where there are several."""
        code, rest, first = self.frame.code, self.config.vl, 0
        lanes = CHUNK_BITS // widest
        while lanes >= LEAST_LANES:
            full = rest // lanes
            if full > 1:
                with code.loop(full) as index:
                    yield Chunk(lanes, code.let(f"mul i64 {index}, {lanes}"))
            elif full:
                yield Chunk(lanes, first)
            first, rest = first + full * lanes, rest - full * lanes
            lanes //= 2
        if rest:
            with code.loop(self.config.vl, first) as index:
                yield Chunk(None, index)

    def byte(self, first: int | str, width: int) -> int | str:
        """Offset in bytes of an element; ``width`` is 1 for mask bits."""
        if isinstance(first, int):
            return first * width // 8
        if width >= 8:
            return self.frame.code.let(f"mul i64 {first}, {width // 8}")
        return self.frame.code.let(f"lshr i64 {first}, 3")

    def read(self, group: Group, chunk: Chunk, field: int = 0) -> str:
        """Elements of a group as integers."""
        if group.width == 1:
            return self.mask_bits(group.register, chunk)
        per_field = group.registers // group.operand.fields
        pointer = self.frame.vector(
            group.register + field * per_field, self.byte(chunk.first, group.width)
        )
        return self.frame.code.let(f"load {chunk.type(f'i{group.width}')}, ptr {pointer}, align 1")

    def element_pointer(self, group: Group, index: int | str, field: int = 0) -> str:
        """Address of one element."""
        per_field = group.registers // group.operand.fields
        return self.frame.vector(group.register + field * per_field, self.byte(index, group.width))

    def element(self, group: Group, index: int | str, field: int = 0) -> str:
        """One element's bits."""
        pointer = self.element_pointer(group, index, field)
        return self.frame.code.let(f"load i{group.width}, ptr {pointer}, align 1")

    def bit(self, register: int, index: int | str) -> str:
        """One bit of a mask register."""
        let = self.frame.code.let
        pointer = self.frame.vector(register, self.byte(index, 1))
        number = let(f"trunc i64 {let(f'and i64 {index}, 7')} to i8")
        shifted = let(f"lshr i8 {let(f'load i8, ptr {pointer}')}, {number}")
        return let(f"trunc i8 {shifted} to i1")

    def mask_bits(self, register: int, chunk: Chunk) -> str:
        """Bits of a mask register."""
        let, lanes = self.frame.code.let, chunk.lanes
        if lanes is None:
            return self.bit(register, chunk.first)
        pointer = self.frame.vector(register, self.byte(chunk.first, 1))
        bits = let(f"load i{lanes}, ptr {pointer}, align 1")
        return let(f"bitcast i{lanes} {bits} to <{lanes} x i1>")

    def active(self, chunk: Chunk) -> str | None:
        """The mask of a chunk, None when all elements are active."""
        return self.mask_bits(0, chunk) if self.masked else None

    def write(self, group: Group, chunk: Chunk, value: str, field: int = 0) -> None:
        """Write elements by the mask policy."""
        code, type_ = self.frame.code, chunk.type(f"i{group.width}")
        active = self.active(chunk)
        if active is not None:
            old = chunk.literal(-1, f"i{group.width}")
            if not self.fills_masked:
                old = self.read(group, chunk, field)
            value = code.let(f"select {chunk.type('i1')} {active}, {type_} {value}, {type_} {old}")
        per_field = group.registers // group.operand.fields
        pointer = self.frame.vector(
            group.register + field * per_field, self.byte(chunk.first, group.width)
        )
        code.do(f"store {type_} {value}, ptr {pointer}, align 1")

    def write_mask(self, group: Group, chunk: Chunk, value: str) -> None:
        """Write mask bits by the mask policy."""
        code, lanes, type_ = self.frame.code, chunk.lanes, chunk.type("i1")
        active = self.active(chunk)
        if active is not None:
            old = chunk.literal("true", "i1")
            if not self.fills_masked:
                old = self.mask_bits(group.register, chunk)
            value = code.let(f"select {type_} {active}, {type_} {value}, {type_} {old}")
        pointer = self.frame.vector(group.register, self.byte(chunk.first, 1))
        if lanes is not None:
            bits = code.let(f"bitcast {type_} {value} to i{lanes}")
            code.do(f"store i{lanes} {bits}, ptr {pointer}, align 1")
            return
        number = code.let(f"trunc i64 {code.let(f'and i64 {chunk.first}, 7')} to i8")
        place, let = code.let(f"shl i8 1, {number}"), code.let
        others = let(f"and i8 {let(f'load i8, ptr {pointer}')}, {let(f'xor i8 {place}, -1')}")
        bit = let(f"select i1 {value}, i8 {place}, i8 0")
        code.do(f"store i8 {let(f'or i8 {others}, {bit}')}, ptr {pointer}")

    def fill(self, register: int, start: int, stop: int) -> None:
        """Set bytes of a register group to ones."""
        if stop > start:
            pointer = self.frame.vector(register, start)
            self.frame.code.do(
                f"call void @llvm.memset.p0.i64(ptr {pointer}, i8 -1, i64 {stop - start}, i1 false)"
            )

    def fill_tail(self, group: Group, count: int, field: int = 0) -> None:
        """Fill what follows ``count`` elements by the tail policy."""
        if group.width == 1:
            if self.config.fill_agnostic:
                self._fill_bits(group.register, count)
        elif self.fills_tail:
            per_field = group.registers // group.operand.fields
            stop = per_field * self.config.vlen // 8
            self.fill(group.register + field * per_field, count * group.width // 8, stop)

    def _fill_bits(self, register: int, count: int) -> None:
        """Set the bits of a mask register from ``count`` on."""
        if count % 8:
            code, pointer = self.frame.code, self.frame.vector(register, count // 8)
            ones = (0xFF << count % 8 & 0xFF) - 256
            bits = code.let(f"or i8 {code.let(f'load i8, ptr {pointer}')}, {ones}")
            code.do(f"store i8 {bits}, ptr {pointer}")
        self.fill(register, -(-count // 8), self.config.vlen // 8)

    # Scalars

    def scalar(self, name: str, width: int) -> str:
        """A scalar operand cut to an element of ``width`` bits."""
        operand, number = self.operand(name), self.decoded.operands[name]
        let = self.frame.code.let
        if operand.kind == "imm":
            return str(number)
        bits = self.frame.f(number) if operand.kind == "f" else self.frame.x(number)
        if width == 64:
            return bits
        low = let(f"trunc i64 {bits} to i{width}")
        if operand.kind == "x":
            return low
        upper = let(f"lshr i64 {bits}, {width}")
        boxed = let(f"icmp eq i64 {upper}, {(1 << (64 - width)) - 1}")
        nan = scalar_format(self.decoded.record, width).nan
        return let(f"select i1 {boxed}, i{width} {low}, i{width} {nan}")

    def splat(self, value: str, width: int, lanes: int | None) -> str:
        """A value in every lane."""
        if lanes is None:
            return value
        let, type_ = self.frame.code.let, f"<{lanes} x i{width}>"
        one = let(f"insertelement {type_} poison, i{width} {value}, i64 0")
        return let(f"shufflevector {type_} {one}, {type_} poison, <{lanes} x i32> zeroinitializer")

    # Elementwise

    def elementwise(self) -> None:
        """Evaluate the semantics for every element below vl."""
        config, groups = self.config, self.groups
        target = groups["vd"]
        value = self.decoded.record.statements[0].value
        sew = config.vtype.sew
        widths = {name: group.width for name, group in groups.items()}
        widths |= {o.name: sew for o in self.decoded.record.operands if o.kind in ("x", "f", "imm")}
        scalars = {
            o.name: self.scalar(o.name, sew)
            for o in self.decoded.record.operands
            if o.kind in ("x", "f")
        }
        widest = max((group.width for group in groups.values()), default=8)
        for chunk in self.chunks(max(widest, 8)):
            code = self._expressions(chunk, widths, scalars)
            if target.width == 1:
                self.write_mask(target, chunk, code.low(value, 1))
            elif code.is_float(value):
                self.write(target, chunk, code.float_bits(value))
            else:
                self.write(target, chunk, code.low(value, target.width))
        self.fill_tail(target, config.vl)

    def _expressions(
        self, chunk: Chunk, widths: dict[str, int], scalars: dict[str, str]
    ) -> Expressions:
        sew, loaded = self.config.vtype.sew, dict[str, Whole]()

        def leaf(name: str) -> Whole:
            if name not in loaded:
                if name == "v0":
                    bits, width = self.mask_bits(0, chunk), 1
                elif name in scalars:
                    bits, width = self.splat(scalars[name], sew, chunk.lanes), sew
                else:
                    bits, width = self.read(self.groups[name], chunk), widths[name]
                loaded[name] = Whole(bits, False, width, width)
            return loaded[name]

        return Expressions(
            self.frame.code,
            chunk.lanes,
            leaf,
            self._constant,
            lambda name: widths.get(name, 1),
            widths["vd"],
            vxrm=self.config.vxrm,
            saturated=lambda lanes: self._saturated(chunk, lanes),
        )

    def _constant(self, e: Expression) -> int | None:
        """The value of an expression over constants, the instruction's own constant and SEW."""
        sew = self.config.vtype.sew
        match e:
            case Const(value):
                return value
            case Name("sew"):
                return sew
            case Apply("s", (Name(name),)) if (value := self._constant(Name(name))) is not None:
                return value - (1 << sew) if value >> (sew - 1) else value
            case Name(name) if name != "v0" and self.operand(name).kind == "imm":
                return self.decoded.operands[name] & ((1 << sew) - 1)
            case Apply("neg", (a,)) if (value := self._constant(a)) is not None:
                return -value
            case Apply("add" | "sub" | "mul" | "and" as op, (a, b)):
                left, right = self._constant(a), self._constant(b)
                if left is None or right is None:
                    return None
                results = {"add": left + right, "sub": left - right, "mul": left * right}
                return {**results, "and": left & right}[op]
            case _:
                return None

    def _saturated(self, chunk: Chunk, lanes: str) -> None:
        """Set vxsat when any active element was clamped."""
        let, count = self.frame.code.let, chunk.lanes
        active = self.active(chunk)
        if active is not None:
            lanes = let(f"and {chunk.type('i1')} {lanes}, {active}")
        if count is not None:
            bits = let(f"bitcast <{count} x i1> {lanes} to i{count}")
            lanes = let(f"icmp ne i{count} {bits}, 0")
        any_ = let(f"zext i1 {lanes} to i64")
        pointer = let(f"getelementptr i64, ptr %context, i64 {WORD['vxsat']}")
        old = let(f"load i64, ptr {pointer}")
        self.frame.code.do(f"store i64 {let(f'or i64 {old}, {any_}')}, ptr {pointer}")
