"""Matrix products."""

import numpy as np
from jaxtyping import Float32, Int8


def matmul(a: Float32[np.ndarray, "m=64 k=64"], b: Float32[np.ndarray, "k=64 n=64"]):
    return a @ b


def matmulijk(a: Float32[np.ndarray, "m=64 k=64"], b: Float32[np.ndarray, "k=64 n=64"]):
    """The same product, written as the triple sum that it is."""
    return np.einsum("mk,kn->mn", a, b)


def matmuli8(a: Int8[np.ndarray, "m=64 k=64"], b: Int8[np.ndarray, "k=64 n=64"]):
    return a.astype(np.int32) @ b.astype(np.int32)


def matmuli8t(a: Int8[np.ndarray, "m=64 k=64"], b: Int8[np.ndarray, "n=64 k=64"]):
    """The right matrix comes transposed: both are read along their rows."""
    return a.astype(np.int32) @ b.astype(np.int32).T


def matvec(a: Float32[np.ndarray, "m=64 k=64"], x: Float32[np.ndarray, "k=64"]):
    return a @ x
