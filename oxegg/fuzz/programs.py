"""Random kernels as NumPy programs: lists of numbers that mean array operations.

``interpret`` looks only at shapes and types, so a program runs on arrays and on traced arrays
alike, and dropping numbers from the list leaves a valid program (shrinking).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jaxtyping
import numpy as np

from oxegg.errors import LoweringError
from oxegg.frontend import lower
from oxegg.ir import Kernel

Step = tuple[int, int, int, int]
Arrays = list[Any]

TYPES = (
    "Float32", "Float32", "Float32", "Float64", "Float16", "BFloat16", "Int8", "Int16", "Int32",
    "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Bool",
)  # fmt: skip
LONG = (1, 3, 7, 17, 64, 100, 127, 1000)  # sizes of one-dimensional parameters
SHORT = (1, 2, 3, 5, 7, 8, 13, 17, 31)
SHAPES = ("n", "n", "", "a b", "a b", "b a", "b", "a", "b b", "c a b")
LARGEST = 1000  # elements of any intermediate array

UNARY = (np.negative, np.abs, np.square, np.sign, np.invert, np.logical_not, np.positive)
BINARY = (
    np.add, np.subtract, np.multiply, np.maximum, np.minimum, np.add, np.multiply, np.fmax, np.fmin,
    np.less, np.equal, np.not_equal, np.greater_equal, np.bitwise_and, np.bitwise_or,
    np.bitwise_xor, np.logical_or, np.logical_and,
)  # fmt: skip
REDUCTIONS = (np.sum, np.max, np.min, np.sum, np.any, np.all, np.mean, np.argmax, np.prod)
Function = Callable[[Any], Any]


def _tame_exp(x: Any) -> Any:
    return np.exp(np.minimum(x, 8))


def _tame_sqrt(x: Any) -> Any:
    return np.sqrt(np.abs(x))


def _tame_log(x: Any) -> Any:
    return np.log(np.abs(x) + 1)


def _tame_reciprocal(x: Any) -> Any:
    return 1 / (np.abs(x) + 1)


FUNCTIONS: tuple[Function, ...] = (
    _tame_exp, np.tanh, _tame_sqrt, np.sin, _tame_log, _tame_reciprocal, np.floor, np.rint,
)  # fmt: skip
CASTS = ("f4", "i2", "u1", "f8", "?", "i8", "i4", "u4", "f2", "i1", "u2", "u8")


def bounded(x: Any) -> Any:
    """Keep floating-point numbers where products of several stay finite."""
    return np.clip(x, -9, 9) if x.dtype.kind in "fV" else x


def fitted(x: Any, y: Any) -> tuple[Any, Any]:
    """Slices of both that broadcast together."""
    for axis in range(-min(x.ndim, y.ndim), 0):
        m, n = x.shape[axis], y.shape[axis]
        if 1 not in (m, n) and m != n:
            keep = (..., slice(0, min(m, n)), *[slice(None)] * (-axis - 1))
            x, y = x[keep], y[keep]
    return x, y


def _same_but(x: Any, y: Any, axis: int) -> tuple[Any, Any]:
    """Arrays that concatenate along ``axis``."""
    while y.ndim < x.ndim:
        y = y[None]
    while x.ndim < y.ndim:
        x = x[None]
    ends = [min(m, n) for m, n in zip(x.shape, y.shape, strict=True)]
    key = tuple(slice(None) if i == axis % x.ndim else slice(0, n) for i, n in enumerate(ends))
    return x[key], y[key]


def _unary(x: Any, y: Any, a: int, b: int) -> Any:
    del y, b
    return UNARY[a % len(UNARY)](bounded(x))


def _binary(x: Any, y: Any, a: int, b: int) -> Any:
    x, y = fitted(x, y) if b & 3 else fitted(x[..., None], y)
    return BINARY[a % len(BINARY)](bounded(x), bounded(y))


def _with_number(x: Any, y: Any, a: int, b: int) -> Any:
    del y
    number = b % 7 if b & 1 or x.dtype.kind != "f" else 0.5 - b
    return BINARY[a % len(BINARY)](bounded(x), number)


def _chosen(x: Any, y: Any, a: int, b: int) -> Any:
    x, y = fitted(x, y)
    return np.where(x > b % 5, x if a & 2 else y, y if a & 1 else 1)


def _function(x: Any, y: Any, a: int, b: int) -> Any:
    del y, b
    return FUNCTIONS[a % len(FUNCTIONS)](bounded(x)) if x.dtype.kind == "f" else x


def _reduced(x: Any, y: Any, a: int, b: int) -> Any:
    del y
    axes: list[int | None] = [None, *range(int(x.ndim))]
    axis: Any = axes[b % len(axes)]
    return REDUCTIONS[a % len(REDUCTIONS)](bounded(x), axis=axis, keepdims=bool(a & 16))


def _normalized(x: Any, y: Any, a: int, b: int) -> Any:
    """A reduction and its operand together: softmax, norms, deviations."""
    del y
    if x.ndim == 0:
        return x
    x = bounded(x)
    kept = REDUCTIONS[a % 4](x, axis=b % x.ndim, keepdims=True)
    return np.subtract(x, kept) if x.dtype.kind != "b" else np.equal(x, kept)


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
    step = (1, 2, -1, -2, 3)[b % 5]
    keys[axis] = slice(None, None, step) if b & 8 else (b % n if b & 16 else slice(b % n, None))
    return x[tuple(keys)]


def _joined(x: Any, y: Any, a: int, b: int) -> Any:
    if x.ndim + y.ndim == 0:
        return np.stack([x, y])
    axis = a % max(x.ndim, y.ndim)
    x, y = _same_but(x, y, axis)
    return np.concatenate([x, y] if b & 1 else [y, x], axis=axis)


def _product(x: Any, y: Any, a: int, b: int) -> Any:
    del a
    x, y = (v if v.ndim else v[None] for v in (x, y))
    n = min(x.shape[-1], y.shape[0 if y.ndim == 1 else -2])
    x = bounded(x[..., :n])
    y = bounded(y[:n] if y.ndim == 1 else y[..., :n, :])
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


def _shifted(x: Any, y: Any, a: int, b: int) -> Any:
    del y
    if x.dtype.kind not in "iu":
        return x
    return x << (b % 4) if a & 1 else x >> (b % 4)


def _divided(x: Any, y: Any, a: int, b: int) -> Any:
    x, y = fitted(x, y)
    if x.dtype.kind in "iu" and x.dtype == y.dtype:
        return np.floor_divide(x, y) if a & 1 else x // (b % 6 + 1)
    return np.divide(x, np.abs(y) + 1) if x.dtype.kind == y.dtype.kind == "f" else x


STEPS: tuple[Callable[[Any, Any, int, int], Any], ...] = (
    _unary, _binary, _binary, _binary, _with_number, _chosen, _function, _reduced, _reduced,
    _normalized, _reshaped, _sliced, _joined, _product, _stored, _taken, _shifted, _divided,
    lambda x, y, a, b: np.transpose(x, np.roll(range(x.ndim), a).tolist()),
    lambda x, y, a, b: np.stack(fitted(x, y)[:1] * 2, axis=a % (x.ndim + 1)),
    lambda x, y, a, b: np.cumsum(bounded(x), axis=a % x.ndim) if x.ndim else x,
    lambda x, y, a, b: np.roll(x, b % 5, axis=a % x.ndim) if x.ndim else x,
    lambda x, y, a, b: np.repeat(x, a % 2 + 1, axis=b % x.ndim) if x.ndim else x,
    lambda x, y, a, b: np.pad(x, a % 3),
    lambda x, y, a, b: np.clip(x, -100, 100).astype(CASTS[a % len(CASTS)]),
)  # fmt: skip


def interpret(program: Sequence[Step], arrays: Sequence[Any], results: int) -> Any:
    """The last arrays that a program makes. Steps that NumPy refuses, or big ones, are skipped."""
    pool = list(arrays)
    for code, which, a, b in program:
        x, y = pool[-1 - which % len(pool)], pool[-1 - which // 8 % len(pool)]
        if x.size * y.size > 200 * LARGEST:
            continue
        try:
            made = STEPS[code % len(STEPS)](x, y, a, b)
        except TypeError:
            continue
        except LoweringError as error:
            if isinstance(error.__cause__, TypeError):  # NumPy refuses these types as well
                continue
            raise
        if 0 < made.size <= LARGEST and made.ndim <= 4:
            pool.append(made)
    return tuple(pool[-results:])


@dataclass(frozen=True)
class Sample:
    """One random kernel: ``parameters`` are (element type, shape) as in ``TYPES``, ``SHAPES``."""

    parameters: tuple[tuple[str, str], ...]
    sizes: tuple[int, int, int, int]  # of axes n, a, b, c
    steps: tuple[Step, ...]
    results: int

    def function(self) -> Callable[..., Any]:
        known = dict(zip("nabc", self.sizes, strict=True))

        def random_kernel(x: Any, y: Any) -> Any:
            return interpret(self.steps, (x, y), self.results)

        random_kernel.__annotations__ = {
            name: getattr(jaxtyping, type_)[np.ndarray, _dims(shape, known)]
            for name, (type_, shape) in zip("xy", self.parameters, strict=True)
        }
        return random_kernel

    def kernel(self) -> Kernel:
        return lower(self.function())


def _dims(shape: str, sizes: dict[str, int]) -> str:
    return " ".join(f"{token}={sizes[token]}" for token in shape.split())


def sample(seed: int) -> Sample:
    """The random kernel number ``seed``."""
    rng = random.Random(seed)
    first = rng.choice(TYPES)
    # Two operands of one type meet in more operations than two of different types.
    second = first if rng.random() < 0.6 else rng.choice(TYPES)
    return Sample(
        ((first, rng.choice(SHAPES)), (second, rng.choice(SHAPES))),
        (rng.choice(LONG), rng.choice(SHORT), rng.choice(SHORT), rng.choice(SHORT[:5])),
        tuple(
            (rng.randrange(64), rng.randrange(64), rng.randrange(64), rng.randrange(64))
            for _ in range(rng.randint(1, 6))
        ),
        rng.randint(1, 2),
    )
