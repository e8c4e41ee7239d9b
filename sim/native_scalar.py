"""Scalar instructions in native code."""

from collections.abc import Callable
from dataclasses import dataclass

from oxegg.isa import Operand
from oxegg.isa.semantics import Apply, Const, Expression
from oxegg.sim.blocks import Decoded
from oxegg.sim.ieee import FORMATS, TOWARDS_ZERO
from oxegg.sim.native_expression import Expressions, Whole
from oxegg.sim.native_frame import Frame, Place
from oxegg.sim.native_ir import Unsupported
from oxegg.sim.scalar_code import DYNAMIC, ROUNDING, ScalarCode


@dataclass(frozen=True)
class Branch:
    """How a block ends: at ``taken`` if ``condition`` holds (None: always), else after the block.

    Addresses are numbers where they are known, else names of values.
    """

    condition: str | None
    taken: int | str


@dataclass(frozen=True)
class ScalarInstruction:
    """Writer of one scalar instruction; raises ``Unsupported``."""

    frame: Frame
    decoded: Decoded
    place: Place

    def write(self) -> Branch | None:
        """Emit the instruction; gives how the block ends, if it does."""
        self._check_rounding()
        decoded, frame = self.decoded, self.frame
        writes: list[Callable[[], None]] = []
        end: Branch | None = None
        for statement in decoded.record.statements:
            value = statement.value
            if statement.target is None:
                end = self._effect(value)
                continue
            operand = self.operand(statement.target)
            number = decoded.operands[operand.name]
            code = self._expressions(operand.width or 64 if operand.kind == "f" else 64)
            if operand.kind == "f":
                bits = self._boxed(code, operand.width or 64, value)
                writes.append(lambda n=number, b=bits: frame.set_f(n, b))
            else:
                bits = code.low(value, 64)
                writes.append(lambda n=number, b=bits: frame.set_x(n, b))
        for write in writes:
            write()
        return end

    def operand(self, name: str) -> Operand:
        """The operand of that name."""
        return next(o for o in self.decoded.record.operands if o.name == name)

    def _check_rounding(self) -> None:
        """Only what rounds to nearest even, or an integer conversion that truncates, is native."""
        mode = self.decoded.operands.get("rm", DYNAMIC)
        if mode in (DYNAMIC, 0):
            return
        value = self.decoded.record.statements[0].value
        truncates = mode == TOWARDS_ZERO and "f_to_" in self.decoded.record.semantics
        rounds = any(f"{op}(" in self.decoded.record.semantics for op in ROUNDING)
        exact = isinstance(value, Apply) and not rounds
        if not (truncates or exact):
            raise Unsupported(f"rounding mode {mode}")

    def _expressions(self, width: int) -> Expressions:
        decoded = self.decoded
        constants = ScalarCode(
            decoded.record, decoded.operands, decoded.pc, decoded.length, 0, False,
            lambda address, bits: "",
        )  # fmt: skip
        return Expressions(
            self.frame.code,
            None,
            self._leaf,
            constants.constant,
            lambda name: self.operand(name).width or 64,
            width,
            truncate=decoded.operands.get("rm", DYNAMIC) == TOWARDS_ZERO,
            load=self._load,
        )

    def _leaf(self, name: str) -> Whole:
        number = self.decoded.operands[name]
        operand = self.operand(name)
        if operand.kind == "x":
            return Whole(self.frame.x(number), False, 64, 64)
        width, let = operand.width or 64, self.frame.code.let
        bits = self.frame.f(number)
        if width == 64:
            return Whole(bits, False, 64, 64)
        low = let(f"trunc i64 {bits} to i{width}")
        if "raw(" in self.decoded.record.semantics:
            return Whole(low, False, width, width)
        upper = let(f"lshr i64 {bits}, {width}")
        boxed = let(f"icmp eq i64 {upper}, {(1 << (64 - width)) - 1}")
        nan = FORMATS[width].nan
        return Whole(let(f"select i1 {boxed}, i{width} {low}, i{width} {nan}"), False, width, width)

    def _boxed(self, code: Expressions, width: int, value: Expression) -> str:
        """The 64 bits that a float register gets."""
        let = self.frame.code.let
        match value:
            case Apply("load", (address, Const(size))):
                bits = self._load(code.low(address, 64), size)
            case _ if code.is_float(value):
                bits = code.float_bits(value)
            case _:
                bits = code.low(value, width)
        if width == 64:
            return bits
        wide = let(f"zext i{width} {bits} to i64")
        return let(f"or i64 {wide}, {(1 << 64) - (1 << width) - (1 << 64)}")

    def _effect(self, e: Expression) -> Branch | None:
        code = self._expressions(64)
        match e:
            case Apply("store", (address, value, Const(size))):
                pointer = code.low(address, 64)
                self.frame.check(pointer, size // 8, self.place, write=True)
                data = code.low(value, size)
                host = self.frame.pointer(pointer)
                self.frame.code.do(f"store i{size} {data}, ptr {host}, align {size // 8}")
                return None
            case Apply("jump", (target,)):
                known = code.constant(target)
                return Branch(None, code.low(target, 64) if known is None else known)
            case Apply("branch", (condition, target)):
                known = code.constant(target)
                assert known is not None
                return Branch(code.truth(condition), known)
            case _:
                raise Unsupported(str(e))

    def _load(self, address: str, size: int) -> str:
        self.frame.check(address, size // 8, self.place, write=False)
        host = self.frame.pointer(address)
        return self.frame.code.let(f"load i{size}, ptr {host}, align {size // 8}")
