"""Products of matrices and of a matrix with a vector, in the types of neural networks."""

from typing import Annotated

import numpy as np
from jaxtyping import BFloat16, Float16, Float32, Int8, Int32

import oxegg


def gemmi8(a: Int8[np.ndarray, "m=64 k=64"], b: Int8[np.ndarray, "k=64 n=64"]):
    return a.astype(np.int32) @ b.astype(np.int32)


def gemmbf16(a: BFloat16[np.ndarray, "m=64 k=64"], b: BFloat16[np.ndarray, "k=64 n=64"]):
    return a.astype(np.float32) @ b.astype(np.float32)


def gemmf16(a: Float16[np.ndarray, "m=64 k=64"], b: Float16[np.ndarray, "k=64 n=64"]):
    return a.astype(np.float32) @ b.astype(np.float32)


def gemmf32(a: Float32[np.ndarray, "m=64 k=64"], b: Float32[np.ndarray, "k=64 n=64"]):
    return a @ b


def gemvi8(
    w: Annotated[Int8[np.ndarray, "m=4096 k=4096"], oxegg.constant], x: Int8[np.ndarray, "k=4096"]
):
    return w.astype(np.int32) @ x.astype(np.int32)


def gemvf16(
    w: Annotated[Float16[np.ndarray, "m=4096 k=4096"], oxegg.constant],
    x: Float16[np.ndarray, "k=4096"],
):
    return w.astype(np.float32) @ x.astype(np.float32)


def gemmbias(
    a: Float32[np.ndarray, "m=64 k=64"],
    b: Float32[np.ndarray, "k=64 n=64"],
    bias: Float32[np.ndarray, "n=64"],
):
    """A dense layer with the tanh form of GELU."""
    x = a @ b + bias
    return 0.5 * x * (1 + np.tanh(np.float32(0.7978845608) * (x + np.float32(0.044715) * x**3)))


def mlpi8(
    x: Int8[np.ndarray, "rows=64 k=64"],
    first: Int8[np.ndarray, "k=64 hidden=128"],
    second: Int8[np.ndarray, "hidden=128 n=64"],
):
    """Two quantized layers; between them a shift with rounding, and ReLU."""
    hidden = x.astype(np.int32) @ first.astype(np.int32)
    narrow = np.clip((hidden + 128) >> 8, 0, 127).astype(np.int8)
    result = narrow.astype(np.int32) @ second.astype(np.int32)
    return np.clip((result + 128) >> 8, -128, 127).astype(np.int8)


def residual(
    a: Int8[np.ndarray, "m=64 k=64"],
    b: Int8[np.ndarray, "k=64 n=64"],
    c: Int32[np.ndarray, "m=64 n=64"],
):
    """A product added to what is there already, then ReLU."""
    return np.maximum(a.astype(np.int32) @ b.astype(np.int32) + c, 0)
