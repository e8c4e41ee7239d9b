"""Scalar semantics to Python source.

Registers are Python integers from 0 to 2^64 - 1 in local variables ``x1 .. x31`` of the generated
function. An expression's source has exactly its mathematical value, so only writes cut to 64 bits,
and only where the value may lie outside. Float registers stay in memory views: ``fd[n]`` is
register n as binary64, ``fs[2 * n]`` its low half as binary32, ``fq[n]`` its bits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from oxegg.isa import Instruction, Operand
from oxegg.isa.semantics import Apply, Const, Expression, Name
from oxegg.sim.reference import RAISING

M = "0xffffffffffffffff"
SIGN = 1 << 63
INFIX = {"add": "+", "sub": "-", "mul": "*", "and": "&", "or": "|", "xor": "^", "shl": "<<",
         "shr": ">>"}  # fmt: skip
COMPARE = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
FUNCTIONS = {
    "div": "truncated_quotient", "rem": "truncated_remainder", "min": "min", "max": "max",
    "clz": "leading_zeros", "ctz": "trailing_zeros", "popcount": "population",
    "byte_reverse": "byte_reverse", "byte_or": "byte_or",
}  # fmt: skip
# Functions whose value is never negative and fits 64 bits.
SMALL = frozenset({"clz", "ctz", "popcount", "byte_reverse", "byte_or", "load", "eq", "ne", "lt",
                   "le", "gt", "ge"})  # fmt: skip
FAST_FLOAT: Mapping[str, str] = {
    "fadd": "({} + {})", "fsub": "({} - {})", "fmul": "({} * {})", "fdiv": "divide({}, {})",
    "fsqrt": "square_root({})", "fneg": "(-{})", "fma": "fma{w}({}, {}, {})", "fcvt": "{}",
    "fmin": "smaller({}, {})", "fmax": "larger({}, {})",
}  # fmt: skip
FAST_COMPARE = {"feq": "==", "flt": "<", "fle": "<="}
ROUNDING = frozenset(FAST_FLOAT) - {"fneg", "fmin", "fmax"} | {
    "s_to_f",
    "u_to_f",
    "f_to_s",
    "f_to_u",
}
DYNAMIC = 7


@dataclass
class ScalarCode:
    """Translator for one scalar instruction at one place, under one dynamic rounding mode."""

    record: Instruction
    values: Mapping[str, int]
    pc: int
    length: int
    frm: int
    track_flags: bool
    """Whether the code must accrue IEEE exceptions."""
    load: Callable[[str, int], str]
    """Emits the check of a load and gives the source of its value."""
    bindings: dict[str, Expression] = field(default_factory=dict[str, Expression])
    """Expression trees that the source refers to by name."""

    def operand(self, name: str) -> Operand:
        return self.record.operand[name]

    def constant(self, e: Expression) -> int | None:
        """The value of an expression without registers, else None."""
        match e:
            case Const(value):
                return value
            case Name("pc"):
                return self.pc
            case Name("next"):
                return self.pc + self.length
            case Name(name):
                operand = self.operand(name)
                if operand.kind in ("x", "f"):
                    return 0 if operand.kind == "x" and self.values[name] == 0 else None
                return self.values[name]
            case Apply(op, (a, b)) if op in ("add", "and", "shl", "sext", "low"):
                left, right = self.constant(a), self.constant(b)
                if left is None or right is None:
                    return None
                return _fold(op, left, right)
            case Apply("neg", (a,)) if (value := self.constant(a)) is not None:
                return -value
            case _:
                return None

    def integer(self, e: Expression) -> str:
        """Source of the exact value of an integer expression."""
        value = self.constant(e)
        if value is not None:
            return str(value)
        match e:
            case Name(name):
                return f"x{self.values[name]}"
            case Apply("s", (a,)):
                return f"(({self.integer(a)} ^ {SIGN}) - {SIGN})"
            case Apply("add", (a, b)) if self.constant(b) == 0:
                return self.integer(a)
            case Apply(op, (a, b)) if op in INFIX:
                return f"({self.integer(a)} {INFIX[op]} {self.integer(b)})"
            case Apply(op, (a, b)) if op in COMPARE:
                return f"({self.compare(op, a, b)})"
            case Apply(op, arguments) if op in FUNCTIONS:
                return f"{FUNCTIONS[op]}({', '.join(map(self.integer, arguments))})"
            case Apply("neg", (a,)):
                return f"(-{self.integer(a)})"
            case Apply("not", (a,)):
                return f"(~{self.integer(a)})"
            case Apply("low", (a, Const(n))):
                return f"({self.integer(a)} & {(1 << n) - 1})"
            case Apply("sext", (a, Const(n))):
                return self._sign_extend(a, n)
            case Apply("select", (test, a, b)):
                return f"({self.integer(a)} if {self.integer(test)} else {self.integer(b)})"
            case Apply("load", (address, Const(bits))):
                return self.load(self.address(address), bits)
            case _:
                return self._from_float(e)

    def _sign_extend(self, a: Expression, n: int) -> str:
        inner = self.integer(a)
        if n == 64:
            return f"(({inner} & {M} ^ {SIGN}) - {SIGN})"
        return f"(({inner} & {(1 << n) - 1} ^ {1 << (n - 1)}) - {1 << (n - 1)})"

    def compare(self, op: str, a: Expression, b: Expression) -> str:
        """Source of a comparison."""
        match a, b:
            # Flipping the top bit turns signed order into unsigned order.
            case Apply("s", (x,)), Apply("s", (y,)):
                return f"{self._flipped(x)} {COMPARE[op]} {self._flipped(y)}"
            case _:
                return f"{self.integer(a)} {COMPARE[op]} {self.integer(b)}"

    def _flipped(self, e: Expression) -> str:
        value = self.constant(e)
        return str(value ^ SIGN) if value is not None else f"({self.integer(e)} ^ {SIGN})"

    def address(self, e: Expression) -> str:
        """Source of an address, cut to 64 bits."""
        return self.cut(e)

    def cut(self, e: Expression) -> str:
        """Source of the low 64 bits."""
        value = self.constant(e)
        if value is not None:
            return str(value & (1 << 64) - 1)
        source = self.integer(e)
        return source if self._fits(e) else f"{source} & {M}"

    def _fits(self, e: Expression) -> bool:
        """Whether the value is known to lie in 0 .. 2^64 - 1."""
        value = self.constant(e)
        if value is not None:
            return 0 <= value < 1 << 64
        match e:
            case Name():
                return True
            case Apply("and", (a, b)):
                return self._fits(a) or self._fits(b)
            case Apply("or" | "xor" | "min" | "max" | "rem" | "div", (a, b)):
                return self._fits(a) and self._fits(b)
            case Apply("shr", (a, _)):
                return self._fits(a)
            case Apply("select", (_, a, b)):
                return self._fits(a) and self._fits(b)
            case Apply("add", (a, b)):
                return self.constant(b) == 0 and self._fits(a)
            case Apply("low", _):
                return True
            case Apply(op, _):
                return op in SMALL or op in FAST_COMPARE or op == "fclass"
            case _:
                return False

    # Floats

    @property
    def mode(self) -> int:
        """Rounding mode in force."""
        static = self.values.get("rm", DYNAMIC)
        return self.frm if static == DYNAMIC else static

    def width(self, e: Expression) -> int:
        """Format width of a float expression."""
        match e:
            case Name(name):
                return self.operand(name).width or 64
            case Apply("fneg", (a,)):
                return self.width(a)
            case _:
                return self.operand("rd").width or 64

    def fast(self, e: Expression) -> bool:
        """Whether the host computes the float expression as RISC-V does.

        The host's own exception flags are out of reach: operations that raise any go to the
        reference interpreter when flags are tracked.
        """
        match e:
            case Apply(op, _) if self.track_flags and op in RAISING:
                return False
            case Name():
                return self.width(e) in (32, 64)
            case Apply(op, arguments) if op in FAST_FLOAT:
                rounds = op in ROUNDING and self.mode != 0
                return not rounds and self.width(e) != 16 and all(map(self.fast, arguments))
            case Apply("s_to_f" | "u_to_f", (a,)):
                # A 32-bit integer is exact in binary64; wider ones would round twice to binary32.
                exact = isinstance(a, Apply) and a.arguments[-1] == Const(32)
                return self.mode == 0 and (self.width(e) == 64 or (self.width(e) == 32 and exact))
            case _:
                return False

    def float(self, e: Expression) -> str:
        """Source of a Python float."""
        match e:
            case Name(name):
                number = self.values[name]
                if self.width(e) == 64:
                    return f"fd[{number}]"
                return f"(fs[{2 * number}] if fi[{2 * number + 1}] == 0xffffffff else NAN)"
            case Apply("s_to_f" | "u_to_f", (a,)):
                return f"float({self.integer(a)})"
            case Apply(op, arguments):
                sources = map(self.float, arguments)
                return FAST_FLOAT[op].format(*sources, w=self.width(e))
            case _:
                raise AssertionError(e)

    def bits(self, name: str) -> str:
        """Source of a float operand's bit pattern, unboxed."""
        number, width = self.values[name], self.operand(name).width
        return f"fq[{number}]" if width == 64 else f"unbox(fq[{number}], {width})"

    def _from_float(self, e: Expression) -> str:
        """Source of an integer computed from floats (or of the bits of a float result)."""
        match e:
            case Apply(op, (a, b)) if (
                op in FAST_COMPARE and self.fast(a) and self.fast(b) and not self.track_flags
            ):
                return f"({self.float(a)} {FAST_COMPARE[op]} {self.float(b)})"
            case Apply("raw", (Name(name),)):
                width = self.operand(name).width or 64
                number = self.values[name]
                return f"fq[{number}]" if width == 64 else f"(fq[{number}] & {(1 << width) - 1})"
            case Apply("fsgnj", (Name(a), Name(b))) if self.values[a] == self.values[b]:
                return self.bits(a)
            case Apply("f_to_s" | "f_to_u", (a, Const(n))) if (
                self.fast(a) and self.mode in (0, 1) and not self.track_flags
            ):
                signed = e.operation == "f_to_s"
                return f"float_to_int({self.float(a)}, {n}, {signed}, {self.mode == 1})"
            case _:
                return self._by_reference(e)

    def _by_reference(self, e: Expression) -> str:
        """A call of the reference interpreter."""
        reads = [o for o in self.record.operands if o.kind in ("x", "f") and o.reads]
        widths = {o.name: (o.width or 64) if o.kind == "f" else 64 for o in reads}
        target = next((o.width or 64 for o in self.record.operands if o.writes), 64)
        values = ", ".join(
            f"'{o.name}': {self.bits(o.name) if o.kind == 'f' else self._x(o.name)}" for o in reads
        )
        name = f"tree_{self.pc:x}_{len(self.bindings)}"
        self.bindings[name] = e
        flags = ", state.flags" if self.track_flags else ""
        context = f"Context({{{values}}}, {widths}, {target}, 0, {self.mode}{flags})"
        return f"{context}.evaluate({name})"

    def _x(self, name: str) -> str:
        return f"x{self.values[name]}" if self.values[name] else "0"

    def write_float(self, number: int, width: int, e: Expression) -> list[str]:
        """Statements that write a float register."""
        if self.fast(e) and isinstance(e, Apply):
            lines = [f"r = {self.float(e)}"]
            if width == 64:
                return [*lines, f"fd[{number}] = r if r == r else NAN"]
            return [
                *lines,
                f"fs[{2 * number}] = r if r == r else NAN; fi[{2 * number + 1}] = 0xffffffff",
            ]
        if width == 64:
            return [f"fq[{number}] = {self.cut(e)}"]
        source = self.integer(e)
        box = (1 << 64) - (1 << width)
        return [f"fq[{number}] = {source} & {(1 << width) - 1} | {box}"]


def _fold(op: str, left: int, right: int) -> int:
    """Constant folding of the operations in addresses and immediates."""
    match op:
        case "add":
            return left + right
        case "and":
            return left & right
        case "shl":
            return left << right
        case "low":
            return left & ((1 << right) - 1)
        case _:
            value = left & ((1 << right) - 1)
            return value - (1 << right) if value >> (right - 1) else value
