"""Constant expressions of the GNU assembler."""

import ast
import re
from collections.abc import Callable, Mapping

from oxegg.errors import EmitError

_BINARY: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: int.__add__,
    ast.Sub: int.__sub__,
    ast.Mult: int.__mul__,
    ast.LShift: int.__lshift__,
    ast.RShift: int.__rshift__,
    ast.BitAnd: int.__and__,
    ast.BitOr: int.__or__,
    ast.BitXor: int.__xor__,
    ast.Mod: lambda a, b: a - b * int(a / b),
    ast.Div: lambda a, b: int(a / b) if abs(a) < 1 << 52 else a // b,
}
_UNARY: Mapping[type[ast.unaryop], Callable[[int], int]] = {
    ast.USub: int.__neg__,
    ast.UAdd: int.__pos__,
    ast.Invert: int.__invert__,
}
_OCTAL = re.compile(r"(?<![\w.])0([0-7]+)(?![\w.])")
_CHARACTER = re.compile(r"'(\\?.)'?")
_NAME = re.compile(r"[A-Za-z_.$][\w.$]*")


def evaluate(text: str, symbols: Mapping[str, int]) -> int | None:
    """The value of a constant expression, ``None`` when it isn't one.

    Raises ``EmitError`` when it divides by zero.
    """
    plain = _CHARACTER.sub(lambda m: str(ord(m[1][-1])), text.strip())
    plain = _OCTAL.sub(r"0o\1", plain)
    names = [name for name in _NAME.findall(re.sub(r"0[xXbBo]\w+", "", plain))]
    if any(name not in symbols for name in names):
        return None
    plain = _NAME.sub(lambda m: f"({symbols[m[0]]})" if m[0] in symbols else m[0], plain)
    try:
        return _value(ast.parse(plain, mode="eval").body)
    except ZeroDivisionError:
        raise EmitError(f"{text} divides by zero") from None
    except (SyntaxError, KeyError, TypeError, ValueError):
        return None


def _value(node: ast.expr) -> int:
    match node:
        case ast.Constant(value=int() as value):
            return value
        case ast.BinOp(left, op, right):
            return _BINARY[type(op)](_value(left), _value(right))
        case ast.UnaryOp(op, operand):
            return _UNARY[type(op)](_value(operand))
        case _:
            raise TypeError
