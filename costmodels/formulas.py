"""Timing formulas: arithmetic over named quantities, written as text, compiled once.

A formula may use whole numbers, ``+ - * // %``, comparisons, ``a if c else b`` and the functions
of ``FUNCTIONS``; nothing else, so a machine file from anywhere can be loaded without risk.
"""

import ast
from collections.abc import Callable, Mapping
from functools import lru_cache


def ceil_div(a: int, b: int) -> int:
    """a / b, rounded up."""
    return -(-a // b)


def log2(n: int) -> int:
    """The exponent of a power of two; of anything else that of the next power above."""
    return (n - 1).bit_length()


def clocks(picoseconds: int, mhz: int) -> int:
    """Core cycles that cover a time."""
    return ceil_div(picoseconds * mhz, 1_000_000)


def by_group(group: int, *values: int) -> int:
    """One value per size of the register group: LMUL 1 and less, 2, 4, 8."""
    return values[group]


def by_width(width: int, half: int, single: int, double: int) -> int:
    """One value per float format."""
    return {16: half, 32: single, 64: double}[width]


FUNCTIONS: Mapping[str, Callable[..., int]] = {
    "max": max,
    "min": min,
    "ceil_div": ceil_div,
    "log2": log2,
    "clocks": clocks,
    "by_group": by_group,
    "by_width": by_width,
}

_ALLOWED = (
    ast.Expression,
    ast.BinOp,
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.FloorDiv,
    ast.Mod,
    ast.IfExp,
    ast.Compare,
    ast.Lt,
    ast.LtE,
    ast.Gt,
    ast.GtE,
    ast.Eq,
    ast.Call,
    ast.Name,
    ast.Load,
    ast.Constant,
)


@lru_cache(maxsize=1024)
def compile_formula(text: str) -> tuple[Callable[[Mapping[str, int]], int], frozenset[str]]:
    """A function from quantities to whole cycles, and the names of the quantities it needs.

    Raises ``ValueError`` with one sentence when the text isn't a formula.
    """
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError as error:
        raise ValueError(f"{text!r} is not a formula: {error.msg}") from error
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED) or (
            isinstance(node, ast.Constant) and type(node.value) is not int
        ):
            raise ValueError(f"{text!r}: {ast.unparse(node)} may not stand in a formula")
    for function in called:
        if not isinstance(function, ast.Name) or function.id not in FUNCTIONS:
            raise ValueError(f"{text!r}: known functions are {', '.join(FUNCTIONS)}")
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - set(FUNCTIONS)
    code = compile(tree, "<formula>", "eval")

    def evaluate(quantities: Mapping[str, int]) -> int:
        return int(eval(code, {"__builtins__": {}, **FUNCTIONS}, dict(quantities)))

    return evaluate, frozenset(names)
