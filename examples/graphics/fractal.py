"""The Mandelbrot set."""

from typing import Any

import numpy as np
from jaxtyping import Float32

import oxegg


def mandelbrot(re: Float32[np.ndarray, "n=256"], im: Float32[np.ndarray, "n=256"], steps: int = 64):
    """Iterations for which |z| <= 2, counted up to ``steps``."""

    select: Any = np.where  # its overloads leave the result's type unknown

    def step(_: int, x: Any, y: Any, count: Any) -> tuple[Any, Any, Any]:
        inside = x * x + y * y <= 4
        return (
            select(inside, x * x - y * y + re, x),
            select(inside, 2 * x * y + im, y),
            count + inside,
        )

    start = np.zeros_like(re), np.zeros_like(im), np.zeros(re.shape, np.int32)
    return oxegg.fori(steps, step, start)[2]
