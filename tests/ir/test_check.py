"""What no single constructor can see: open states, ambiguous names, incomplete layouts."""

from typing import Any

import pytest

from oxegg.errors import IRError
from oxegg.ir import (
    TYPES,
    Affine,
    Axis,
    Kernel,
    Output,
    Term,
    at,
    check,
    const,
    fold,
    input_,
    pointwise,
    reduce,
    scan,
    state,
)

F32 = TYPES["f32"]
N, T = Axis("n", 4), Axis("t", 3)
X = input_("x", F32, (N,))
S = state("s", T, F32, (N,))


def kernel(value: Term, *layout: Axis, inputs: tuple[Term, ...] = (X,), **rest: Any) -> Kernel:
    return Kernel("k", inputs, (Output("out", value, layout, **rest),))


def loop(body: Term, start: Term = X) -> Kernel:
    return kernel(fold(T, [S], [start], [body], 0), N)


GOOD = [
    kernel(X, N),
    kernel(const(1, F32), N, T),
    kernel(X, N, shape=(2, 2)),
    loop(pointwise("add", S, X)),
    loop(pointwise("add", S, reduce("add", N, S))),
    loop(at(S, {N: Affine(3, ((N, -1),))})),
]
BAD = [
    (kernel(X), "lacks n"),
    (kernel(X, N, N), "n occurs twice"),
    (kernel(X, N, shape=(3,)), "does not fit"),
    (kernel(X, N, inputs=()), "not among"),
    (kernel(X, N, inputs=(X, X)), "x occurs twice"),
    (Kernel("k", (X,), ()), "no output"),
    (kernel(S, N, T), "state s is used outside of its loop t"),
    (loop(pointwise("add", reduce("add", T, S), X)), "reduce along t"),
    (loop(scan("add", T, S)), "scan along t"),
    (loop(at(S, {T: Affine(0)})), "at along t"),
    (
        kernel(
            pointwise("add", X, reduce("add", Axis("n", 5), input_("y", F32, (Axis("n", 5),)))),
            N,
            inputs=(X, input_("y", F32, (Axis("n", 5),))),
        ),
        "axis n has sizes",
    ),
]


@pytest.mark.parametrize("number", range(len(GOOD)))
def test_good(number: int) -> None:
    check(GOOD[number])


@pytest.mark.parametrize(("bad", "message"), BAD, ids=[message for _, message in BAD])
def test_bad(bad: Kernel, message: str) -> None:
    with pytest.raises(IRError, match=message):
        check(bad)
