"""Random programs over arrays of all types: lowered and evaluated, they equal NumPy.

A program is a list of numbers; ``interpret`` turns them into NumPy calls by looking only at
shapes and types, so the same program runs on arrays and on traced arrays.
"""

# Kernels as users write them, without types for locals and lambdas.
# pyright: basic

from collections.abc import Callable, Sequence
from typing import Any

import jaxtyping
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from oxegg.errors import LoweringError

TYPES = ["Float32", "Float64", "Float16", "BFloat16", "Int8", "Int32", "UInt8", "UInt32", "Bool"]
Step = tuple[int, int, int, int]
Arrays = list[Any]

UNARY = [np.negative, np.abs, np.square, np.sign, np.invert, np.logical_not, np.positive]
BINARY = [np.add, np.subtract, np.multiply, np.maximum, np.minimum, np.less, np.equal]
BINARY += [np.bitwise_and, np.logical_or, np.not_equal, np.fmax, np.greater_equal]
REDUCTIONS = [np.sum, np.max, np.min, np.any, np.argmax, np.mean, np.count_nonzero]


def smaller(x: Any) -> Any:
    """Keep numbers small enough to stay exact."""
    return np.clip(x, -9, 9) if x.dtype.kind == "f" else x


def fitted(x: Any, y: Any) -> tuple[Any, Any]:
    """Slices of both that broadcast together."""
    for axis in range(-min(x.ndim, y.ndim), 0):
        m, n = x.shape[axis], y.shape[axis]
        if 1 not in (m, n) and m != n:
            keep = (..., slice(0, min(m, n)), *[slice(None)] * (-axis - 1))
            x, y = x[keep], y[keep]
    return x, y


def same_rank(x: Any, y: Any, axis: int) -> tuple[Any, Any]:
    """Arrays that concatenate along ``axis``."""
    while y.ndim < x.ndim:
        y = y[None]
    while x.ndim < y.ndim:
        x = x[None]
    shape = [min(m, n) for m, n in zip(x.shape, y.shape, strict=True)]
    keys = [
        tuple(slice(None) if i == axis % x.ndim else slice(0, n) for i, n in enumerate(shape))
    ] * 2
    return x[keys[0]], y[keys[1]]


def _reduced(x: Any, y: Any, a: int, b: int) -> Any:
    del y
    axis = None if x.ndim == 0 else (None, *range(x.ndim))[b % (x.ndim + 1)]
    return REDUCTIONS[a % len(REDUCTIONS)](x, axis=axis, keepdims=bool(a & 8))


def _reshaped(x: Any, y: Any, a: int, b: int) -> Any:
    del y
    rows = max(d for d in range(1, a % 7 + 2) if x.size % d == 0)
    rest = x.size // rows
    columns = max(d for d in range(1, b % 5 + 2) if rest % d == 0)
    return x.reshape(rows, columns, rest // columns)


def _sliced(x: Any, y: Any, a: int, b: int) -> Any:
    del y
    if x.ndim == 0:
        return x[None]
    axis, n = a % x.ndim, x.shape[a % x.ndim]
    keys: list[Any] = [slice(None)] * x.ndim
    step = [1, 2, -1, -2, 3][b % 5]
    keys[axis] = slice(None, None, step) if b & 8 else (b % n if b & 16 else slice(b % n, None))
    return x[tuple(keys)]


def _joined(x: Any, y: Any, a: int, b: int) -> Any:
    if x.ndim + y.ndim == 0:
        return np.stack([x, y])
    axis = a % max(x.ndim, y.ndim)
    x, y = same_rank(x, y, axis)
    return np.concatenate([x, y] if b & 1 else [y, x], axis=axis)


def _product(x: Any, y: Any, a: int, b: int) -> Any:
    del a
    x, y = (v if v.ndim else v[None] for v in (x, y))
    n = min(x.shape[-1], y.shape[0 if y.ndim == 1 else -2])
    x = smaller(x[..., :n])
    y = smaller(y[:n] if y.ndim == 1 else y[..., :n, :])
    while x.ndim > 2 and y.ndim > 2:
        y = y[0]
    return x @ y if b & 1 else np.matmul(x, y) + 1


def _stored(x: Any, y: Any, a: int, b: int) -> Any:
    if x.ndim == 0:
        return x
    out = x.copy()
    axis, n = a % x.ndim, x.shape[a % x.ndim]
    key = (*[slice(None)] * axis, [slice(b % n, None), slice(None, None, 2), b % n][a % 3])
    region = out[key]
    number = y[(0,) * y.ndim]
    out[key] = number if b & 8 else region + 1 if region.dtype.kind != "b" else ~region
    return out


def _taken(x: Any, y: Any, a: int, b: int) -> Any:
    if x.ndim == 0 or y.dtype.kind not in "iu":
        return x
    axis = a % x.ndim
    index = y.astype(np.int64) % x.shape[axis]
    index = index.reshape(-1)[:4] if b & 1 else index[(0,) * y.ndim]
    return np.take(x, index, axis=axis)


def _chosen(x: Any, y: Any, a: int, b: int) -> Any:
    x, y = fitted(x, y)
    return np.where(x > b % 5, x, y if a & 1 else 1)


STEPS: list[Callable[[Any, Any, int, int], Any]] = [
    lambda x, y, a, b: UNARY[a % len(UNARY)](smaller(x)),
    lambda x, y, a, b: BINARY[a % len(BINARY)](*map(smaller, fitted(x, y))),
    lambda x, y, a, b: BINARY[a % len(BINARY)](*map(smaller, fitted(x[..., None], y))),
    lambda x, y, a, b: BINARY[a % len(BINARY)](smaller(x), b % 7 if b & 1 else 0.5),
    _chosen,
    _reduced,
    _reshaped,
    _sliced,
    _joined,
    _product,
    _stored,
    _taken,
    lambda x, y, a, b: np.transpose(x, np.roll(range(x.ndim), a).tolist()),
    lambda x, y, a, b: np.stack(fitted(x, y)[:1] * 2, axis=a % (x.ndim + 1)),
    lambda x, y, a, b: np.cumsum(smaller(x), axis=a % x.ndim) if x.ndim else x,
    lambda x, y, a, b: np.roll(x, b % 5, axis=a % x.ndim) if x.ndim else x,
    lambda x, y, a, b: np.repeat(x, a % 2 + 1, axis=b % x.ndim) if x.ndim else x,
    lambda x, y, a, b: np.tile(x, (a % 2 + 1, b % 2 + 1)),
    lambda x, y, a, b: np.pad(x, a % 3),
    lambda x, y, a, b: smaller(x).astype(["f4", "i2", "u1", "f8", "?", "i8"][a % 6]),
]


def interpret(program: Sequence[Step], arrays: Sequence[Any]) -> Any:
    """The last arrays that a program makes. Steps that NumPy refuses, or big ones, are skipped."""
    pool = list(arrays)
    for code, which, a, b in program:
        x, y = pool[-1 - which % len(pool)], pool[-1 - which // 8 % len(pool)]
        try:
            made = STEPS[code % len(STEPS)](x, y, a, b)
        except TypeError:
            continue
        except LoweringError as error:
            if isinstance(error.__cause__, TypeError):  # NumPy refuses these types as well
                continue
            raise
        if made.size <= 400 and made.ndim <= 4:
            pool.append(made)
    return tuple(pool[-2:])


numbers = st.integers(0, 31)
programs = st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=1, max_size=7)
dims = st.sampled_from(["", "n", "m n", "n m", "n n", "p m n", "one m", "m"])


@settings(max_examples=400)
@given(
    programs,
    st.lists(st.tuples(st.sampled_from(TYPES), dims), min_size=2, max_size=3),
    st.sampled_from([(2, 3, 4), (4, 1, 2), (6, 4, 1), (3, 5, 2)]),
)
def test_programs(
    agree: Callable[..., Any],
    program: list[Step],
    parameters: list[tuple[str, str]],
    sizes: tuple[int, int, int],
) -> None:
    def run(*arrays: Any) -> Any:
        return interpret(program, arrays)

    known = dict(zip("nmp", sizes, strict=True))

    def annotation(type_: str, shape: str) -> Any:
        tokens = [f"{t}={known[t]}" if t in known else "one=1" for t in shape.split()]
        return getattr(jaxtyping, type_)[np.ndarray, " ".join(tokens)]

    first, second = (annotation(*p) for p in parameters[:2])
    if len(parameters) == 2:
        agree(lambda x, y: run(x, y), first, second)
    else:
        agree(lambda x, y, z: run(x, y, z), first, second, annotation(*parameters[2]))
