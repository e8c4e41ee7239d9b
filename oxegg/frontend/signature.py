"""Parameters of a kernel, read from its jaxtyping annotations."""

from __future__ import annotations

import ast
import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from oxegg.errors import LoweringError
from oxegg.frontend.dtypes import element_type
from oxegg.frontend.names import Names
from oxegg.ir import Axis, ElementType


@dataclass(frozen=True, slots=True)
class Parameter:
    """An array parameter: element type and axes, outermost first."""

    name: str
    type: ElementType
    layout: tuple[Axis, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """Array parameters in order, and the Python numbers fixed while compiling."""

    arrays: tuple[Parameter, ...]
    static: Mapping[str, Any]
    constants: frozenset[str] = frozenset()


class _Constant:
    """See ``constant``."""

    def __repr__(self) -> str:
        return "oxegg.constant"


constant = _Constant()
"""Marks a parameter whose contents stay the same from call to call, so that it may be laid out
ahead of time: ``w: Annotated[Int8[np.ndarray, "m=64 k=64"], oxegg.constant]``."""


def _marks(hint: Any) -> tuple[Any, ...]:
    """What ``Annotated`` says beside the type."""
    return getattr(hint, "__metadata__", ())


def where_defined(function: Callable[..., Any]) -> str:
    """``file:line`` of a function."""
    code = inspect.unwrap(function).__code__
    return f"{code.co_filename}:{code.co_firstlineno}"


def read_signature(
    function: Callable[..., Any], sizes: Mapping[str, int], names: Names
) -> Signature:
    """Element types, axes and sizes of the parameters of ``function``.

    ``sizes`` wins over the sizes in annotations and over defaults of static parameters.
    """
    parameters = inspect.signature(function).parameters
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise LoweringError(f"an annotation can't be read: {error}") from error
    constants = frozenset(n for n in parameters if constant in _marks(hints.get(n)))
    hints = {n: h.__origin__ if _marks(h) else h for n, h in hints.items()}
    annotated = {n: hints[n] for n in parameters if hasattr(hints.get(n), "dim_str")}
    known = _known_sizes(annotated, sizes)
    _refuse_unknown(sizes, known, annotated, parameters)
    for axis, size in known.items():
        names.declare(axis, size)
    arrays = tuple(_parameter(n, a, known, names) for n, a in annotated.items())
    static = {
        name: sizes.get(name, parameter.default)
        for name, parameter in parameters.items()
        if name not in annotated
    }
    for name, value in static.items():
        if value is inspect.Parameter.empty:
            raise _missing(name, hints.get(name))
    if not arrays:
        raise LoweringError("the kernel has no array parameter", hint=_EXAMPLE)
    return Signature(arrays, static, constants)


_EXAMPLE = 'annotate it: def kernel(x: Float32[np.ndarray, "rows=64 cols=1024"])'


def _missing(name: str, annotation: Any) -> LoweringError:
    if annotation is int:
        return LoweringError(f"parameter {name} has no value", hint=f"give --size {name}=...")
    if annotation is float:
        return LoweringError(
            f"parameter {name} is a Python float without a value",
            hint=f'for a run-time scalar annotate it {name}: Float32[np.ndarray, ""]',
        )
    return LoweringError(f"parameter {name} has no jaxtyping annotation", hint=_EXAMPLE)


def _refuse_unknown(
    sizes: Mapping[str, int],
    known: Mapping[str, int],
    annotated: Mapping[str, Any],
    parameters: Mapping[str, Any],
) -> None:
    for name in sizes:
        if name not in known and name not in parameters:
            raise LoweringError(
                f"there is no axis {name}",
                hint=f"axes of this kernel: {', '.join(_names(annotated)) or 'none'}",
            )


def _names(annotated: Mapping[str, Any]) -> list[str]:
    """Axis names of all annotations, sized or not."""
    tokens = [t.partition("=")[0] for a in annotated.values() for t in a.dim_str.split()]
    return list(dict.fromkeys(name for name in tokens if name.isidentifier()))


def _known_sizes(annotated: Mapping[str, Any], sizes: Mapping[str, int]) -> dict[str, int]:
    """Sizes of all axes that are plain names: given ones, else those of the annotations."""
    known: dict[str, int] = {}
    for annotation in annotated.values():
        for token in annotation.dim_str.split():
            name, _, size = token.partition("=")
            if not name.isidentifier():
                continue
            if name in sizes:
                known[name] = sizes[name]
            elif size:
                _agree(name, known.get(name), int(size))
                known[name] = int(size)
    return known


def _agree(name: str, known: int | None, size: int) -> None:
    if known not in (None, size):
        raise LoweringError(
            f"axis {name} has size {known} and size {size}",
            hint=f"give one of them another name, or --size {name}=...",
        )


def _parameter(name: str, annotation: Any, known: Mapping[str, int], names: Names) -> Parameter:
    dtypes = tuple(d for d in annotation.dtypes if d != "bool_") if annotation.dtypes else ()
    if len(dtypes) != 1:
        raise LoweringError(
            f"parameter {name} has no definite element type", hint="write Float32, Int8, UInt8 ..."
        )
    layout: list[Axis] = []
    for token in annotation.dim_str.split():
        layout.append(_axis(token, name, known, names, layout))
    return Parameter(name, element_type(dtypes[0]), tuple(layout))


def _axis(
    token: str, parameter: str, known: Mapping[str, int], names: Names, before: list[Axis]
) -> Axis:
    label, _, fixed = token.partition("=")
    if token == "..." or token[0] in "*#?_":
        raise LoweringError(
            f"parameter {parameter}: dimension {token} has no definite size",
            hint='name each dimension and give its size: "rows=64 cols=1024"',
        )
    if label.isidentifier():
        if label not in known:
            raise LoweringError(
                f"the size of axis {label} is unknown",
                hint=f'give --size {label}=..., or write "{label}=64" in the annotation',
            )
        size, like = known[label], label
    else:
        size, like = _evaluate(fixed or token, known), _first_name(token)
    if size < 1:
        raise LoweringError(
            f"parameter {parameter}: dimension {token} is empty (size {size})",
            hint="every dimension needs a size of at least 1",
        )
    return names.derive(like, size, before)


_OPERATORS: dict[type[ast.AST], Callable[[int, int], int]] = {
    ast.Add: int.__add__,
    ast.Sub: int.__sub__,
    ast.Mult: int.__mul__,
    ast.FloorDiv: int.__floordiv__,
}


def _evaluate(expression: str, known: Mapping[str, int]) -> int:
    """A size such as ``64``, ``n+2`` or ``2*(n-1)``."""

    def value(node: ast.AST) -> int:
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        if isinstance(node, ast.Name) and node.id in known:
            return known[node.id]
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return _OPERATORS[type(node.op)](value(node.left), value(node.right))
        if isinstance(node, ast.Name):
            raise LoweringError(
                f"the size of axis {node.id} is unknown", hint=f"give --size {node.id}=..."
            )
        raise LoweringError(f"dimension {expression} can't be read")

    try:
        return value(ast.parse(expression, mode="eval").body)
    except SyntaxError as error:
        raise LoweringError(f"dimension {expression} can't be read") from error


def _first_name(expression: str) -> str:
    found = [n.id for n in ast.walk(ast.parse(expression, mode="eval")) if isinstance(n, ast.Name)]
    return found[0] if found else "d"
