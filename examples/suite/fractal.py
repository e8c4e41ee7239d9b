"""The Mandelbrot iteration: lanes that stop at different times."""

from typing import Any

import numpy as np
from jaxtyping import Float32, Int32

import oxegg


def mandelstep(
    cr: Float32[np.ndarray, "n=1024"],
    ci: Float32[np.ndarray, "n=1024"],
    zr: Float32[np.ndarray, "n=1024"],
    zi: Float32[np.ndarray, "n=1024"],
    count: Int32[np.ndarray, "n=1024"],
):
    """One step for the points that are still inside the circle of radius 2."""
    real, imaginary = zr * zr, zi * zi
    inside = real + imaginary <= 4
    return (
        np.where(inside, real - imaginary + cr, zr),
        np.where(inside, 2 * zr * zi + ci, zi),
        count + inside,
    )


def mandel(cr: Float32[np.ndarray, "n=256"], ci: Float32[np.ndarray, "n=256"], steps: int = 64):
    """Steps that each point stays inside, counted up to ``steps``."""
    start = np.zeros_like(cr), np.zeros_like(ci), np.zeros(cr.shape, np.int32)

    def step(_: int, *z: Any):
        return mandelstep(cr, ci, *z)

    return oxegg.fori(steps, step, start)[2]
