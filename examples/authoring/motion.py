"""Kernels of motion estimation: how far two images of 8-bit pixels are apart."""

import numpy as np
from jaxtyping import UInt8


def absdiff(x: UInt8[np.ndarray, "n=4096"], y: UInt8[np.ndarray, "n=4096"]):
    """Absolute differences."""
    return np.maximum(x, y) - np.minimum(x, y)


def sad(x: UInt8[np.ndarray, "n=4096"], y: UInt8[np.ndarray, "n=4096"]):
    """The sum of absolute differences."""
    return np.sum((np.maximum(x, y) - np.minimum(x, y)).astype(np.uint32))
