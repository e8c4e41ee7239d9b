"""A row of numbers to one number."""

import numpy as np
from jaxtyping import Float32, Int8, Int32, UInt8


def dot(x: Float32[np.ndarray, "n=1024"], y: Float32[np.ndarray, "n=1024"]):
    return np.dot(x, y)


def sumf(x: Float32[np.ndarray, "n=1024"]):
    return x.sum()


def sumi32(x: Int32[np.ndarray, "n=1024"]):
    return x.sum(dtype=np.int32)


def doti8(x: Int8[np.ndarray, "n=1024"], y: Int8[np.ndarray, "n=1024"]):
    return np.dot(x.astype(np.int32), y.astype(np.int32))


def sadu8(x: UInt8[np.ndarray, "n=1024"], y: UInt8[np.ndarray, "n=1024"]):
    """Sum of absolute differences."""
    difference = x.astype(np.int16) - y.astype(np.int16)
    return np.abs(difference).sum(dtype=np.uint32)


def maxf(x: Float32[np.ndarray, "n=1024"]):
    return x.max()
