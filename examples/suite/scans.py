"""Running sums."""

import numpy as np
from jaxtyping import Float32, Int32


def prefixi32(x: Int32[np.ndarray, "n=1024"]):
    return np.cumsum(x, dtype=np.int32)


def prefixf(x: Float32[np.ndarray, "n=1024"]):
    return np.cumsum(x)
