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
from oxegg.fuzz.steps import STEPS
from oxegg.ir import Kernel

Step = tuple[int, int, int, int]
Arrays = list[Any]

TYPES = (
    "Float32", "Float32", "Float32", "Float64", "Float16", "BFloat16", "Int8", "Int16", "Int32",
    "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Bool",
)  # fmt: skip
LONG = (1, 3, 7, 17, 64, 100, 127, 1000)  # sizes of one-dimensional parameters
SHORT = (1, 2, 3, 5, 7, 8, 13, 17, 31)
SHAPES = ("n", "n", "", "a b", "a b", "b a", "b", "a", "b b", "c a b", "a c b a")
LARGEST = 1000  # elements of any intermediate array


def interpret(
    program: Sequence[Step],
    arrays: Sequence[Any],
    results: int,
    refused: Callable[[int], None] = lambda number: None,
) -> Any:
    """The last arrays that a program makes.

    Skipped are steps whose arrays are too large, and those that NumPy refuses, which ``refused`` is
    told of.
    """
    pool = list(arrays)
    for number, (code, which, a, b) in enumerate(program):
        x, y = pool[-1 - which % len(pool)], pool[-1 - which // 8 % len(pool)]
        if x.size * y.size > 200 * LARGEST:
            continue
        try:
            made = STEPS[code % len(STEPS)](x, y, a, b)
        except (TypeError, LoweringError) as error:
            if not isinstance(error, TypeError) and not isinstance(error.__cause__, TypeError):
                raise
            refused(number)
            continue
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

    def function(self, refused: Callable[[int], None] = lambda number: None) -> Callable[..., Any]:
        known = dict(zip("nabc", self.sizes, strict=True))

        def random_kernel(x: Any, y: Any) -> Any:
            return interpret(self.steps, (x, y), self.results, refused)

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
