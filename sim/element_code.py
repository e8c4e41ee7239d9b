"""Elementwise semantics to NumPy source: one expression over whole register groups.

The semantics speak of mathematical integers; this module chooses machine types. Two modes:

* ``low_bits(e, w)``: only the value modulo 2^w matters (a sum that is written to w bits), so ring
  operations run in w-bit unsigned arrays.
* ``exact(e)``: the value itself matters (a comparison, a right shift, a saturation). Every node
  knows its range as (signed, bits) and runs in the smallest array type that holds it; beyond 64
  bits that is an array of Python integers: slow, rare (SEW 64 products), and right.

Float operations give float arrays; their operands are read as floats of the operand's width.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from oxegg.isa.semantics import Apply, Const, Expression, Name

COMPARE = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
RING = {"add": "+", "sub": "-", "mul": "*", "and": "&", "or": "|", "xor": "^"}
FLOAT_RESULT = {
    "fadd": "({} + {})", "fsub": "({} - {})", "fmul": "({} * {})", "fdiv": "({} / {})",
    "fsqrt": "np.sqrt({})", "fneg": "(-{})", "fma": "fma_array({}, {}, {})",
    "fmin": "minimum_number({}, {}, False)", "fmax": "minimum_number({}, {}, True)",
}  # fmt: skip
FLOAT_COMPARE = {"feq": "({} == {})", "flt": "({} < {})", "fle": "({} <= {})"}
# Operations that only ieee.py and estimates.py know, element by element.
BY_ELEMENT = ("fclass", "frec7", "frsqrt7", "fcvt_odd")
SIGN = {"fsgnj": "b", "fsgnjn": "~b", "fsgnjx": "(a ^ b)"}
CONVERT_TO_INT = {
    "f_to_s": (True, False), "f_to_u": (False, False),
    "f_to_s_rtz": (True, True), "f_to_u_rtz": (False, True),
}  # fmt: skip


@dataclass(frozen=True)
class Exact:
    """Source of an array (or scalar) that holds exact integers of ``bits``, ``signed`` or not."""

    source: str
    signed: bool
    bits: int

    @property
    def container(self) -> str:
        """NumPy type that holds the range."""
        width = next((w for w in (8, 16, 32, 64) if w >= self.bits), None)
        return "O" if width is None else f"{'i' if self.signed else 'u'}{width // 8}"


@dataclass(frozen=True)
class ElementCode:
    """Translator for one instruction under one SEW.

    ``widths`` gives each operand's element width; source text refers to an operand ``n`` as
    ``n_u`` (unsigned array), ``n_i`` (signed) or ``n_f`` (float).
    """

    widths: Mapping[str, int]
    sew: int
    target_width: int
    vxrm: int

    def low_bits(self, e: Expression, w: int) -> str:
        """Source of an unsigned ``w``-bit array equal to ``e`` modulo 2^w."""
        match e:
            case Name(name) if name in self.widths and self.widths[name] <= w:
                return f"{name}_u" if self.widths[name] == w else f"{name}_u.astype('u{w // 8}')"
            case Apply("s", (Name(name),)) if self.widths[name] < w:
                return f"{name}_i.astype('u{w // 8}')"
            case Apply("s", (inner,)):
                return self.low_bits(inner, w)
            case Apply(op, (a, b)) if op in RING and not self._constant(e):
                return f"({self.low_bits(a, w)} {RING[op]} {self.low_bits(b, w)})"
            case Apply("shl", (a, b)):
                return f"({self.low_bits(a, w)} << {self.cast(self.exact(b), f'u{w // 8}')})"
            case Apply("select", (test, a, b)):
                condition = self.exact(test).source
                return f"np.where({condition}, {self.low_bits(a, w)}, {self.low_bits(b, w)})"
            case _:
                value = self.constant(e)
                if value is not None:
                    return f"np.uint{w}({value % (1 << w)})"
                return self.cut(self.exact(e), w)

    def cut(self, value: Exact, w: int) -> str:
        """The low ``w`` bits of an exact value, unsigned."""
        if value.container == "O":
            return f"({value.source} & {(1 << w) - 1}).astype('u{w // 8}')"
        reinterpret = "view" if value.container == f"i{w // 8}" else "astype"
        return f"{value.source}.{reinterpret}('u{w // 8}')"

    def cast(self, value: Exact, container: str) -> str:
        """An exact value in a container that holds its range."""
        if value.container == container or value.source.lstrip("-").isdigit():
            return value.source
        return f"{value.source}.astype('{container}')"

    def constant(self, e: Expression) -> int | None:
        """The value of an expression over constants and SEW, else None."""
        match e:
            case Const(value):
                return value
            case Name("sew"):
                return self.sew
            case Apply("neg", (a,)) if (value := self.constant(a)) is not None:
                return -value
            case Apply(op, (a, b)) if op in ("add", "sub", "mul"):
                left, right = self.constant(a), self.constant(b)
                if left is None or right is None:
                    return None
                return {"add": left + right, "sub": left - right, "mul": left * right}[op]
            case _:
                return None

    def _constant(self, e: Expression) -> bool:
        return self.constant(e) is not None

    def exact(self, e: Expression) -> Exact:
        """Source of the exact value of an integer expression."""
        value = self.constant(e)
        if value is not None:
            return Exact(str(value), value < 0, max(value.bit_length() + (value < 0), 1))
        match e:
            case Name("v0"):
                return Exact("v0_u", False, 1)
            case Name(name):
                return Exact(f"{name}_u", False, self.widths[name])
            case Apply("s", (Name(name),)):
                return Exact(f"{name}_i", True, self.widths[name])
            case Apply("s", (inner,)) if isinstance(inner, Apply):
                return self.exact(inner)
            case Apply(op, (a, b)) if op in RING:
                return self._ring(op, a, b)
            case Apply("shr", (a, b)):
                value, amount = self.exact(a), self.exact(b)
                shift = self.cast(amount, value.container)
                return Exact(f"({value.source} >> {shift})", value.signed, value.bits)
            case Apply(op, (a, b)) if op in COMPARE:
                left, right, _ = self._together(a, b)
                return Exact(f"({left} {COMPARE[op]} {right})", False, 1)
            case Apply("select", (test, a, b)):
                left, right, kind = self._together(a, b)
                condition = self.exact(test).source
                return Exact(f"np.where({condition}, {left}, {right})", kind.signed, kind.bits)
            case _:
                return self._function(e)

    def _together(self, a: Expression, b: Expression) -> tuple[str, str, Exact]:
        """Two values in one type that holds both, and that type."""
        left, right = self.exact(a), self.exact(b)
        signed = left.signed or right.signed
        bits = max(v.bits + (signed and not v.signed) for v in (left, right))
        kind = Exact("", signed, bits)
        return self.cast(left, kind.container), self.cast(right, kind.container), kind

    def _ring(self, op: str, a: Expression, b: Expression) -> Exact:
        left, right = self.exact(a), self.exact(b)
        signed = left.signed or right.signed or op == "sub"
        if op == "mul":
            bits = left.bits + right.bits
        else:
            bits = max(v.bits + (signed and not v.signed) for v in (left, right))
            bits += op in ("add", "sub")
        kind = Exact("", signed, bits)
        x, y = self.cast(left, kind.container), self.cast(right, kind.container)
        return Exact(f"({x} {RING[op]} {y})", signed, bits)

    def _function(self, e: Expression) -> Exact:
        assert isinstance(e, Apply), e
        arguments = e.arguments
        match e.operation:
            case "min" | "max":
                left, right, kind = self._together(*arguments)
                return Exact(f"np.{e.operation}imum({left}, {right})", kind.signed, kind.bits)
            case "div" | "rem":
                left, right, kind = self._together(*arguments)
                name = "quotient_array" if e.operation == "div" else "remainder_array"
                return Exact(f"{name}({left}, {right})", kind.signed, kind.bits)
            case "round_shift":
                value, amount = self.exact(arguments[0]), self.exact(arguments[1])
                source = f"round_shift({value.source}, {amount.source}, {self.vxrm})"
                return Exact(source, value.signed, value.bits)
            case "sat_s" | "sat_u":
                value, w = self.exact(arguments[0]), self.target_width
                signed = e.operation == "sat_s"
                low, high = (-(1 << (w - 1)), (1 << (w - 1)) - 1) if signed else (0, (1 << w) - 1)
                return Exact(f"saturate({value.source}, {low}, {high})", value.signed, value.bits)
            case operation if operation in FLOAT_COMPARE:
                return Exact(FLOAT_COMPARE[operation].format(*map(self.float, arguments)), False, 1)
            case operation if operation in CONVERT_TO_INT:
                signed, truncate = CONVERT_TO_INT[operation]
                bits = self.constant(arguments[1])
                assert bits is not None
                source = f"to_int_array({self.float(arguments[0])}, {bits}, {signed}, {truncate})"
                return Exact(source, signed, bits)
            case operation if operation in SIGN:
                return self._sign(operation, *arguments)
            case "bf16_narrow":
                return Exact(f"bf16_narrow({self._name(arguments[0])}_u)", False, 16)
            case operation:
                assert operation in BY_ELEMENT, operation
                name = self._name(arguments[0])
                width = self.target_width
                return Exact(f"by_element('{operation}', {name}_u, {width})", False, width)

    def _sign(self, operation: str, a: Expression, b: Expression) -> Exact:
        """Sign injection on bit patterns."""
        w = self.target_width
        top = 1 << (w - 1)
        first, second = f"{self._name(a)}_u", f"{self._name(b)}_u"
        sign = SIGN[operation].replace("a", first).replace("b", second)
        source = f"(({first} & np.uint{w}({top - 1})) | ({sign} & np.uint{w}({top})))"
        return Exact(source, False, w)

    def _name(self, e: Expression) -> str:
        assert isinstance(e, Name), e
        return e.name

    def is_float(self, e: Expression) -> bool:
        """Whether the expression's value is a float array (else it is bits or integers)."""
        return isinstance(e, Apply) and (
            e.operation in FLOAT_RESULT
            or e.operation in ("widen", "fcvt", "s_to_f", "u_to_f", "bf16_widen")
        )

    def float(self, e: Expression) -> str:
        """Source of a float array."""
        match e:
            case Name(name):
                return f"{name}_f"
            case Apply("widen", (Name(name),)):
                return f"{name}_f.astype('f{self.widths[name] // 4}')"
            case Apply("fcvt", (a,)):
                return self.float(a)
            case Apply("s_to_f" | "u_to_f", (a,)):
                return f"{self.exact(a).source}.astype('f{self.target_width // 8}')"
            case Apply("bf16_widen", (Name(name),)):
                return f"({name}_u.astype('u4') << np.uint32(16)).view('f4')"
            case Apply(op, arguments) if op in FLOAT_RESULT:
                return FLOAT_RESULT[op].format(*map(self.float, arguments))
            case _:
                raise AssertionError(e)
