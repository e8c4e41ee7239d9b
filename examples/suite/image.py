"""Pixels: colour, scaling, histograms, transposition."""

import numpy as np
from jaxtyping import Float32, UInt8


def rgb2gray(pixels: UInt8[np.ndarray, "n=1024 rgb=3"]):
    """Luma by 8-bit weights; the weighted sum fits 16 bits."""
    r, g, b = pixels.astype(np.uint16).T
    return ((77 * r + 150 * g + 29 * b + 128) >> 8).astype(np.uint8)


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


def hist(x: UInt8[np.ndarray, "n=1024"]):
    return np.bincount(x, minlength=256).astype(np.uint32)


def transpose(a: Float32[np.ndarray, "rows=64 cols=64"]):
    return a.T


def transposeu8(a: UInt8[np.ndarray, "rows=64 cols=64"]):
    return a.T
