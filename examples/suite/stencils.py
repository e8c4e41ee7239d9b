"""Windows sliding over rows and images."""

import numpy as np
from jaxtyping import Float32
from numpy.lib.stride_tricks import sliding_window_view


def conv3x3(
    image: Float32[np.ndarray, "height=66 width=66"], weights: Float32[np.ndarray, "p=3 q=3"]
):
    windows = sliding_window_view(image, weights.shape)
    return np.einsum("ijpq,pq->ij", windows, weights)


def fir(x: Float32[np.ndarray, "samples=1039"], taps: Float32[np.ndarray, "t=16"]):
    return sliding_window_view(x, len(taps)) @ taps


def jacobi(a: Float32[np.ndarray, "rows=64 cols=64"]):
    """The interior after one step of five-point averaging."""
    center = a[1:-1, 1:-1]
    return 0.2 * (center + a[1:-1, :-2] + a[1:-1, 2:] + a[:-2, 1:-1] + a[2:, 1:-1])
