"""The array that kernels see while they are traced: NumPy's protocols over immutable values."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin

from oxegg.errors import LoweringError
from oxegg.frontend import functions, indexing, ufunc_methods, update
from oxegg.frontend.constants import constant
from oxegg.frontend.dtypes import cast, element_type
from oxegg.frontend.hints import cant_lower
from oxegg.frontend.traced import (
    HANDLERS,
    IN_PLACE,
    VIEWS,
    Traced,
    contains_traced,
    listed,
    value_of,
)
from oxegg.frontend.value import Value
from oxegg.ir import pointwise
from oxegg.ir.types import BOOL

Known = npt.NDArray[Any]
_MAX_UNROLLED = 64
functions.register_all()


@dataclass(slots=True)
class _View:
    """Where an array that shares memory with another one lies in it."""

    base: Array
    read: Callable[[Any], Any]
    key: Any  # index of an assignable view, None where writing through is not supported
    seen: int


class Array(NDArrayOperatorsMixin, Traced):
    """A traced array. Holds a value, or the elements themselves where they are known.

    In-place updates replace the value. Views remember their base: they are read anew when the
    base has changed, and indexed views write through to it, as NumPy's shared memory does.
    """

    def __init__(self, content: Value | Known, view: _View | None = None) -> None:
        self._content = content
        self._view = view
        self._version = 0

    # reading

    @property
    def content(self) -> Value | Known:
        """The current value or the known elements."""
        if self._view is not None and self._view.seen != self._view.base.version:
            self._content = self._view.read(self._view.base.content)
            self._view.seen = self._view.base.version
        return self._content

    @property
    def version(self) -> int:
        """Counts changes, those of the base of a view included."""
        return self._version + (self._view.base.version if self._view else 0)

    @property
    def value(self) -> Value:
        content = self.content
        return content if isinstance(content, Value) else constant(content)

    @property
    def known(self) -> Known | None:
        content = self.content
        return None if isinstance(content, Value) else content

    def viewed(self, read: Callable[[Any], Any], key: Any = None) -> Array:
        """An array that shares the memory of this one."""
        return Array(read(self.content), _View(self, read, key, self.version))

    # writing

    def assign(self, value: Value | Known) -> None:
        if self._view is None:
            self._content = value
            self._version += 1
            return
        if self._view.key is None:
            raise LoweringError(
                "an update in place of a transposed or reshaped view",
                hint="update the array itself, or work on x.copy()",
            )
        self._view.base[self._view.key] = Array(value)

    def __setitem__(self, key: Any, new: Any) -> None:
        known = self.known
        if known is not None and not _unknown((key, new)):
            changed = known.copy()
            changed[_plain(key)] = _plain(new)
            self.assign(changed)
        elif isinstance(key, Traced) and key.value.type is BOOL:
            self.assign(update.masked(self.value, key.value, value_of(new)))
        else:
            self.assign(update.store(self.value, key, value_of(new)))

    # NumPy's protocols

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        unknown = _unknown([*inputs, *kwargs.values()])
        if not (unknown or "out" in kwargs or method == "at"):
            return _wrapped(getattr(ufunc, method)(*_plain(inputs), **_plain_values(kwargs)))
        return _wrapped(ufunc_methods.METHODS[method](ufunc, *inputs, **kwargs))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        del types
        if function in VIEWS and isinstance(args[0], Array):
            rest = args[1:]

            def read(content: Any) -> Any:
                return _apply(function, (Array(content), *rest), kwargs).content

            return args[0].viewed(read)
        return _apply(function, args, kwargs)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Known:
        del copy
        if self.known is not None:
            return np.asarray(self.known, dtype)
        raise LoweringError(
            "a traced array is needed as plain numbers here",
            hint="convert with .astype, create arrays with functions of np that the kernel calls "
            "itself (np.stack ...), and make a constant array that it indexes a parameter",
        )

    def __getitem__(self, key: Any) -> Array:
        if self.known is not None and not contains_traced(key):
            return self.viewed(lambda content: _index_any(content, key), key)
        keys = typing.cast("tuple[Any, ...]", key) if isinstance(key, tuple) else (key,)
        if not all(map(_is_basic, keys)):
            return Array(indexing.index(self.value, key))
        assignable = None if any(k is None for k in keys) else keys
        return self.viewed(lambda content: _index_any(content, key), assignable)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of an array without dimensions")
        return self.shape[0]

    def __iter__(self) -> Iterator[Array]:
        if len(self) > _MAX_UNROLLED and self.known is None:
            raise LoweringError(
                f"a loop over {len(self)} rows of a traced array",
                hint="write it with whole arrays, or use oxegg.fori",
            )
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"Array(shape={self.shape}, dtype={self.dtype})"

    # Python's questions about data: answered only where the data is known

    def _scalar(self, what: str, hint: str) -> Any:
        if self.known is None:
            raise LoweringError(f"{what} of a traced array depends on data", hint=hint)
        return self.known

    def __bool__(self) -> bool:
        return bool(
            self._scalar("the truth", "write np.where(condition, a, b); & | ~ for and or not")
        )

    def __float__(self) -> float:
        return float(
            self._scalar("float()", "keep it an array: np.exp instead of math.exp, .astype")
        )

    def __int__(self) -> int:
        return int(self._scalar("int()", "keep it an array: x.astype(np.int32)"))

    def __index__(self) -> int:
        hint = "loop bounds and shapes must be known; index arrays with np.take or x[i]"
        return int(self._scalar("the use as a Python integer", hint))

    __hash__ = None  # type: ignore[assignment]

    # attributes

    @property
    def shape(self) -> tuple[int, ...]:
        content = self.content
        return content.shape

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def dtype(self) -> np.dtype[Any]:
        content = self.content
        return content.type.numpy if isinstance(content, Value) else content.dtype

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    @property
    def T(self) -> Array:
        return _NUMPY.transpose(self)

    @property
    def mT(self) -> Array:
        return _NUMPY.matrix_transpose(self)

    @property
    def real(self) -> Array:
        return self

    def __getattr__(self, name: str) -> Any:
        """Methods: the NumPy function of the same meaning, or one of ``_METHODS``."""
        if name.startswith("_"):
            raise AttributeError(name)
        if name in _METHODS:
            return partial(_METHODS[name], self)
        if name in _FUNCTION_METHODS:
            return partial(getattr(np, name), self)
        if hasattr(np.ndarray, name):
            raise cant_lower(name)
        raise AttributeError(f"'numpy.ndarray' object has no attribute '{name}'")


def _is_basic(key: Any) -> bool:
    """Whether an index gives a view rather than a copy."""
    return isinstance(key, int | slice | np.integer) or key is None or key is Ellipsis


def _index_any(content: Any, key: Any) -> Any:
    return indexing.index(content, key) if isinstance(content, Value) else np.asarray(content[key])


def _apply(function: Any, args: Any, kwargs: Any) -> Any:
    """A NumPy function by NumPy itself where all arrays are known, else by its handler."""
    if not _unknown([*args, *kwargs.values()]) and function not in IN_PLACE:
        return _wrapped(function(*_plain(args), **_plain_values(kwargs)))
    handler = HANDLERS.get(function)
    if handler is None:
        raise cant_lower(function.__name__)
    return _wrapped(handler(*args, **kwargs))


def _unknown(x: Any) -> bool:
    """Whether arguments hold an array whose elements are not known."""
    items = listed(x)
    if items is not None:
        return any(map(_unknown, items))
    return isinstance(x, Array) and x.known is None


def _plain(x: Any) -> Any:
    """Arguments with known arrays as NumPy arrays."""
    items = listed(x)
    if items is not None:
        return [_plain(i) for i in items] if isinstance(x, list) else tuple(map(_plain, items))
    return x.known if isinstance(x, Array) else x


def _plain_values(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in arguments.items()}


def _wrapped(result: Any) -> Any:
    """Values and known arrays become traced arrays; anything else stays."""
    if isinstance(result, Value):
        return Array(result)
    if isinstance(result, np.ndarray):
        return Array(typing.cast("Known", result))
    items = listed(result)
    if items is not None:
        wrapped = map(_wrapped, items)
        return list(wrapped) if isinstance(result, list) else tuple(wrapped)
    return result


# Methods that are NumPy functions of the same name, and those with a form of their own.
_FUNCTION_METHODS = {
    *("all", "any", "argmax", "argmin", "max", "mean", "min", "prod", "std", "sum", "var"),
    *("clip", "cumprod", "cumsum", "diagonal", "dot", "ravel", "repeat", "round", "squeeze"),
    *("swapaxes", "take", "trace"),
}
# Called with traced arrays, which are no ndarrays to a type checker.
_NUMPY: Any = np


def _reshape(x: Array, *shape: Any, order: Any = "C") -> Any:
    return _NUMPY.reshape(x, shape[0] if len(shape) == 1 else shape, order=order)


def _transpose(x: Array, *axes: Any) -> Any:
    if not axes:
        return _NUMPY.transpose(x)
    return _NUMPY.transpose(x, axes[0] if len(axes) == 1 else axes)


def _astype(x: Array, dtype: Any, *rest: Any, **kwargs: Any) -> Array:
    del rest, kwargs
    if x.known is not None:
        return Array(x.known.astype(dtype))
    return Array(x.value.with_term(cast(x.value.term, element_type(dtype))))


def _fill(x: Array, number: Any) -> None:
    x[...] = number


def _copy(x: Array, order: str = "C") -> Array:
    del order
    return Array(x.content if x.known is None else x.known.copy())


def _flatten(x: Array, order: str = "C") -> Array:
    return _copy(_reshape(x, -1, order=order))


def _reinterpreted(x: Array, dtype: Any) -> Array:
    type_ = element_type(dtype)
    if type_ is x.value.type:
        return x.viewed(lambda content: content)
    if type_.bits != x.value.type.bits:
        raise LoweringError(
            f"view of {x.dtype} as {type_.numpy} changes the element size",
            hint="use shifts and .astype",
        )
    return Array(x.value.with_term(pointwise("bitcast", x.value.term, to=type_)))


def _item(x: Array, *index: Any) -> Any:
    found = x[index] if index else x
    if found.known is None:
        raise LoweringError(".item() of a traced array depends on data", hint="leave it out")
    return found.known.item()


_METHODS: dict[str, Callable[..., Any]] = {
    "astype": _astype,
    "copy": _copy,
    "fill": _fill,
    "flatten": _flatten,
    "item": _item,
    "reshape": _reshape,
    "transpose": _transpose,
    "view": _reinterpreted,
}
