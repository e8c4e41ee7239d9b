"""Reshapes, joins, windows and repetition mean what NumPy computes."""

# Kernels as users write them, without types for locals and lambdas.
# pyright: basic

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from jaxtyping import Float32, Int16
from numpy.lib.stride_tricks import sliding_window_view

X, Y = Float32[np.ndarray, "a=4 b=6"], Float32[np.ndarray, "b=6 a=4"]
V, T = Float32[np.ndarray, "n=12"], Int16[np.ndarray, "i=2 j=3 k=4"]

MATRICES = [
    lambda x, y: x + y.T,
    lambda x, y: x.T + y,
    lambda x, y: np.transpose(x) * y,
    lambda x, y: x.reshape(24),
    lambda x, y: x.reshape(-1) + y.reshape(-1),
    lambda x, y: x.reshape(6, 4) + y,
    lambda x, y: x.reshape(2, 2, 6).sum(axis=1),
    lambda x, y: x.reshape(2, 12) + y.reshape(2, 12),
    lambda x, y: x.reshape(3, 8).sum(axis=0),
    lambda x, y: x.reshape(3, 8).T.reshape(4, 6) - x,
    lambda x, y: x.ravel()[5:20],
    lambda x, y: x.ravel()[6:18],
    lambda x, y: x.ravel()[::-1],
    lambda x, y: x.ravel()[1::6],
    lambda x, y: x.ravel()[7],
    lambda x, y: np.reshape(x, (8, 3), order="F"),
    lambda x, y: x.flatten() * 2,
    lambda x, y: np.ravel(x.T),
    lambda x, y: x.T.ravel() + x.ravel(),
    lambda x, y: np.concatenate([x, y.T]),
    lambda x, y: np.concatenate([x, y.T, x], axis=1),
    lambda x, y: np.concatenate([x, y], axis=None),
    lambda x, y: np.stack([x, y.T]),
    lambda x, y: np.stack([x, y.T], axis=-1),
    lambda x, y: np.stack([x[0], y[:, 0]], axis=1).sum(axis=0),
    lambda x, y: np.vstack([x, y.T[:1], y[:, 1]]),
    lambda x, y: np.hstack([x, y.T]),
    lambda x, y: np.hstack([x[0], y[0]]),
    lambda x, y: np.dstack([x, y.T]),
    lambda x, y: np.column_stack([x[:, 0], y.T, x[:, 1]]),
    lambda x, y: np.append(x, y),
    lambda x, y: np.array([x[0, 0], y[1, 1], 2.0]),
    lambda x, y: np.array([[x[0, 0], y[1, 1]], [x[2, 0], y[0, 3]]]),
    lambda x, y: np.asarray(x) + np.array(y).T,
    lambda x, y: np.pad(x, 1),
    lambda x, y: np.pad(x, ((1, 2), (0, 3)), constant_values=7),
    lambda x, y: np.pad(x, 2, mode="edge"),
    lambda x, y: np.pad(x, 2, mode="reflect"),
    lambda x, y: np.pad(x, 1, mode="symmetric"),
    lambda x, y: np.pad(x, 2, mode="wrap"),
    lambda x, y: np.pad(x, ((0, 0), (1, 1)), mode="constant") [:, 2:] + x,
    lambda x, y: np.tile(x, 2),
    lambda x, y: np.tile(x, (2, 1, 3)),
    lambda x, y: np.tile(x[0], 3) + np.tile(y[:, 0], 3),
    lambda x, y: np.repeat(x, 3, axis=1),
    lambda x, y: np.repeat(x, 2),
    lambda x, y: np.repeat(x, 2, axis=0) + np.concatenate([x, y.T]),
    lambda x, y: np.flip(x),
    lambda x, y: np.flip(x, 0) + x[:, ::-1],
    lambda x, y: np.fliplr(x) - np.flipud(x),
    lambda x, y: np.roll(x, 2),
    lambda x, y: np.roll(x, -1, axis=1) + np.roll(x, 1, axis=0),
    lambda x, y: np.rot90(x) + y,
    lambda x, y: np.swapaxes(x, 0, 1) + y,
    lambda x, y: np.moveaxis(x, 0, -1) + y,
    lambda x, y: np.squeeze(x[:, None]) + x,
    lambda x, y: np.expand_dims(x, (0, 2)),
    lambda x, y: np.broadcast_to(x[0], (5, 6)),
    lambda x, y: np.broadcast_to(x[0], (5, 6)).sum(axis=0),
    lambda x, y: np.broadcast_arrays(x, x[0])[1] + x,
    lambda x, y: np.atleast_2d(x[0]) + x,
    lambda x, y: x[:, None, :] * x[None, :, :],
    lambda x, y: (x[:, None] - x[None]).sum(axis=(0, 1)),
    lambda x, y: np.tril(x) + np.triu(x, 1),
    lambda x, y: np.trace(x) + np.trace(x, 1),
    lambda x, y: np.diagonal(x),
    lambda x, y: x.diagonal(-1) + x.diagonal(2)[:3],
    lambda x, y: np.diag(x @ y),
    lambda x, y: np.pad(x[:, :4], 1, mode="reflect").diagonal(),
    lambda x, y: (s := np.stack([x[0], x[1], x[2]])[:, :3]) * s.diagonal(),
    lambda x, y: np.split(x, 2)[1] + np.split(x, [1, 3])[1],
    lambda x, y: np.array_split(x, 4, axis=1)[0],
    lambda x, y: np.kron(x[:2, :2], y[:2, :3]),
    lambda x, y: np.outer(x[:, 0], x[:, 0]) + np.outer(x[:, 1], x[:, 0]).T,
    lambda x, y: sliding_window_view(x, (2, 3)).sum(axis=(2, 3)),
    lambda x, y: sliding_window_view(x, 2, axis=1).max(axis=-1),
    lambda x, y: sliding_window_view(x[0], 3) @ x[1, :3],
    lambda x, y: np.full_like(x, 3) + np.zeros_like(y).T + np.ones_like(x),
    lambda x, y: np.zeros((4, 6), np.float32) + np.eye(4, 6, 1, dtype=np.float32) * x,
    lambda x, y: x * np.tri(4, 6, -1, dtype=np.float32),
    lambda x, y: x + np.arange(6, dtype=np.float32),
    lambda x, y: x * np.linspace(0, 1, 6, dtype=np.float32)[::-1],
    lambda x, y: x + np.array([3, 1, 4, 1, 5, 9], np.float32),
    lambda x, y: np.meshgrid(np.arange(6), np.arange(4))[1] + x,
    lambda x, y: (len(x), x.shape[1], x.ndim, x.size) and x + len(y),
    lambda x, y: x[0] if x.shape[0] > 3 else y,
    lambda x, y: sum(row for row in x),
    lambda x, y: [r * 2 for r in x],
    lambda x, y: (x, x + 1, 2.0),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(MATRICES)))
def test_matrices(agree: Callable[..., Any], number: int) -> None:
    agree(MATRICES[number], X, Y)


CUBES = [
    lambda t: t.reshape(6, 4) + 1,
    lambda t: t.transpose(2, 0, 1).reshape(8, 3),
    lambda t: t.transpose(2, 0, 1).reshape(12, 2) + t.reshape(12, 2),
    lambda t: t.reshape(3, 2, 4) * t.transpose(1, 0, 2),
    lambda t: t.swapaxes(0, 2)[..., 0],
    lambda t: np.moveaxis(t, [0, 1], [-1, -2]),
    lambda t: t.reshape(-1)[:: 4],
    lambda t: t.reshape(2, 12)[:, 4:8],
    lambda t: t.reshape(2, 12)[:, 3],
    lambda t: t.mT + 1,
    lambda t: t[:, :, None] * t[:, :, :1, None],
    lambda t: t.reshape(4, 6).sum(axis=0) + t.reshape(4, 3, 2).sum(axis=(0, 2)).sum(),
    lambda t: t.reshape(2, 12).cumsum(axis=1),
    lambda t: t.cumsum(),
    lambda t: t.argmax(),
    lambda t: np.concatenate([t.reshape(2, 12), t.reshape(2, 12)], axis=1),
    lambda t: np.roll(t, 5),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(CUBES)))
def test_cubes(agree: Callable[..., Any], number: int) -> None:
    agree(CUBES[number], T)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_dimensions_of_length_one(agree: Callable[..., Any], size: int) -> None:
    def kernel(x: Float32[np.ndarray, "n=1 m=3"], y: Float32[np.ndarray, "m=3"]):
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        return (
            e / e.sum(axis=0),
            x @ y,
            x.T @ x,
            np.concatenate([x, x]),
            x[::-1],
            x.reshape(-1) * 2,
            np.stack([x, x], axis=-1),
            x.argmax(axis=0),
            np.cumsum(x, axis=0),
        )

    agree(kernel, n=size)
    agree(kernel, n=size, m=1)


def test_scalars_and_rows(agree: Callable[..., Any]) -> None:
    agree(lambda a, v: a * v + a, Float32[np.ndarray, ""], V)
    agree(lambda a: (a + 1, a.reshape(1), a[None, None], a.sum()), Float32[np.ndarray, ""])
    agree(lambda v: v.reshape(3, 4).T @ v.reshape(3, 4), V)
    agree(lambda v: v.reshape(3, 4) @ v.reshape(4, 3), V)
    agree(lambda v: v.reshape(2, 6).reshape(12)[None] + v[:, None], V)


def test_square_matrices_share_axes_without_mixing_them_up(agree: Callable[..., Any]) -> None:
    square = Float32[np.ndarray, "n=5 n"]
    agree(lambda x, y: x @ y + x.T @ y.T, square, square)
    agree(lambda x, y: x @ x.T @ y, square, square)
    agree(lambda x, y: (x @ y) * (y @ x).T + x, square, square)
    agree(lambda x, y: np.exp(x)[:, None] * np.exp(x).T[None] + y, square, square)
    agree(lambda x, y: np.cumsum(x, axis=0).T + np.cumsum(y, axis=1), square, square)
    agree(lambda x, y: np.einsum("ii->i", x @ y) + np.einsum("ij,jj->i", x, y), square, square)
