"""``np`` as a kernel sees it while it is traced.

Functions that make arrays from nothing (np.zeros, np.array ...) do not go through NumPy's
protocols, so for the time of the trace the kernel's module gets a NumPy whose makers return
traced arrays. All other attributes are NumPy's own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import wraps
from types import ModuleType
from typing import Any, cast

import numpy as np

from oxegg.frontend.array import Array
from oxegg.frontend.hints import cant_lower
from oxegg.frontend.locate import is_users
from oxegg.frontend.traced import contains_traced, listed, stacked

_MAKERS = (
    *("arange", "eye", "fromfunction", "full", "identity", "indices", "linspace", "meshgrid"),
    *("ones", "tri", "zeros"),
)


def _maker(function: Callable[..., Any]) -> Callable[..., Any]:
    """Known elements as a traced array, which can be updated with data."""

    @wraps(function)
    def make(*args: Any, **kwargs: Any) -> Any:
        if contains_traced(args) or contains_traced(list(kwargs.values())):
            return function(*args, **kwargs)
        made = function(*args, **kwargs)
        items = listed(made)
        return Array(made) if items is None else tuple(map(Array, items))

    return make


def _array(thing: Any, dtype: Any = None, **kwargs: Any) -> Array:
    """np.array: a copy, or a stack of what a nested list holds."""
    items = listed(thing)
    if items is not None and contains_traced(items):
        made = Array(stacked(items))
        return made if dtype is None else made.astype(dtype)
    if isinstance(thing, Array):
        return thing.astype(thing.dtype if dtype is None else dtype)
    return Array(np.array(thing, dtype, **kwargs))


def _asarray(thing: Any, dtype: Any = None, **kwargs: Any) -> Array:
    """np.asarray: the array itself where it is one of that type."""
    if isinstance(thing, Array) and (dtype is None or thing.dtype == np.dtype(dtype)):
        return thing
    return _array(thing, dtype, **kwargs)


_REPLACED: dict[str, Callable[..., Any]] = {
    **{name: _maker(getattr(np, name)) for name in _MAKERS},
    "empty": _maker(np.zeros),  # elements that nobody wrote: zero is as good as any
    "array": _array,
    **dict.fromkeys(("asarray", "asanyarray", "ascontiguousarray"), _asarray),
}


class _TracingNumPy(ModuleType):
    """NumPy with other makers."""

    def __getattr__(self, name: str) -> Any:
        if name == "random":  # one draw would become a constant of the program
            raise cant_lower(name)
        return getattr(np, name)


_NUMPY = _TracingNumPy("numpy", np.__doc__)
vars(_NUMPY).update(_REPLACED)
_BY_IDENTITY: dict[int, Any] = {id(getattr(np, name)): made for name, made in _REPLACED.items()}
_BY_IDENTITY[id(np)] = _NUMPY


@contextmanager
def tracing_numpy(namespace: dict[str, Any]) -> Generator[None]:
    """Let a module's globals refer to the tracing NumPy, whatever they call it.

    So do those of the user's other modules that it uses. Not for several threads at once.
    """
    changed: list[tuple[dict[str, Any], dict[str, Any]]] = []
    try:
        for names in _users_namespaces(namespace):
            originals = {n: thing for n, thing in names.items() if id(thing) in _BY_IDENTITY}
            changed.append((names, originals))
            names.update({n: _BY_IDENTITY[id(thing)] for n, thing in originals.items()})
        yield
    finally:
        for names, originals in changed:
            names.update(originals)


def _users_namespaces(namespace: dict[str, Any]) -> list[dict[str, Any]]:
    """The globals of a module and of all modules that its functions come from."""
    found, waiting = [namespace], [namespace]
    while waiting:
        for thing in list(waiting.pop().values()):
            inner: Any = vars(thing) if isinstance(thing, ModuleType) else None
            inner = getattr(thing, "__globals__", inner)
            if not isinstance(inner, dict) or any(inner is known for known in found):
                continue
            names = cast("dict[str, Any]", inner)
            if is_users(names) and any(value is np for value in names.values()):
                found.append(names)
                waiting.append(names)
    return found
