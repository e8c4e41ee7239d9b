"""Convolutions of images with the channels innermost (NHWC)."""

import numpy as np
from jaxtyping import Int8
from numpy.lib.stride_tricks import sliding_window_view


def conv3x3(
    image: Int8[np.ndarray, "height=58 width=58 c=64"],
    weights: Int8[np.ndarray, "u=3 v=3 c=64 f=64"],
):
    windows = sliding_window_view(image.astype(np.int32), (3, 3), axis=(0, 1))
    return np.einsum("yxcuv,uvcf->yxf", windows, weights.astype(np.int32))


def depthwise3x3(
    image: Int8[np.ndarray, "height=58 width=58 c=64"],
    weights: Int8[np.ndarray, "u=3 v=3 c=64"],
):
    windows = sliding_window_view(image.astype(np.int32), (3, 3), axis=(0, 1))
    return np.einsum("yxcuv,uvc->yxc", windows, weights.astype(np.int32))
