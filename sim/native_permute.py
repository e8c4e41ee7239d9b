"""Vector instructions in native code that move elements or fold them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from oxegg.isa.semantics import Apply, Expression, Name
from oxegg.sim.native_expression import Expressions, Whole
from oxegg.sim.native_ir import FLOATS, Unsupported
from oxegg.sim.native_runtime import WORD
from oxegg.sim.native_vector import Chunk, VectorInstruction

INTEGER_FOLDS = ("reduce_add", "reduce_and", "reduce_or", "reduce_xor", "reduce_min", "reduce_max")
# LLVM's name of a fold by operation and signedness, and its neutral element.
FOLDS: dict[tuple[str, bool], tuple[str, Callable[[int], int]]] = {
    **{(f"reduce_{op}", signed): (op, lambda width, n=neutral: n)
       for op, neutral in (("add", 0), ("and", -1), ("or", 0), ("xor", 0))
       for signed in (False, True)},
    ("reduce_min", False): ("umin", lambda width: -1),
    ("reduce_max", False): ("umax", lambda width: 0),
    ("reduce_min", True): ("smin", lambda width: (1 << (width - 1)) - 1),
    ("reduce_max", True): ("smax", lambda width: -(1 << (width - 1))),
}  # fmt: skip


@dataclass(frozen=True)
class Permutation(VectorInstruction):
    """One instruction of ``WHOLE_VECTOR``."""

    def permute(self, operation: str) -> None:
        """Emit the instruction whose semantics is ``operation``."""
        writer = WRITERS.get(operation)
        if writer is None:
            raise Unsupported(operation)
        if self.config.vl or operation in ALWAYS:
            writer(self)

    @property
    def arguments(self) -> tuple[Expression, ...]:
        value = self.decoded.record.statements[0].value
        assert isinstance(value, Apply)
        return value.arguments

    # Moves

    def copy(self) -> None:
        """vmv<n>r: whole registers."""
        target, source = self.groups["vd"], self.groups["vs2"]
        size = target.registers * self.config.vlen // 8
        code = self.frame.code
        to, by = self.frame.vector(target.register), self.frame.vector(source.register)
        code.do(f"call void @llvm.memmove.p0.p0.i64(ptr {to}, ptr {by}, i64 {size}, i1 false)")

    def element0(self) -> None:
        """vmv.x.s, vfmv.f.s."""
        group, let = self.groups["vs2"], self.frame.code.let
        bits, rd = self.element(group, 0), self.decoded.operands["rd"]
        signed = isinstance(self.arguments[0], Apply)
        if self.operand("rd").kind == "x":
            if group.width < 64:
                bits = let(f"{'sext' if signed else 'zext'} i{group.width} {bits} to i64")
            self.frame.set_x(rd, bits)
            return
        if group.width < 64:
            bits = let(f"zext i{group.width} {bits} to i64")
            bits = let(f"or i64 {bits}, {-(1 << group.width)}")
        self.frame.set_f(rd, bits)

    def insert0(self) -> None:
        """vmv.s.x, vfmv.s.f."""
        target = self.groups["vd"]
        value = self.scalar("rs1", target.width)
        pointer = self.element_pointer(target, 0)
        self.frame.code.do(f"store i{target.width} {value}, ptr {pointer}, align 1")
        self.fill_tail(target, 1)

    def each(self, value: Callable[[str], str], first: int | str = 0) -> None:
        """Write ``value(i)`` to every active element i from ``first`` on; then fill the tail."""
        target, code = self.groups["vd"], self.frame.code
        type_ = f"i{target.width}"
        done = code.new_label("written")
        if isinstance(first, str):
            some, start = code.let(f"icmp ult i64 {first}, {self.config.vl}"), code.new_label("go")
            code.branch(some, start, done)
            code.place(start)
        with code.loop(self.config.vl, first) as index:
            result = value(index)
            pointer = self.element_pointer(target, index)
            if self.masked:
                old = "-1" if self.fills_masked else code.let(f"load {type_}, ptr {pointer}")
                active = self.bit(0, index)
                result = code.let(f"select i1 {active}, {type_} {result}, {type_} {old}")
            code.do(f"store {type_} {result}, ptr {pointer}, align 1")
        if isinstance(first, str):
            code.jump(done)
            code.place(done)
        self.fill_tail(target, self.config.vl)

    def _offset(self) -> str:
        """The slide's offset as 64 bits."""
        name = "rs1" if "rs1" in self.decoded.operands else "uimm5"
        return self.scalar(name, 64)

    def slide_up(self) -> None:
        """Elements below the offset stay whatever the policies say."""
        let, vl = self.frame.code.let, self.config.vl
        offset = let(f"call i64 @llvm.umin.i64(i64 {self._offset()}, i64 {vl})")
        source = self.groups["vs2"]
        self.each(lambda i: self.element(source, let(f"sub i64 {i}, {offset}")), offset)

    def slide_down(self) -> None:
        """Elements from behind VLMAX are 0."""
        let, offset = self.frame.code.let, self._offset()
        limit = self.config.vtype.vlmax(self.config.vlen)
        offset = let(f"call i64 @llvm.umin.i64(i64 {offset}, i64 {limit})")
        self.each(lambda i: self._or_zero(let(f"add i64 {i}, {offset}"), limit))

    def _or_zero(self, index: str, limit: int) -> str:
        """Element of vs2, 0 from ``limit`` on."""
        source, let = self.groups["vs2"], self.frame.code.let
        inside = let(f"icmp ult i64 {index}, {limit}")
        value = self.element(source, let(f"select i1 {inside}, i64 {index}, i64 0"))
        return let(f"select i1 {inside}, i{source.width} {value}, i{source.width} 0")

    def slide1_up(self) -> None:
        """The scalar comes in at element 0."""
        source, let = self.groups["vs2"], self.frame.code.let
        scalar = self.scalar("rs1", source.width)

        def value(index: str) -> str:
            lowest = let(f"icmp eq i64 {index}, 0")
            before = let(f"select i1 {lowest}, i64 0, i64 {let(f'sub i64 {index}, 1')}")
            moved, type_ = self.element(source, before), f"i{source.width}"
            return let(f"select i1 {lowest}, {type_} {scalar}, {type_} {moved}")

        self.each(value)

    def slide1_down(self) -> None:
        """The scalar comes in at element vl - 1."""
        source, let = self.groups["vs2"], self.frame.code.let
        scalar, last = self.scalar("rs1", source.width), self.config.vl - 1

        def value(index: str) -> str:
            highest = let(f"icmp eq i64 {index}, {last}")
            after = let(f"select i1 {highest}, i64 {last}, i64 {let(f'add i64 {index}, 1')}")
            moved, type_ = self.element(source, after), f"i{source.width}"
            return let(f"select i1 {highest}, {type_} {scalar}, {type_} {moved}")

        self.each(value)

    def gather(self) -> None:
        """Elements chosen by index, 0 for those from VLMAX on."""
        let, indices = self.frame.code.let, self.groups.get("vs1")
        limit = self.config.vtype.vlmax(self.config.vlen)
        fixed = None if indices else self._offset()

        def value(index: str) -> str:
            chosen = fixed
            if indices is not None:
                chosen = self.element(indices, index)
                if indices.width < 64:
                    chosen = let(f"zext i{indices.width} {chosen} to i64")
            assert chosen is not None
            return self._or_zero(chosen, limit)

        self.each(value)

    def index(self) -> None:
        """vid: indices, wrapped to the element."""
        width, let = self.groups["vd"].width, self.frame.code.let
        self.each(lambda i: i if width == 64 else let(f"trunc i64 {i} to i{width}"))

    def popcount(self) -> None:
        """vcpop.m."""
        source, let = self.groups["vs2"], self.frame.code.let
        if self.config.vl == 0:
            self.frame.set_x(self.decoded.operands["rd"], "0")
            return
        with self.frame.code.fold(self.config.vl, "i64", "0") as fold:
            bit = self.bit(source.register, fold.index)
            if self.masked:
                bit = let(f"and i1 {bit}, {self.bit(0, fold.index)}")
            fold.next = let(f"add i64 {fold.value}, {let(f'zext i1 {bit} to i64')}")
        self.frame.set_x(self.decoded.operands["rd"], fold.next)

    # Folds: the value so far lies in the context, because vd may overlap what is still to be read

    @cached_property
    def _so_far(self) -> str:
        return self.frame.code.let(f"getelementptr i64, ptr %context, i64 {WORD['scratch']}")

    def _start(self) -> None:
        """Take element 0 of vs1 as the value so far."""
        group = self.groups["vs1"]
        bits = self.element(group, 0)
        self.frame.code.do(f"store i{group.width} {bits}, ptr {self._so_far}")

    def _step(self, type_: str, step: Callable[[str], str]) -> None:
        """Update the value so far."""
        value = step(self.frame.code.let(f"load {type_}, ptr {self._so_far}"))
        self.frame.code.do(f"store {type_} {value}, ptr {self._so_far}")

    def _finish(self, bits: str | None = None) -> None:
        """Write element 0 of a reduction's result and its tail."""
        target, code = self.groups["vd"], self.frame.code
        bits = bits or code.let(f"load i{target.width}, ptr {self._so_far}")
        pointer = self.element_pointer(target, 0)
        code.do(f"store i{target.width} {bits}, ptr {pointer}, align 1")
        self.fill_tail(target, 1)

    def _chosen(self, chunk: Chunk, data: str, kind: str, neutral: str) -> str:
        """Active elements, the neutral one in place of the others."""
        active = self.active(chunk)
        if active is None:
            return data
        type_, other = chunk.type(kind), chunk.literal(neutral, kind)
        return self.frame.code.let(
            f"select {chunk.type('i1')} {active}, {type_} {data}, {type_} {other}"
        )

    def integer_fold(self, operation: str) -> None:
        """Chunk by chunk: the order of integers doesn't matter."""
        source, code, width = self.groups["vs2"], self.frame.code, self.groups["vd"].width
        signed = isinstance(self.arguments[1], Apply)
        fold, neutral = FOLDS[operation, signed]
        kind = f"i{width}"
        self._start()
        for chunk in self.chunks(width):
            type_, part = chunk.type(kind), self.read(source, chunk)
            if source.width < width:
                way = "sext" if signed else "zext"
                part = code.let(f"{way} {chunk.type(f'i{source.width}')} {part} to {type_}")
            part = self._chosen(chunk, part, kind, str(neutral(width)))
            if chunk.lanes is not None:
                reduce = f"@llvm.vector.reduce.{fold}.v{chunk.lanes}{kind}"
                part = code.let(f"call {kind} {reduce}({type_} {part})")
            plain = f"{fold} {kind} {{}}, {part}"
            call = f"call {kind} @llvm.{fold}.{kind}({kind} {{}}, {kind} {part})"
            combine = call if "m" in fold else plain
            self._step(kind, lambda value, text=combine: code.let(text.format(value)))
        self._finish()

    def float_sum(self, *, ordered: bool) -> None:
        """A running sum in the order of elements, one rounding each."""
        source, code, width = self.groups["vs2"], self.frame.code, self.groups["vd"].width
        if source.width not in (32, 64):
            raise Unsupported(f"binary{source.width}")
        kind = FLOATS[width]
        self._start()
        for chunk in self.chunks(width):
            type_, wide = chunk.type(FLOATS[source.width]), chunk.type(kind)
            data = self.read(source, chunk)
            data = code.let(f"bitcast {chunk.type(f'i{source.width}')} {data} to {type_}")
            if source.width < width:
                data = code.let(f"fpext {type_} {data} to {wide}")
            # x + -0 is x for every x.
            data = self._chosen(chunk, data, kind, "-0.0")
            step = f"fadd {kind} {{}}, {data}"
            if chunk.lanes is not None:
                reduce = f"@llvm.vector.reduce.fadd.v{chunk.lanes}f{width}"
                step = f"call {kind} {reduce}({kind} {{}}, {wide} {data})"
            self._step(kind, lambda value, text=step: code.let(text.format(value)))
        total = self._canonical()
        # Without active elements the unordered sum makes a NaN canonical, the ordered one doesn't.
        self._finish(self._unless_none(total) if ordered else total)

    def _canonical(self) -> str:
        """The bits of the value so far, of a NaN the canonical ones."""
        width = self.groups["vd"].width
        value = self.frame.code.let(f"load {FLOATS[width]}, ptr {self._so_far}")
        return self._scalar_expressions({}, width).canonical(value, width)

    def _unless_none(self, bits: str) -> str:
        """``bits``, or vs1[0] as it is when no element is active."""
        if not self.masked:
            return bits
        let, width = self.frame.code.let, self.groups["vd"].width
        with self.frame.code.fold(self.config.vl, "i1", "false") as fold:
            fold.next = let(f"or i1 {fold.value}, {self.bit(0, fold.index)}")
        start = self.element(self.groups["vs1"], 0)
        return let(f"select i1 {fold.next}, i{width} {bits}, i{width} {start}")

    def _scalar_expressions(self, values: Mapping[str, str], width: int) -> Expressions:
        return Expressions(
            self.frame.code,
            None,
            lambda name: Whole(values[name], False, width, width),
            lambda e: None,
            lambda name: width,
            width,
        )

    def float_extreme(self, operation: str) -> None:
        """minimumNumber or maximumNumber of all elements."""
        width, code = self.groups["vd"].width, self.frame.code
        kind, expression = f"i{width}", Apply(operation, (Name("a"), Name("b")))
        start = self.element(self.groups["vs1"], 0)
        with code.fold(self.config.vl, kind, start) as fold:
            element = self.element(self.groups["vs2"], fold.index)
            values = {"a": fold.value, "b": element}
            result = self._scalar_expressions(values, width).float_bits(expression)
            if self.masked:
                active = self.bit(0, fold.index)
                result = code.let(f"select i1 {active}, {kind} {result}, {kind} {fold.value}")
            fold.next = result
        self._finish(fold.next)


Writer = Callable[[Permutation], None]
MOVES: Mapping[str, Writer] = {
    "copy": Permutation.copy, "element0": Permutation.element0, "insert0": Permutation.insert0,
    "slide_up": Permutation.slide_up, "slide_down": Permutation.slide_down,
    "slide1_up": Permutation.slide1_up, "slide1_down": Permutation.slide1_down,
    "gather": Permutation.gather, "index": Permutation.index,
    "mask_popcount": Permutation.popcount,
}  # fmt: skip
WRITERS: Mapping[str, Writer] = {
    **MOVES,
    **{op: lambda self, op=op: self.integer_fold(op) for op in INTEGER_FOLDS},
    "reduce_fadd": lambda self: self.float_sum(ordered=False),
    "reduce_fadd_ordered": lambda self: self.float_sum(ordered=True),
    **{f"reduce_{op}": lambda self, op=op: self.float_extreme(op) for op in ("fmin", "fmax")},
}
ALWAYS = frozenset({"copy", "element0", "mask_popcount"})
"""Operations that also run when vl is 0."""
