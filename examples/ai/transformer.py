"""The parts of a transformer."""

import numpy as np
from jaxtyping import Float32, Int32


def attention(
    q: Float32[np.ndarray, "queries=64 d=64"],
    k: Float32[np.ndarray, "keys=64 d=64"],
    v: Float32[np.ndarray, "keys=64 d=64"],
):
    scores = (q @ k.T) * np.float32(0.125)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return (weights @ v) / weights.sum(axis=-1, keepdims=True)


def causal(
    q: Float32[np.ndarray, "t=64 d=64"],
    k: Float32[np.ndarray, "t=64 d=64"],
    v: Float32[np.ndarray, "t=64 d=64"],
):
    """Each position attends to those up to itself."""
    scores = (q @ k.T) * np.float32(0.125)
    position = np.arange(int(q.shape[0]), dtype=np.int64)
    allowed = position[:, None] >= position[None, :]
    scores = np.where(allowed, scores, np.float32(-1e30))
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return (weights @ v) / weights.sum(axis=-1, keepdims=True)


def gqa(
    q: Float32[np.ndarray, "groups=2 heads=256 d=64"],
    k: Float32[np.ndarray, "groups=2 d=64 keys=4096"],
    v: Float32[np.ndarray, "groups=2 keys=4096 d=64"],
):
    """Grouped queries: the query heads of a group share its keys and values."""
    scores = (q @ k) * np.float32(0.125)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return (weights @ v) / weights.sum(axis=-1, keepdims=True)


def rmsmatmul(
    x: Float32[np.ndarray, "rows=2 d=64"],
    w: Float32[np.ndarray, "d=64 n=96"],
):
    scale = 1 / np.sqrt((x * x).mean(axis=-1, keepdims=True) + np.float32(1e-5))
    return (x * scale) @ w


def layermatmul(
    x: Float32[np.ndarray, "rows=16 d=64"],
    w: Float32[np.ndarray, "d=64 n=64"],
):
    centered = x - x.mean(axis=-1, keepdims=True)
    scale = 1 / np.sqrt((centered * centered).mean(axis=-1, keepdims=True) + np.float32(1e-5))
    return (centered * scale) @ w


def lora(
    x: Float32[np.ndarray, "rows=16 d=256"],
    w: Float32[np.ndarray, "d=256 n=4096"],
    a: Float32[np.ndarray, "d=256 r=16"],
    b: Float32[np.ndarray, "r=16 n=4096"],
):
    """A low-rank correction beside the frozen weights."""
    return x @ w + (x @ a) @ b


def gatedmlp(
    x: Float32[np.ndarray, "rows=8 d=64"],
    gate: Float32[np.ndarray, "d=64 n=64"],
    up: Float32[np.ndarray, "d=64 n=64"],
):
    """SwiGLU's first half: silu(x gate) * (x up)."""
    g = x @ gate
    return g / (1 + np.exp(-g)) * (x @ up)


def softmax(x: Float32[np.ndarray, "rows=64 n=1024"]):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def embedding(
    table: Float32[np.ndarray, "words=1000 d=64"],
    tokens: Int32[np.ndarray, "t=64"],
):
    return table[tokens]
