"""Indexing, gathers, histograms and updates in place mean what NumPy computes."""

# Kernels as users write them, without types for locals and lambdas.
# pyright: basic

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from jaxtyping import Float32, Int32, UInt8

X, V = Float32[np.ndarray, "a=5 b=8"], Float32[np.ndarray, "n=8"]
INDEX, U = Int32[np.ndarray, "k=7"], UInt8[np.ndarray, "k=7"]

VIEWS = [
    lambda x, v: x[1:-1, 2:],
    lambda x, v: x[::2, ::-1],
    lambda x, v: x[3::-2, 7:2:-3],
    lambda x, v: x[..., 0] + x[:, -1],
    lambda x, v: x[-2],
    lambda x, v: x[2, 3],
    lambda x, v: x[None, 1:2, :, None],
    lambda x, v: x[1:][1:][:, 1:][0, 1],
    lambda x, v: v[1:] - v[:-1],
    lambda x, v: np.exp(v)[1:] + np.exp(v)[:-1],
    lambda x, v: np.cumsum(v)[::2] + np.cumsum(v)[1::2],
    lambda x, v: x[:, 1:] * v[:-1] + x[:, :-1] * v[1:],
    lambda x, v: (x @ v)[1:4] + v[:3],
    lambda x, v: (v[:, None] * v)[1:6] + x,
    lambda x, v: v[np.arange(4) * 2],
    lambda x, v: v[np.arange(5)[:, None] + np.arange(3)],
    lambda x, v: v[[3, 1, 4, 1]],
    lambda x, v: x[[0, 2]][:, [1, -1]],
    lambda x, v: x[np.ix_([0, 2, 3], [1, 5])],
    lambda x, v: x[np.arange(5), np.arange(5)],
    lambda x, v: x[:, np.array([True, False] * 4)],
    lambda x, v: x[np.arange(5)[::-1]][..., np.arange(2, 8, 3)],
    lambda x, v: x[2, np.arange(3)],
    lambda x, v: np.take(x, 2, axis=1),
    lambda x, v: np.take(x, [0, 3], axis=0),
    lambda x, v: np.concatenate([v, x[0]])[5:12],
    lambda x, v: np.concatenate([v, x[0]])[10],
    lambda x, v: np.stack([v, x[0], x[1]])[1:, 2:5],
    lambda x, v: np.stack([v, x[0]])[1] + v,
    lambda x, v: np.sum(np.stack([v, x[0]])[::-1] * x[:2], axis=0),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(VIEWS)))
def test_views(agree: Callable[..., Any], number: int) -> None:
    agree(VIEWS[number], X, V)


GATHERS = [
    lambda x, v, i, u: v[i % 8],
    lambda x, v, i, u: v[u & 7],
    lambda x, v, i, u: v[i % 8 - 8],
    lambda x, v, i, u: v[i % 16 - 8],
    lambda x, v, i, u: x[u % 5],
    lambda x, v, i, u: x[:, i % 8],
    lambda x, v, i, u: x[u % 5, i % 8],
    lambda x, v, i, u: x[u % 5, 2],
    lambda x, v, i, u: x[u[0] % 5],
    lambda x, v, i, u: x.T[i[:, None] % 8, u % 5],
    lambda x, v, i, u: np.take(v, i, mode="wrap"),
    lambda x, v, i, u: v.take(i, mode="clip"),
    lambda x, v, i, u: x.ravel()[u % 40],
    lambda x, v, i, u: np.take(np.cumsum(v), u & 7)[::-1],
    lambda x, v, i, u: np.take_along_axis(x, x.argmax(axis=1, keepdims=True), axis=1),
    lambda x, v, i, u: np.take_along_axis(v, u.astype(np.int64) % 8, axis=0),
    lambda x, v, i, u: v[v.argmax()],
    lambda x, v, i, u: np.bincount(u, minlength=256),
    lambda x, v, i, u: np.bincount(u, weights=v[:7], minlength=256),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(GATHERS)))
def test_gathers(agree: Callable[..., Any], number: int) -> None:
    agree(GATHERS[number], X, V, INDEX, U)


def gather_square(x: Float32[np.ndarray, "n=6 n"], i: Int32[np.ndarray, "n"]):
    """The index has the name of an axis that stays."""
    return x[:, i % 6] + x[i % 6], x[i % 6, i[::-1] % 6]


def rows_in_turn(x: Float32[np.ndarray, "a=5 b=8"]):
    out = np.empty((5, 8), np.float32)
    for i in range(5):
        out[i] = x[4 - i] * i
    return out


def cells(v: Float32[np.ndarray, "n=8"]):
    out = np.zeros((2, 3))
    out[0, 0] = v[3]
    out[1, 2] = v[:3].sum()
    out[1, :2] = v[1:3]
    return out, out[1, 2]


def interleaved(v: Float32[np.ndarray, "n=8"]):
    out = np.zeros(16, np.float32)
    out[0::2] = v
    out[1::2] = -v
    return out + np.arange(16, dtype=np.float32), out[3:9], out.reshape(8, 2).T


def uneven_steps(v: Float32[np.ndarray, "n=8"], x: Float32[np.ndarray, "a=5 b=8"]):
    out, grid = v * 1, x + 0
    out[1:7:3] = v[:2] * 10
    grid[:, 1::3] = v[:3]
    grid[3::-2] += 1
    return out, grid


def border(x: Float32[np.ndarray, "a=5 b=8"]):
    out = np.copy(x)
    out[1:-1, 1:-1] = (x[:-2, 1:-1] + x[2:, 1:-1]) / 2
    out[0] = out[-1] = 0
    out[:, 0] += 1
    return out


def in_place(x: Float32[np.ndarray, "a=5 b=8"], v: Float32[np.ndarray, "n=8"]):
    x += v
    x *= 2
    v[1:] -= 1
    np.maximum(x, 0, out=x)
    np.add(x, 1, out=x, where=x > 2)
    return x, v


def masks(x: Float32[np.ndarray, "a=5 b=8"]):
    y = x.copy()
    y[y < 0] = 0
    z = np.zeros_like(x)
    np.copyto(z, x, where=x > 1)
    z.fill(2) if x.shape[0] == 1 else None
    return y, z


def aliases(v: Float32[np.ndarray, "n=8"]):
    w = v
    w += 1
    view = v[2:]
    turned = v.reshape(2, 4).T
    v[3] = 7
    view[0] = 5
    copy = v.copy()
    v[0] = 1
    return v, view, turned, copy


def views_of_known_arrays(v: Float32[np.ndarray, "n=8"]):
    table = np.zeros((2, 8), np.float32)
    row = table[1]
    table[0] = 3
    row[2] = 4
    row[:2] = v[:2]
    return table, row


def histogram(u: UInt8[np.ndarray, "k=7"]):
    bins = np.zeros(16, np.int32)
    np.add.at(bins, u >> 4, 1)
    weighted = np.zeros(16, np.float32)
    np.add.at(weighted, u >> 4, u)
    return bins, weighted


def data_dependent_store(v: Float32[np.ndarray, "n=8"], i: Int32[np.ndarray, "k=7"]):
    v[i[0] % 8] = 5
    grid = np.zeros((3, 8), np.float32)
    grid[1:, i[1] % 8] = v[:2]
    return v, grid


@pytest.mark.parametrize(
    "function",
    [
        *(gather_square, rows_in_turn, cells, interleaved, uneven_steps, border, in_place, masks),
        *(aliases, views_of_known_arrays, histogram, data_dependent_store),
    ],
)
def test_updates(agree: Callable[..., Any], function: Callable[..., Any]) -> None:
    agree(function)


def test_writing_rows_in_turn_makes_one_concatenation(agree: Callable[..., Any]) -> None:
    lowered = agree(rows_in_turn)
    value = lowered.outputs[0].value
    assert value.operator == "concat"
    assert len(value.children) == 5
    assert all(part.operator != "concat" for part in value.children)
