"""Semantics to LLVM IR, for one value or for a vector of elements.

The semantics speak of mathematical integers. As in ``element_code`` there are two modes: ``low``
computes modulo 2^w, ``exact`` the value itself, in the smallest container that holds its range.
Floats are IEEE binary32 and binary64 under round to nearest even; other formats and modes raise
``Unsupported``. NaNs become canonical where results are written (``float_bits``).
"""

from collections.abc import Callable
from dataclasses import dataclass

from oxegg.isa.semantics import Apply, Const, Expression, Name
from oxegg.sim.ieee import FORMATS
from oxegg.sim.integers import ROUND_DOWN, ROUND_NEAREST_EVEN, ROUND_NEAREST_UP
from oxegg.sim.native_ir import FLOATS, Code, Unsupported, signed_literal

RING = {"add": "add", "sub": "sub", "mul": "mul", "and": "and", "or": "or", "xor": "xor"}
COMPARE = {"eq": "eq", "ne": "ne", "lt": "lt", "le": "le", "gt": "gt", "ge": "ge"}
FLOAT_COMPARE = {"feq": "oeq", "flt": "olt", "fle": "ole"}
FLOAT_BINARY = {"fadd": "fadd", "fsub": "fsub", "fmul": "fmul", "fdiv": "fdiv"}
COUNTS = {"clz": "ctlz", "ctz": "cttz", "popcount": "ctpop"}
TO_INT = {"f_to_s": "s", "f_to_u": "u", "f_to_s_rtz": "s", "f_to_u_rtz": "u"}
# Operations that give float values (bits of them once they are written).
FLOAT_RESULT = frozenset(FLOAT_BINARY) | {
    "fsqrt", "fneg", "fma", "fmin", "fmax", "widen", "fcvt", "s_to_f", "u_to_f", "bf16_widen",
}  # fmt: skip
CONTAINERS = (1, 8, 16, 32, 64, 128)
BYTES_7F, BYTES_80 = 0x7F7F7F7F7F7F7F7F, 0x8080808080808080


@dataclass(frozen=True)
class Whole:
    """An exact integer: ``name`` is ``container`` bits wide, its value fits in ``bits``."""

    name: str
    signed: bool
    bits: int
    container: int


def container(bits: int) -> int:
    """The width that holds ``bits``."""
    for width in CONTAINERS:
        if bits <= width:
            return width
    raise Unsupported(f"integers of {bits} bits")


@dataclass(frozen=True)
class Expressions:
    """Translator of one instruction's expressions.

    ``leaf`` gives an operand's bits, unsigned; ``constant`` the value of an expression that is
    known now, else None. ``widths`` are the operands' widths in bits, ``target_width`` the
    result's. ``saturated`` is told the flags of clamped elements.
    """

    code: Code
    lanes: int | None
    leaf: Callable[[str], Whole]
    constant: Callable[[Expression], int | None]
    widths: Callable[[str], int]
    target_width: int
    vxrm: int = 0
    truncate: bool = False
    """Whether conversions to integers round towards zero whatever their name says."""
    saturated: Callable[[str], None] | None = None
    load: Callable[[str, int], str] | None = None
    """Loads so many bits from guest memory."""

    # Types and constants

    def type(self, width: int) -> str:
        """The IR type of ``width``-bit integers."""
        return f"i{width}" if self.lanes is None else f"<{self.lanes} x i{width}>"

    def float_type(self, width: int) -> str:
        """The IR type of floats."""
        if width not in (32, 64):
            raise Unsupported(f"binary{width}")
        kind = FLOATS[width]
        return kind if self.lanes is None else f"<{self.lanes} x {kind}>"

    def literal(self, value: int, width: int) -> str:
        """A constant in every lane."""
        text = str(signed_literal(value, width))
        if width == 1:
            text = "true" if value & 1 else "false"
        return text if self.lanes is None else f"splat (i{width} {text})"

    def suffix(self, kind: str) -> str:
        """Type suffix of an overloaded intrinsic."""
        return kind if self.lanes is None else f"v{self.lanes}{kind}"

    def call(self, name: str, kind: str, type_: str, *arguments: str) -> str:
        """A call of an intrinsic whose arguments have one type."""
        values = ", ".join(f"{type_} {argument}" for argument in arguments)
        return self.code.let(f"call {type_} @llvm.{name}.{self.suffix(kind)}({values})")

    # Integers

    def convert(self, value: Whole, width: int) -> str:
        """The value modulo 2^width."""
        if value.name.lstrip("-").isdigit():
            return self.literal(int(value.name), width)
        if value.container == width:
            return value.name
        way = "trunc" if value.container > width else "sext" if value.signed else "zext"
        source, target = self.type(value.container), self.type(width)
        return self.code.let(f"{way} {source} {value.name} to {target}")

    def low(self, e: Expression, w: int) -> str:
        """A ``w``-bit value equal to ``e`` modulo 2^w."""
        value = self.constant(e)
        if value is not None:
            return self.literal(value, w)
        match e:
            case Apply("s", (Apply() as inner,)):
                return self.low(inner, w)
            case Apply(op, (a, b)) if op in RING:
                x, y = self.low(a, w), self.low(b, w)
                return self.code.let(f"{RING[op]} {self.type(w)} {x}, {y}")
            case Apply("neg", (a,)):
                return self.code.let(f"sub {self.type(w)} {self.literal(0, w)}, {self.low(a, w)}")
            case Apply("not", (a,)):
                return self.code.let(f"xor {self.type(w)} {self.low(a, w)}, {self.literal(-1, w)}")
            case Apply("shl", (a, b)) if self._shift_limit(b) < w:
                amount = self.convert(self.exact(b), w)
                return self.code.let(f"shl {self.type(w)} {self.low(a, w)}, {amount}")
            case Apply("sext" | "low" as op, (a, Const(n))):
                inner = self.low(a, min(n, w)) if n in CONTAINERS else None
                if inner is None or n >= w:
                    return self.low(a, w) if n >= w else self.convert(self.exact(e), w)
                way = "sext" if op == "sext" else "zext"
                return self.code.let(f"{way} {self.type(n)} {inner} to {self.type(w)}")
            case Apply("select", (test, a, b)):
                x, y = self.low(a, w), self.low(b, w)
                return self._select(self.truth(test), self.type(w), x, y)
            case _:
                return self.convert(self.exact(e), w)

    def _shift_limit(self, e: Expression) -> int:
        """The largest value of a shift amount, as far as it is plain to see."""
        value = self.constant(e)
        if value is not None:
            return value
        match e:
            case Apply("and", (_, mask)) if (value := self.constant(mask)) is not None:
                return value
            case _:
                raise Unsupported("a shift amount without a bound")

    def _select(self, condition: str, type_: str, a: str, b: str) -> str:
        test = self.type(1)
        return self.code.let(f"select {test} {condition}, {type_} {a}, {type_} {b}")

    def truth(self, e: Expression) -> str:
        """A condition, one bit a lane."""
        value = self.exact(e)
        if value.container == 1:
            return value.name
        type_ = self.type(value.container)
        zero = self.literal(0, value.container)
        return self.code.let(f"icmp ne {type_} {self._wide(value, value.container)}, {zero}")

    def exact(self, e: Expression) -> Whole:
        """The value of an integer expression."""
        value = self.constant(e)
        if value is not None:
            bits = max(value.bit_length() + (value < 0), 1)
            return Whole(str(value), value < 0, bits, container(bits))
        match e:
            case Name(name):
                return self.leaf(name)
            case Apply("s", (Name(name),)):
                leaf = self.leaf(name)
                return Whole(leaf.name, True, leaf.bits, leaf.container)
            case Apply("s", (inner,)):
                return self.exact(inner)
            case Apply(op, (a, b)) if op in RING:
                return self._ring(op, a, b)
            case Apply("shr", (a, b)):
                return self._shift_right(a, b)
            case Apply("shl", (a, b)):
                return self._shift_left(a, b)
            case Apply(op, (a, b)) if op in COMPARE:
                return self._compare(op, a, b)
            case Apply("select", (test, a, b)):
                x, y, kind = self._together(self.exact(a), self.exact(b))
                name = self._select(self.truth(test), self.type(kind.container), x, y)
                return Whole(name, kind.signed, kind.bits, kind.container)
            case Apply("sext" | "low" as op, (a, Const(n))) if n in CONTAINERS:
                return Whole(self.low(a, n), op == "sext", n, n)
            case Apply("neg", (a,)):
                return self._ring("sub", Const(0), a)
            case Apply(op, (a, Const(n))) if op in COUNTS:
                return self._count(op, a, n)
            case Apply():
                return self._function(e)
            case _:
                raise Unsupported(str(e))

    def _ring(self, op: str, a: Expression, b: Expression) -> Whole:
        left, right = self.exact(a), self.exact(b)
        signed = left.signed or right.signed or op == "sub"
        if op == "mul":
            bits = left.bits + right.bits
        else:
            bits = max(v.bits + (signed and not v.signed) for v in (left, right))
            bits += op in ("add", "sub")
        width = container(bits)
        x, y = self._wide(left, width), self._wide(right, width)
        return Whole(self.code.let(f"{RING[op]} {self.type(width)} {x}, {y}"), signed, bits, width)

    def _wide(self, value: Whole, width: int) -> str:
        if value.name.lstrip("-").isdigit():
            return self.literal(int(value.name), width)
        return self.convert(value, width)

    def _together(self, left: Whole, right: Whole) -> tuple[str, str, Whole]:
        """Two values in one type that holds both, and that type."""
        signed = left.signed or right.signed
        bits = max(v.bits + (signed and not v.signed) for v in (left, right))
        width = container(bits)
        return self._wide(left, width), self._wide(right, width), Whole("", signed, bits, width)

    def _compare(self, op: str, a: Expression, b: Expression) -> Whole:
        x, y, kind = self._together(self.exact(a), self.exact(b))
        sign = "" if op in ("eq", "ne") else "s" if kind.signed else "u"
        name = self.code.let(f"icmp {sign}{COMPARE[op]} {self.type(kind.container)} {x}, {y}")
        return Whole(name, False, 1, 1)

    def _shift_right(self, a: Expression, b: Expression) -> Whole:
        value = self.exact(a)
        if self._shift_limit(b) >= value.container:
            raise Unsupported("a shift by too much")
        amount = self._wide(self.exact(b), value.container)
        way, type_ = ("ashr" if value.signed else "lshr"), self.type(value.container)
        name = self.code.let(f"{way} {type_} {self._wide(value, value.container)}, {amount}")
        return Whole(name, value.signed, value.bits, value.container)

    def _shift_left(self, a: Expression, b: Expression) -> Whole:
        value = self.exact(a)
        bits = value.bits + self._shift_limit(b)
        width = container(bits)
        x, amount = self._wide(value, width), self._wide(self.exact(b), width)
        name = self.code.let(f"shl {self.type(width)} {x}, {amount}")
        return Whole(name, value.signed, bits, width)

    def _count(self, op: str, a: Expression, n: int) -> Whole:
        """clz, ctz and popcount of the low n bits."""
        value, type_ = self.low(a, n), self.type(n)
        flag = "" if op == "popcount" else ", i1 false"
        intrinsic = f"@llvm.{COUNTS[op]}.{self.suffix(f'i{n}')}"
        return Whole(self.code.let(f"call {type_} {intrinsic}({type_} {value}{flag})"), False, 8, n)

    def _function(self, e: Apply) -> Whole:
        arguments = e.arguments
        match e.operation:
            case "min" | "max" as op:
                x, y, kind = self._together(self.exact(arguments[0]), self.exact(arguments[1]))
                prefix = "s" if kind.signed else "u"
                width = kind.container
                name = self.call(f"{prefix}{op}", f"i{width}", self.type(width), x, y)
                return Whole(name, kind.signed, kind.bits, width)
            case "div" | "rem" as op:
                return self._division(op, *arguments)
            case "byte_reverse":
                name = self.call("bswap", "i64", self.type(64), self.low(arguments[0], 64))
                return Whole(name, False, 64, 64)
            case "byte_or":
                return self._byte_or(arguments[0])
            case "round_shift":
                return self._round_shift(*arguments)
            case "sat_s" | "sat_u" as op:
                return self._saturate(op == "sat_s", arguments[0])
            case op if op in FLOAT_COMPARE:
                width = self._float_width(arguments[0])
                x, y = self._floats(width, *arguments)
                kind = self.float_type(width)
                return Whole(
                    self.code.let(f"fcmp {FLOAT_COMPARE[op]} {kind} {x}, {y}"), False, 1, 1
                )
            case op if op in TO_INT:
                return self._to_int(op, *arguments)
            case "fsgnj" | "fsgnjn" | "fsgnjx" as op:
                return self._sign(op, *arguments)
            case "raw":
                return self.exact(arguments[0])
            case "load" if self.load is not None:
                bits = self.constant(arguments[1])
                assert bits is not None
                return Whole(self.load(self.low(arguments[0], 64), bits), False, bits, bits)
            case "bf16_narrow":
                return self._bf16_narrow(arguments[0])
            case op if op in FLOAT_RESULT:
                width = self._float_width(e)
                return Whole(self.float_bits(e), False, width, width)
            case op:
                raise Unsupported(op)

    def _division(self, op: str, a: Expression, b: Expression) -> Whole:
        x, y, kind = self._together(self.exact(a), self.exact(b))
        width = kind.container
        type_, zero, one = self.type(width), self.literal(0, width), self.literal(1, width)
        # LLVM leaves division by zero and the overflow of -2^n / -1 undefined.
        by_zero = self.code.let(f"icmp eq {type_} {y}, {zero}")
        divisor = self._select(by_zero, type_, one, y)
        if not kind.signed:
            way = "udiv" if op == "div" else "urem"
            return Whole(self.code.let(f"{way} {type_} {x}, {divisor}"), False, kind.bits, width)
        negating = self.code.let(f"icmp eq {type_} {y}, {self.literal(-1, width)}")
        divisor = self._select(negating, type_, one, divisor)
        if op == "div":
            plain = self.code.let(f"sdiv {type_} {x}, {divisor}")
            special = self.code.let(f"sub {type_} {zero}, {x}")
        else:
            plain, special = self.code.let(f"srem {type_} {x}, {divisor}"), zero
        return Whole(self._select(negating, type_, special, plain), True, kind.bits, width)

    def _byte_or(self, a: Expression) -> Whole:
        type_, x = self.type(64), self.low(a, 64)
        low7 = self.code.let(f"and {type_} {x}, {self.literal(BYTES_7F, 64)}")
        carried = self.code.let(f"add {type_} {low7}, {self.literal(BYTES_7F, 64)}")
        either = self.code.let(f"or {type_} {carried}, {x}")
        tops = self.code.let(f"and {type_} {either}, {self.literal(BYTES_80, 64)}")
        ones = self.code.let(f"lshr {type_} {tops}, {self.literal(7, 64)}")
        return Whole(self.code.let(f"mul {type_} {ones}, {self.literal(255, 64)}"), False, 64, 64)

    # Fixed point

    def _round_shift(self, a: Expression, b: Expression) -> Whole:
        """a / 2^b rounded by vxrm: floor plus a bit that depends on the bits shifted out."""
        value = self.exact(a)
        width = value.container
        if self._shift_limit(b) >= width:
            raise Unsupported("a shift by too much")
        type_, let = self.type(width), self.code.let
        x, amount = self._wide(value, width), self._wide(self.exact(b), width)
        one, zero = self.literal(1, width), self.literal(0, width)
        floor = let(f"{'ashr' if value.signed else 'lshr'} {type_} {x}, {amount}")
        if self.vxrm == ROUND_DOWN:
            return Whole(floor, value.signed, value.bits, width)
        unit = let(f"shl {type_} {one}, {amount}")
        half = let(f"lshr {type_} {unit}, {one}")
        below = let(f"sub {type_} {unit}, {one}")
        rest = let(f"and {type_} {x}, {below}")
        odd = let(f"and {type_} {floor}, {one}")
        if self.vxrm == ROUND_NEAREST_UP:
            reached = let(f"icmp uge {type_} {rest}, {half}")
            up = let(f"and {self.type(1)} {reached}, " + let(f"icmp ne {type_} {half}, {zero}"))
        elif self.vxrm == ROUND_NEAREST_EVEN:
            above = let(f"icmp ugt {type_} {rest}, {half}")
            tie = let(f"icmp eq {type_} {rest}, {half}")
            tie = let(f"and {self.type(1)} {tie}, " + let(f"icmp ne {type_} {odd}, {zero}"))
            up = let(f"or {self.type(1)} {above}, {tie}")
            up = let(f"and {self.type(1)} {up}, " + let(f"icmp ne {type_} {half}, {zero}"))
        else:
            inexact = let(f"icmp ne {type_} {rest}, {zero}")
            up = let(f"and {self.type(1)} {inexact}, " + let(f"icmp eq {type_} {odd}, {zero}"))
        more = let(f"zext {self.type(1)} {up} to {type_}")
        return Whole(let(f"add {type_} {floor}, {more}"), value.signed, value.bits, width)

    def _saturate(self, signed: bool, e: Expression) -> Whole:
        value, w = self.exact(e), self.target_width
        low, high = (-(1 << (w - 1)), (1 << (w - 1)) - 1) if signed else (0, (1 << w) - 1)
        width = container(max(value.bits, w + 1 + (not signed)))
        type_, kind, x = self.type(width), f"i{width}", self._wide(value, width)
        prefix = "s" if value.signed else "u"
        clamped = x
        if value.signed:
            clamped = self.call(f"{prefix}max", kind, type_, clamped, self.literal(low, width))
        clamped = self.call(f"{prefix}min", kind, type_, clamped, self.literal(high, width))
        if self.saturated is not None:
            self.saturated(self.code.let(f"icmp ne {type_} {clamped}, {x}"))
        return Whole(clamped, value.signed, value.bits, width)

    # Floats

    def is_float(self, e: Expression) -> bool:
        """Whether the expression's value is a float (else it is bits or an integer)."""
        return isinstance(e, Apply) and e.operation in FLOAT_RESULT

    def _float_width(self, e: Expression) -> int:
        match e:
            case Name(name):
                return self.widths(name)
            case Apply("widen", (a,)):
                return 2 * self._float_width(a)
            case Apply("bf16_widen", _):
                return 32
            case Apply("fneg", (a,)):
                return self._float_width(a)
            case _:
                return self.target_width

    def float(self, e: Expression) -> tuple[str, int]:
        """A float expression's value, and its width."""
        width = self._float_width(e)
        kind, let = self.float_type(width), self.code.let
        match e:
            case Name(name):
                bits = self.leaf(name)
                return let(f"bitcast {self.type(width)} {bits.name} to {kind}"), width
            case Apply("widen" | "fcvt", (a,)):
                value, source = self.float(a)
                if source == width:
                    return value, width
                way = "fpext" if source < width else "fptrunc"
                return let(f"{way} {self.float_type(source)} {value} to {kind}"), width
            case Apply("bf16_widen", (a,)):
                bits = let(f"shl {self.type(32)} {self.low(a, 32)}, {self.literal(16, 32)}")
                return let(f"bitcast {self.type(32)} {bits} to {kind}"), width
            case Apply("s_to_f" | "u_to_f" as op, (a,)):
                value = self.exact(a)
                way = "sitofp" if value.signed else "uitofp"
                source = self._wide(value, value.container)
                return let(f"{way} {self.type(value.container)} {source} to {kind}"), width
            case Apply("fneg", (a,)):
                return let(f"fneg {kind} {self.float(a)[0]}"), width
            case Apply(op, (a, b)) if op in FLOAT_BINARY:
                x, y = self._floats(width, a, b)
                return let(f"{FLOAT_BINARY[op]} {kind} {x}, {y}"), width
            case Apply("fmin" | "fmax" as op, (a, b)):
                return self._minimum(op, self._floats(width, a, b), width), width
            case Apply("fsqrt", (a,)):
                return self.call("sqrt", f"f{width}", kind, *self._floats(width, a)), width
            case Apply("fma", arguments):
                values = self._floats(width, *arguments)
                return self.call("fma", f"f{width}", kind, *values), width
            case _:
                raise Unsupported(str(e))

    def _floats(self, width: int, *arguments: Expression) -> list[str]:
        """Arguments of an operation on one format."""
        values = [self.float(argument) for argument in arguments]
        if any(found != width for _, found in values):
            raise Unsupported("formats that don't agree")
        return [value for value, _ in values]

    def _minimum(self, op: str, values: list[str], width: int) -> str:
        """minimumNumber or maximumNumber: NaN loses, -0 < +0."""
        kind, type_, let = self.float_type(width), self.type(width), self.code.let
        x, y = values
        bits = [let(f"bitcast {kind} {value} to {type_}") for value in values]
        # Equal numbers differ at most in the sign of zero.
        merged = let(f"{'or' if op == 'fmin' else 'and'} {type_} {bits[0]}, {bits[1]}")
        merged = let(f"bitcast {type_} {merged} to {kind}")
        first = let(f"fcmp {'olt' if op == 'fmin' else 'ogt'} {kind} {x}, {y}")
        alone = let(f"fcmp uno {kind} {y}, {y}")
        first = let(f"or {self.type(1)} {first}, {alone}")
        equal = let(f"fcmp oeq {kind} {x}, {y}")
        return self._select(equal, kind, merged, self._select(first, kind, x, y))

    def canonical(self, value: str, width: int) -> str:
        """The bits of a float, of a NaN the canonical ones."""
        kind, type_ = self.float_type(width), self.type(width)
        nan = self.code.let(f"fcmp uno {kind} {value}, {value}")
        bits = self.code.let(f"bitcast {kind} {value} to {type_}")
        return self._select(nan, type_, self.literal(FORMATS[width].nan, width), bits)

    def float_bits(self, e: Expression) -> str:
        """The bits of a float result in the target's format."""
        value, width = self.float(e)
        if width != self.target_width:
            raise Unsupported(f"a binary{width} in {self.target_width} bits")
        return self.canonical(value, width)

    def _to_int(self, op: str, a: Expression, n: Expression) -> Whole:
        bits = self.constant(n)
        value, width = self.float(a)
        if bits is None or bits not in CONTAINERS:
            raise Unsupported(op)
        kind, type_ = self.float_type(width), self.type(bits)
        if not (self.truncate or op.endswith("rtz")):
            value = self.call("roundeven", f"f{width}", kind, value)
        sign = TO_INT[op]
        # Saturating conversion gives 0 for NaN; RISC-V gives the largest value.
        intrinsic = f"@llvm.fpto{sign}i.sat.{self.suffix(f'i{bits}')}.{self.suffix(f'f{width}')}"
        result = self.code.let(f"call {type_} {intrinsic}({kind} {value})")
        nan = self.code.let(f"fcmp uno {kind} {value}, {value}")
        high = (1 << (bits - 1)) - 1 if sign == "s" else (1 << bits) - 1
        result = self._select(nan, type_, self.literal(high, bits), result)
        return Whole(result, sign == "s", bits, bits)

    def _sign(self, op: str, a: Expression, b: Expression) -> Whole:
        """Sign injection on bit patterns."""
        w = self.target_width
        top, type_, let = 1 << (w - 1), self.type(w), self.code.let
        x, y = self.exact(a).name, self.exact(b).name
        if op == "fsgnjn":
            y = let(f"xor {type_} {y}, {self.literal(-1, w)}")
        elif op == "fsgnjx":
            y = let(f"xor {type_} {x}, {y}")
        magnitude = let(f"and {type_} {x}, {self.literal(top - 1, w)}")
        sign = let(f"and {type_} {y}, {self.literal(top, w)}")
        return Whole(let(f"or {type_} {magnitude}, {sign}"), False, w, w)

    def _bf16_narrow(self, a: Expression) -> Whole:
        """binary32 bits to bfloat16 bits, to nearest even."""
        type_, let = self.type(32), self.code.let
        source = self.exact(a)
        if source.container != 32:
            raise Unsupported("bfloat16 from another format")
        x = source.name
        last = let(f"lshr {type_} {x}, {self.literal(16, 32)}")
        last = let(f"and {type_} {last}, {self.literal(1, 32)}")
        bias = let(f"add {type_} {last}, {self.literal(0x7FFF, 32)}")
        rounded = let(f"lshr {type_} {let(f'add {type_} {x}, {bias}')}, {self.literal(16, 32)}")
        magnitude = let(f"and {type_} {x}, {self.literal(0x7FFFFFFF, 32)}")
        nan = let(f"icmp ugt {type_} {magnitude}, {self.literal(0x7F800000, 32)}")
        chosen = self._select(nan, type_, self.literal(0x7FC0, 32), rounded)
        return Whole(let(f"trunc {type_} {chosen} to {self.type(16)}"), False, 16, 16)
