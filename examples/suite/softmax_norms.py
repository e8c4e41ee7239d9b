"""Softmax and normalisations of one row."""

import numpy as np
from jaxtyping import Float32


def softmax(x: Float32[np.ndarray, "n=1024"]):
    e = np.exp(x - x.max())
    return e / e.sum()


def layernorm(
    x: Float32[np.ndarray, "n=1024"],
    gain: Float32[np.ndarray, "n=1024"],
    bias: Float32[np.ndarray, "n=1024"],
):
    centered = x - x.mean()
    variance = (centered * centered).mean()
    scale = 1 / np.sqrt(variance + 1e-5)
    return centered * scale * gain + bias


def rmsnorm(x: Float32[np.ndarray, "n=1024"], gain: Float32[np.ndarray, "n=1024"]):
    scale = 1 / np.sqrt(np.mean(x * x) + 1e-5)
    return x * scale * gain
