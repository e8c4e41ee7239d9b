"""oxegg.fori: a Python loop under NumPy, a fold in the kernel."""

# Kernels as users write them, without types for locals and lambdas.
# pyright: basic

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from jaxtyping import Float32, Float64, Int16, Int32

import oxegg
from oxegg.errors import LoweringError
from oxegg.frontend import lower
from oxegg.ir import topological

V = Float32[np.ndarray, "n=6"]


def newton(a: V):
    return oxegg.fori(5, lambda _, x: 0.5 * (x + np.abs(a) / x), np.ones_like(a))


def index_is_a_python_number(a: V):
    def body(i, s, c):
        return s + a * i, c + i % 3 - i // 2

    return oxegg.fori(4, body, (np.zeros(6, np.float32), np.zeros(6, np.int16)))


def index_picks(a: V):
    total = oxegg.fori(6, lambda i, s: s * 0.5 + a[i], np.float32(0))
    backwards = oxegg.fori(6, lambda i, s: s * 0.5 + a[5 - i], np.float32(0))
    return total, backwards, oxegg.fori(3, lambda i, s: s + a[2 * i : 2 * i + 1], a[:1])


def index_stores(a: V):
    def body(i, out):
        out = out.copy()
        out[i] = a[i] * 2
        return out

    return oxegg.fori(6, body, np.zeros(6, np.float32))


def type_settles_after_a_step(a: V):
    return oxegg.fori(5, lambda i, s: s * 0.5 + a, 0)


def nested(x: Float32[np.ndarray, "n=4 m=3"]):
    def outer(i, s):
        return oxegg.fori(2, lambda j, t: t * 0.5 + x[:, 0] * i + j, s)

    return oxegg.fori(3, outer, x[:, 1])


def states_of_length_one(x: Float64[np.ndarray, "n=4 m=3"]):
    row, column = x[:1], x[None, 0]
    return oxegg.fori(4, lambda _, s, t: (t, s + t), (row, column))


def states_with_axes_of_other_names(x: Float64[np.ndarray, "n=4"], y: Float64[np.ndarray, "m=4"]):
    return oxegg.fori(4, lambda _, s, t: (t, s + t), (x, y))


def counts_in_python(x: Int16[np.ndarray, "n=4 m=3"]):
    return oxegg.fori(3, lambda i, s, k: (s + x[i + 1] * k, k + 1), (x[0], 0))


def matrix_power(x: Float64[np.ndarray, "n=4 n"]):
    return oxegg.fori(3, lambda _, p: p @ x, x), oxegg.fori(3, lambda _, p: x @ p.T, x)


def short(a: V):
    return oxegg.fori(0, lambda _, s: s + 1, a), oxegg.fori(1, lambda i, s: s + i, a)


@pytest.mark.parametrize(
    "function",
    [
        *(newton, index_is_a_python_number, index_picks, index_stores),
        *(type_settles_after_a_step, nested, states_of_length_one, matrix_power, short),
        *(states_with_axes_of_other_names, counts_in_python),
    ],
)
def test_loops(agree: Callable[..., Any], function: Callable[..., Any]) -> None:
    agree(function)


def test_a_loop_is_kept_as_one_fold() -> None:
    def kernel(x: Float32[np.ndarray, "n=8"], count: Int32[np.ndarray, "n=8"]):
        def body(_, a, k):
            inside = a < 4
            return np.where(inside, a * a + x, a), k + inside

        return oxegg.fori(100, body, (np.zeros_like(x), count))

    lowered = lower(kernel)
    folds = [t for t in topological([o.value for o in lowered.outputs]) if t.operator == "fold"]
    assert len(folds) == 2  # one for each state
    assert folds[0].children == folds[1].children
    assert not any(t.operator == "at" for t in topological(folds))


def test_states_over_different_axes_have_loops_of_their_own() -> None:
    """Unless one needs the other: then its loop runs both."""

    def kernel(x: Float32[np.ndarray, "n=8"], y: Float32[np.ndarray, "m=3"]):
        def body(i, a, b, scale):
            return a * scale + x, b + y * i, scale * 0.5

        return oxegg.fori(4, body, (x, y, np.float32(1)))

    folds = [out.value for out in lower(kernel).outputs]
    assert [len(fold.attributes[1]) for fold in folds] == [2, 1, 1]
    assert len({fold.attributes[0] for fold in folds}) == 3


def test_a_body_that_returns_too_little() -> None:
    def kernel(x: Float32[np.ndarray, "n=8"]):
        return oxegg.fori(5, lambda _, a, b: a + b, (x, x))

    with pytest.raises(LoweringError, match="returns 1 values for 2 of state"):
        lower(kernel)


def test_a_state_must_not_leave_its_loop() -> None:
    def kernel(x: Float32[np.ndarray, "n=8"]):
        kept = []

        def body(_, a):
            kept.append(a)
            return a + x

        oxegg.fori(5, body, x)
        return kept[0]

    with pytest.raises(LoweringError, match="outside of its loop"):
        lower(kernel)
