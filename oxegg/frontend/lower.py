"""From a plain NumPy function to a kernel of the tensor algebra, by running it once."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import numpy as np

from oxegg.errors import LoweringError, OxeggError
from oxegg.frontend.array import Array
from oxegg.frontend.locate import raised_at, raised_by_user, user_line
from oxegg.frontend.modules import tracing_numpy
from oxegg.frontend.names import names, new_names
from oxegg.frontend.signature import Signature, read_signature, where_defined
from oxegg.frontend.traced import tuple_of, value_of
from oxegg.frontend.value import Value
from oxegg.ir import Affine, Axis, Kernel, Output, Term, at, check, input_, topological

MOST_BYTES = 1 << 30
"""Of all inputs and outputs: programs live below 4 GiB, and a check holds some copies."""
_OF_THE_KERNEL = (
    TypeError, ValueError, IndexError, AttributeError, ZeroDivisionError, RecursionError,
)  # fmt: skip


def trace(
    function: Callable[..., Any], sizes: Mapping[str, int] | None = None, name: str | None = None
) -> Kernel:
    """Lower ``function``: its parameters become inputs, its results outputs.

    Raises :class:`LoweringError` naming file, line and the way out.
    """
    function = inspect.unwrap(function)  # a run-time type checker would refuse traced arrays
    defined = where_defined(function)
    with new_names() as fresh:
        try:
            signature = read_signature(function, sizes or {}, fresh)
        except LoweringError as error:
            raise _located(error, defined) from error
        inputs = [input_(p.name, p.type, p.layout) for p in signature.arrays]
        result = _run(function, signature, inputs, defined)
        try:
            called = name or function.__name__
            called = called if called.isidentifier() else "kernel"  # a lambda
            kernel = Kernel(called, tuple(inputs), _outputs(result), signature.constants)
            check(kernel)
            _refuse_large(kernel)
        except OxeggError as error:
            raise _located(error, defined) from error
    return kernel


def _refuse_large(kernel: Kernel) -> None:
    arrays = {p.attributes[0]: (p.type, p.axes) for p in kernel.inputs}
    arrays |= {o.name: (o.value.type, o.layout) for o in kernel.outputs}
    sizes = {n: t.bytes * math.prod(a.size for a in axes) for n, (t, axes) in arrays.items()}
    if sum(sizes.values()) > MOST_BYTES:
        largest = max(sizes, key=lambda name: sizes[name])
        raise LoweringError(
            f"the arrays of a kernel may have {MOST_BYTES:,} bytes together,"
            f" and {largest} alone has {sizes[largest]:,}",
            hint="compile the kernel for a part of them (--size AXIS=N) and call it in a loop",
        )


def reference(
    function: Callable[..., Any], sizes: Mapping[str, int] | None = None
) -> Callable[..., Any]:
    """The NumPy function of the array parameters alone: static parameters are bound as given."""
    with new_names() as fresh:
        try:
            static = read_signature(function, sizes or {}, fresh).static
        except LoweringError as error:
            raise _located(error, where_defined(function)) from error
    return partial(function, **static) if static else function


def _located(error: OxeggError, where: str | None) -> LoweringError:
    return LoweringError(error.message, where=error.where or where, hint=error.hint)


def _run(
    function: Callable[..., Any], signature: Signature, inputs: Sequence[Term], defined: str
) -> Any:
    arguments: dict[str, Any] = dict(signature.static)
    arguments |= {
        p.name: Array(parameter_value(term, p.layout))
        for p, term in zip(signature.arrays, inputs, strict=True)
    }
    parameters = inspect.signature(function).parameters
    named = {n: arguments.pop(n) for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    ordered = [arguments[n] for n in parameters if n in arguments]
    module = function.__globals__
    try:
        with tracing_numpy(module), np.errstate(all="ignore"):
            return function(*ordered, **named)
    except OxeggError as error:
        raise _located(error, raised_at(error.__traceback__) or defined) from error
    except Exception as error:
        if not isinstance(error, _OF_THE_KERNEL) and not raised_by_user(error.__traceback__):
            raise
        where = raised_at(error.__traceback__) or user_line() or defined
        raise LoweringError(
            f"{type(error).__name__}: {error}", where=where, hint=_hint(error)
        ) from error


def _hint(error: Exception) -> str:
    if isinstance(error, AttributeError):
        return "use functions of np on arrays"
    return "the function must run under NumPy as it stands: try it on arrays of these shapes"


def parameter_value(term: Term, layout: Sequence[Axis]) -> Value:
    """A parameter with its dimensions; those of length one have no axis."""
    ones = {axis: Affine(0) for axis in layout if axis.size == 1}
    return Value(at(term, ones), tuple((a,) if a.size > 1 else () for a in layout))


def _outputs(result: Any) -> tuple[Output, ...]:
    if result is None:
        raise LoweringError(
            "the kernel returns nothing", hint="return the results, updated arrays included"
        )
    results = tuple_of(result)
    single = len(results) == 1
    values = [_returned(item) for item in results]
    return tuple(_output("out" if single else f"out{i}", v) for i, v in enumerate(values))


def _returned(item: Any) -> Value:
    if isinstance(item, Array | np.ndarray | np.generic | bool | int | float):
        return value_of(cast("Any", item))
    raise LoweringError(
        f"the kernel returns a {type(item).__name__}", hint="return arrays or a tuple of arrays"
    )


def _output(name: str, value: Value) -> Output:
    """Dimensions of length one get an axis each, so that the layout has NumPy's shape.

    An axis along which the value only repeats must not be one that the term runs over inside.
    """
    inner = {axis for term in topological([value.term]) for axis in term.axes}
    used = inner | set(value.axes)
    layout: list[Axis] = []
    for dim in value.dims:
        for axis in dim or (_unit(used),):
            captured = axis in inner and axis not in value.term.axes
            layout.append(names().derive(axis.name, axis.size, used) if captured else axis)
            used.add(layout[-1])
    merged = any(len(d) > 1 for d in value.dims)
    return Output(name, value.term, tuple(layout), value.shape if merged else None)


def _unit(used: set[Axis]) -> Axis:
    axis = names().derive("one", 1, used)
    used.add(axis)
    return axis
