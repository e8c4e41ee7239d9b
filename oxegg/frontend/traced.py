"""What handlers of NumPy functions work with: arrays in, values out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from oxegg.errors import LoweringError
from oxegg.frontend.constants import constant
from oxegg.frontend.dtypes import Operand
from oxegg.frontend.joining import stack
from oxegg.frontend.value import Value


class Traced:
    """Base of the tracing array: enough of it for the handlers."""

    @property
    def value(self) -> Value:
        """The current value."""
        raise NotImplementedError

    @property
    def known(self) -> npt.NDArray[Any] | None:
        """The elements, where they do not depend on the kernel's parameters."""
        raise NotImplementedError

    def assign(self, value: Value | npt.NDArray[Any]) -> None:
        """Replace all elements (an update in place)."""
        raise NotImplementedError


Handler = Callable[..., Any]
HANDLERS: dict[Any, Handler] = {}
VIEWS: set[Any] = set()  # functions whose result shares memory with their first argument
IN_PLACE: set[Any] = set()  # functions that change their first argument
_H = TypeVar("_H", bound=Handler)


def implements(*functions: Any, view: bool = False) -> Callable[[_H], _H]:
    """Register the meaning of NumPy functions; results that are values become arrays."""

    def register(handler: _H) -> _H:
        for function in functions:
            HANDLERS[function] = handler
            if view:
                VIEWS.add(function)
        return handler

    return register


NO_VALUE: Any = np._NoValue  # pyright: ignore[reportPrivateUsage] - "argument not given"


def listed(x: Any) -> list[Any] | None:
    """The items of a list or tuple, None for anything else."""
    return list(cast("Sequence[Any]", x)) if isinstance(x, list | tuple) else None


def tuple_of(x: Any) -> tuple[Any, ...]:
    """A list or tuple as a tuple; anything else as a tuple of one."""
    items = listed(x)
    return (x,) if items is None else tuple(items)


def operand(x: Any) -> Operand:
    """A ufunc operand: Python numbers stay (they promote weakly), the rest are values."""
    if isinstance(x, Value):
        return x
    if isinstance(x, Traced):
        return x.value
    if isinstance(x, bool | int | float) and not isinstance(x, np.generic):
        return x
    items = listed(x)
    if items is not None:
        return stacked(items)
    if isinstance(x, np.ndarray | np.generic):
        return constant(np.asarray(cast("Any", x)))
    raise LoweringError(
        f"a {type(x).__name__} can't be an operand of an array operation",
        hint="operands are arrays and real numbers",
    )


def value_of(x: Any) -> Value:
    """Anything that NumPy takes for an array."""
    found = operand(x)
    return found if isinstance(found, Value) else constant(np.asarray(found))


def stacked(items: Sequence[Any]) -> Value:
    """A nested list as an array: np.array([a, b])."""
    if not contains_traced(items):
        return constant(np.asarray(items))
    return stack([value_of(x) for x in items], 0)


def contains_traced(x: Any) -> bool:
    """Whether a (nested) argument holds an array that depends on the tracing."""
    items = listed(x)
    return isinstance(x, Traced) if items is None else any(map(contains_traced, items))


def static_int(x: Any, what: str) -> int:
    """An argument that must be known while tracing."""
    if isinstance(x, Traced):
        known = x.known
        if known is None:
            raise LoweringError(f"{what} depends on the kernel's data")
        x = known
    return int(x)


def normalized_axis(axis: int, rank: int) -> int:
    """A NumPy axis number as a position."""
    if not -rank <= axis < rank:
        raise LoweringError(f"axis {axis} is out of bounds for an array of {rank} dimensions")
    return axis % rank


def normalized_axes(axis: Any, rank: int) -> tuple[int, ...]:
    """``axis=`` of a reduction: None is all of them."""
    if axis is None:
        return tuple(range(rank))
    out = tuple(normalized_axis(static_int(a, "axis"), rank) for a in tuple_of(axis))
    if len(set(out)) != len(out):
        raise LoweringError(f"duplicate axis in {axis}")
    return out
