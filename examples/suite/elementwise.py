"""One result element per input element."""

import numpy as np
from jaxtyping import Float32, Int32


def saxpy(
    a: Float32[np.ndarray, ""],
    x: Float32[np.ndarray, "n=1024"],
    y: Float32[np.ndarray, "n=1024"],
):
    return a * x + y


def vaddi32(a: Int32[np.ndarray, "n=1024"], b: Int32[np.ndarray, "n=1024"]):
    return a + b


def relu(x: Float32[np.ndarray, "n=1024"]):
    return np.maximum(x, 0)


def expf(x: Float32[np.ndarray, "n=1024"]):
    return np.exp(x)


def gelu(x: Float32[np.ndarray, "n=1024"]):
    """The tanh approximation of Hendrycks and Gimpel."""
    inner = 0.7978845608 * (x + 0.044715 * x * x * x)
    return 0.5 * x * (1 + np.tanh(inner))
