"""Images: filters, colours, blending."""

from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from numpy.lib.stride_tricks import sliding_window_view


def gaussian(image: Float32[np.ndarray, "height=66 width=66"], taps: Float32[np.ndarray, "t=3"]):
    """A separable blur: rows, then columns."""
    size = taps.shape[0]
    rows = (sliding_window_view(image, size, axis=1) * taps).sum(axis=-1)
    return (sliding_window_view(rows, size, axis=0) * taps).sum(axis=-1)


def sobel(image: Float32[np.ndarray, "height=66 width=66"]):
    """Magnitude of the gradient."""
    top, middle, bottom = image[:-2], image[1:-1], image[2:]
    across = top[:, 2:] - top[:, :-2] + 2 * (middle[:, 2:] - middle[:, :-2])
    across = across + bottom[:, 2:] - bottom[:, :-2]
    smooth = image[:, :-2] + 2 * image[:, 1:-1] + image[:, 2:]
    down = smooth[2:] - smooth[:-2]
    return np.sqrt(across * across + down * down)


def _sorted3(a: Any, b: Any, c: Any) -> Any:
    low, high = np.minimum(a, b), np.maximum(a, b)
    return np.minimum(low, c), np.maximum(low, np.minimum(high, c)), np.maximum(high, c)


def median3x3(image: UInt8[np.ndarray, "height=66 width=66"]):
    """The middle one of nine, by sorting columns."""
    low, middle, high = _sorted3(image[:-2], image[1:-1], image[2:])
    lowest = np.maximum(np.maximum(low[:, :-2], low[:, 1:-1]), low[:, 2:])
    highest = np.minimum(np.minimum(high[:, :-2], high[:, 1:-1]), high[:, 2:])
    _, center, _ = _sorted3(middle[:, :-2], middle[:, 1:-1], middle[:, 2:])
    return _sorted3(lowest, center, highest)[1]


def rgb2yuv(rgb: Float32[np.ndarray, "n=4096 c=3"], matrix: Float32[np.ndarray, "yuv=3 c=3"]):
    return rgb @ matrix.T


def blend(
    front: UInt8[np.ndarray, "n=4096"],
    back: UInt8[np.ndarray, "n=4096"],
    alpha: UInt8[np.ndarray, "n=4096"],
):
    """(front alpha + back (255 - alpha)) / 255, rounded."""
    a = alpha.astype(np.uint16)
    mixed = front * a + back * (255 - a) + 128
    return ((mixed + (mixed >> 8)) >> 8).astype(np.uint8)


def tonemap(x: Float32[np.ndarray, "n=4096"]):
    """A rational film curve."""
    high = x * (np.float32(2.51) * x + np.float32(0.03))
    low = x * (np.float32(2.43) * x + np.float32(0.59)) + np.float32(0.14)
    return np.clip(high / low, 0, 1)


def bilinear2x(image: Float32[np.ndarray, "height=33 width=33"]):
    """Twice the size between the outermost pixel centers."""
    top, bottom = image[:-1], image[1:]
    height, width = image.shape
    out = np.empty((2 * (height - 1), 2 * (width - 1)), image.dtype)
    for i, rows in enumerate((top, top + 0.5 * (bottom - top))):
        left, right = rows[:, :-1], rows[:, 1:]
        out[i::2, 0::2] = left
        out[i::2, 1::2] = left + 0.5 * (right - left)
    return out


def transform(matrix: Float32[np.ndarray, "i=4 j=4"], vertices: Float32[np.ndarray, "n=4096 j=4"]):
    """Every vertex times a 4 x 4 matrix."""
    return vertices @ matrix.T
