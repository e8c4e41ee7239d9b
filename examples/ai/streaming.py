"""Arrays too large for any cache: what moves them sets the pace."""

import numpy as np
from jaxtyping import Float32


def axpy(
    a: Float32[np.ndarray, ""],
    x: Float32[np.ndarray, "n=1048576"],
    y: Float32[np.ndarray, "n=1048576"],
):
    return a * x + y


def scale_add(
    a: Float32[np.ndarray, ""],
    b: Float32[np.ndarray, ""],
    x: Float32[np.ndarray, "n=1048576"],
    y: Float32[np.ndarray, "n=1048576"],
    z: Float32[np.ndarray, "n=1048576"],
):
    """A chain of two scaled additions."""
    return a * x + (b * y + z)


def dot(x: Float32[np.ndarray, "n=1048576"], y: Float32[np.ndarray, "n=1048576"]):
    return np.dot(x, y)
