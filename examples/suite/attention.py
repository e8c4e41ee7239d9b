"""One attention head."""

import numpy as np
from jaxtyping import Float32


def attention(
    q: Float32[np.ndarray, "queries=64 depth=32"],
    k: Float32[np.ndarray, "keys=64 depth=32"],
    v: Float32[np.ndarray, "keys=64 features=32"],
):
    scores = q @ k.T * (1 / np.sqrt(np.float32(q.shape[1])))
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights @ v
