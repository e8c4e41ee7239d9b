"""The check: right kernels pass in any order, wrong ones are caught and described."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from oxegg.errors import VerificationError
from oxegg.ir import (
    TYPES,
    Affine,
    Axis,
    Kernel,
    Output,
    Term,
    at,
    const,
    gather,
    input_,
    pointwise,
    reduce,
    run_kernel,
)
from oxegg.verify import InputSet, check

Array = npt.NDArray[Any]
Run = Callable[[list[Array]], Sequence[Array]]
F16, F32, F64, I8, I32 = (TYPES[n] for n in ("f16", "f32", "f64", "i8", "i32"))
ROWS, COLS, DEPTH = Axis("i", 12), Axis("j", 10), Axis("k", 33)


def kernel(value: Term, layout: Sequence[Axis], *inputs: Term) -> Kernel:
    return Kernel("test", inputs, (Output("out", value, tuple(layout)),))


LEFT, RIGHT = input_("a", F32, (ROWS, DEPTH)), input_("b", F32, (DEPTH, COLS))
MATMUL = kernel(reduce("add", DEPTH, pointwise("mul", LEFT, RIGHT)), (ROWS, COLS), LEFT, RIGHT)
X = input_("x", F32, (ROWS, COLS))
LARGEST = reduce("max", COLS, X)
SHIFTED = pointwise("sub", X, LARGEST)
EXP = pointwise("exp", SHIFTED)
SOFTMAX = kernel(pointwise("div", EXP, reduce("add", COLS, EXP)), (ROWS, COLS), X)
ROW_MAX = kernel(LARGEST, (ROWS,), X)
DIFFERENCE = kernel(
    pointwise("sub", LEFT, pointwise("mul", LEFT, const(0.25, F32))), (ROWS, DEPTH), LEFT
)


def softmax(xs: list[Array], relative: float = 0.0) -> list[Array]:
    e = np.exp(xs[0] - xs[0].max(axis=1, keepdims=True)) * np.float32(1 + relative)
    e[:, 0] /= np.float32(1 + relative)
    return [(e / e.sum(axis=1, keepdims=True)).astype(np.float32)]


def nudged(run: Run, ulps: int) -> Run:
    """One element of the first output is off by some units in the last place."""

    def wrong(xs: list[Array]) -> list[Array]:
        out = np.array(run(xs)[0])
        spacing = np.spacing(np.abs(out).max())
        out[3, 4] += ulps * spacing
        return [out]

    return wrong


def matmul(xs: list[Array]) -> list[Array]:
    return [xs[0] @ xs[1]]


RIGHT_RUNS: dict[str, tuple[Kernel, Run]] = {
    "matmul": (MATMUL, matmul),
    "backwards": (MATMUL, lambda xs: [xs[0][:, ::-1] @ xs[1][::-1]]),
    "softmax": (SOFTMAX, softmax),
    "max": (ROW_MAX, lambda xs: [xs[0].max(axis=1)]),
    "factored": (DIFFERENCE, lambda xs: [xs[0] * np.float32(0.75)]),
}
WRONG_RUNS: dict[str, tuple[Kernel, Run]] = {
    "one element nudged": (MATMUL, nudged(matmul, 8 * DEPTH.size)),
    "last element missing": (MATMUL, lambda xs: [xs[0][:, :-1] @ xs[1][:-1]]),
    "first element twice": (MATMUL, lambda xs: [xs[0] @ xs[1] + xs[0][:, :1] * xs[1][:1]]),
    "sign": (MATMUL, lambda xs: [-(xs[0] @ xs[1])]),
    "half precision": (MATMUL, lambda xs: [(xs[0].astype("f2") @ xs[1].astype("f2")).astype("f4")]),
    "inexact exp": (SOFTMAX, lambda xs: softmax(xs, 1e-4)),
    "columns reversed": (SOFTMAX, lambda xs: [softmax(xs)[0][:, ::-1]]),
    "min for max": (ROW_MAX, lambda xs: [xs[0].min(axis=1)]),
    "first column missing": (ROW_MAX, lambda xs: [xs[0][:, 1:].max(axis=1)]),
    "operands swapped": (DIFFERENCE, lambda xs: [xs[0] * np.float32(0.25) - xs[0]]),
    "not a number": (DIFFERENCE, lambda xs: [np.full_like(xs[0], np.nan)]),
}


@pytest.mark.parametrize("mode", ["real", "approx"])
@pytest.mark.parametrize("name", RIGHT_RUNS)
def test_right_kernels_pass(name: str, mode: Any) -> None:
    source, run = RIGHT_RUNS[name]
    verdict = check(source, run, mode=mode, eps=1e-6)
    assert verdict.correct, verdict.failures
    assert verdict.error_over_bound is not None
    assert verdict.error_over_bound <= 1
    assert verdict.points > 0
    assert verdict.excluded < verdict.points / 20
    assert len(verdict.sets) >= 8


@pytest.mark.parametrize("name", WRONG_RUNS)
def test_wrong_kernels_are_caught(name: str) -> None:
    source, run = WRONG_RUNS[name]
    with np.errstate(all="ignore"):
        verdict = check(source, run, mode="real")
    assert not verdict.correct
    assert verdict.failures


def test_a_wrong_product_is_caught_where_sums_cancel() -> None:
    """Each element of this is far inside any tolerance relative to the largest element."""
    x = np.array([[1e8, 1.0, -1e8]], np.float32)
    one, three = Axis("i", 1), Axis("k", 3)
    term = input_("a", F32, (one, three))
    source = kernel(pointwise("mul", term, const(3, F32)), (one, three), term)
    verdict = check(
        source,
        lambda xs: [xs[0] * 3 + np.array([[0, 1e-3, 0]], np.float32)],
        mode="real",
        sets=[InputSet("mine", {"a": x})],
    )
    assert not verdict.correct
    assert str(verdict.failures[0]) == (
        "out[0, 1] on mine inputs: got 3.000999927520752, expected 3.0 within 1.79e-07"
    )
    assert verdict.sets == ("mine",)


def test_approx_admits_the_stated_error_and_no_more() -> None:
    assert not check(SOFTMAX, lambda xs: softmax(xs, 1e-4), mode="real").correct
    assert check(SOFTMAX, lambda xs: softmax(xs, 1e-4), mode="approx", eps=1e-4).correct
    assert not check(SOFTMAX, lambda xs: softmax(xs, 1e-2), mode="approx", eps=1e-4).correct


def test_exact_compares_bits() -> None:
    negated = kernel(pointwise("neg", LEFT), (ROWS, DEPTH), LEFT)

    def other_nan(xs: list[Array]) -> list[Array]:
        return [np.where(np.isnan(xs[0]), np.float32(-np.nan), -xs[0])]

    verdict = check(negated, lambda xs: [-xs[0]], mode="exact")
    assert verdict.correct
    assert verdict.error_over_bound is None
    assert "nonfinite" in verdict.sets
    assert check(negated, other_nan, mode="exact").correct
    assert check(negated, lambda xs: [0 - xs[0]], mode="real").correct
    assert not check(negated, lambda xs: [0 - xs[0]], mode="exact").correct  # +0 for -0


def test_exact_demands_the_order_of_the_source() -> None:
    def in_order(xs: list[Array]) -> list[Array]:
        return run_kernel(MATMUL, {"a": xs[0], "b": xs[1]})

    assert check(MATMUL, in_order, mode="exact").correct
    with np.errstate(all="ignore"):
        assert not check(MATMUL, RIGHT_RUNS["backwards"][1], mode="exact").correct


def test_exact_demands_nothing_of_what_numpy_leaves_open() -> None:
    """Floats out of an integer's range, and what depends on them; the sign of a NaN."""
    x = input_("x", F32, (ROWS,))
    converted = pointwise("convert", x, to=TYPES["u8"])
    signed = pointwise("copysign", const(1.0, F32), x)
    bits = pointwise("bitcast", x, to=I32)
    values = np.array([-1, 255.5, 256, 0, np.nan, -np.inf, -0.5, 7, 1e30, 255, 3, 4], np.float32)
    known = (values > -1) & (values < 256)

    def verdict(term: Term, wrong: Callable[[Array], Array], where: Array) -> tuple[bool, int]:
        source = kernel(term, (ROWS,), x)

        def run(xs: list[Array]) -> list[Array]:
            right = run_kernel(source, {"x": xs[0]})[0]
            return [np.where(where, wrong(right), right).astype(right.dtype)]

        found = check(source, run, mode="exact", sets=[InputSet("mine", {"x": values})])
        return found.correct, found.excluded

    plus_one = pointwise("add", converted, const(1, TYPES["u8"]))
    for term in (converted, plus_one):
        assert verdict(term, lambda right: right ^ 1, ~known) == (True, 5)
        assert verdict(term, lambda right: right ^ 1, known) == (False, 5)
    nothing = pointwise("and", converted, const(0, TYPES["u8"]))
    assert verdict(nothing, lambda right: right ^ 1, ~known) == (False, 0)
    nan = np.isnan(values)
    assert verdict(signed, lambda right: -right, nan) == (True, 1)
    assert verdict(signed, lambda right: -right, values == -1) == (False, 1)
    assert verdict(bits, lambda right: right ^ -(2**31), nan) == (True, 1)
    assert verdict(bits, lambda right: right ^ 1, values == -1) == (False, 1)


@pytest.mark.parametrize("mode", ["exact", "real"])
def test_integers_are_bit_exact_in_every_mode(mode: Any) -> None:
    a, b = input_("a", I8, (ROWS, DEPTH)), input_("b", I8, (DEPTH, COLS))
    wide = [pointwise("convert", t, to=I32) for t in (a, b)]
    source = kernel(reduce("add", DEPTH, pointwise("mul", *wide)), (ROWS, COLS), a, b)

    def run(xs: list[Array]) -> list[Array]:
        return [xs[0].astype(np.int32) @ xs[1].astype(np.int32)]

    def saturated(xs: list[Array]) -> list[Array]:
        products = xs[0].astype(np.int32)[:, :, None] * xs[1].astype(np.int32)
        return [np.minimum(products, 2**14 - 1).sum(axis=1, dtype=np.int32)]

    assert check(source, run, mode=mode).correct
    verdict = check(source, saturated, mode=mode)  # wrong only for -128 * -128
    assert not verdict.correct
    assert {f.inputs for f in verdict.failures} <= {"special", "nonfinite"}
    assert verdict.failures[0].bound == 0


def test_undecided_comparisons_raise_no_false_alarm() -> None:
    """x - mean(x) >= 0 on constant rows: the sign of the difference is rounding noise."""
    total = reduce("add", COLS, X)
    centred = pointwise("sub", X, pointwise("div", total, const(COLS.size, F32)))
    chosen = pointwise("select", pointwise("le", const(0, F32), centred), X, const(-9, F32))
    source = kernel(chosen, (ROWS, COLS), X)

    def run(xs: list[Array]) -> list[Array]:
        mean = (xs[0] * np.float32(1 / COLS.size)).sum(axis=1, keepdims=True)
        return [np.where(xs[0] - mean >= 0, xs[0], np.float32(-9))]

    assert check(source, run, mode="real").correct
    verdict = check(source, lambda xs: [np.where(run(xs)[0] == -9, xs[0], -9)], mode="real")
    assert not verdict.correct


def test_gather_indices_stay_in_range() -> None:
    table, index = input_("t", F32, (COLS,)), input_("p", I32, (ROWS,))
    source = kernel(gather(table, COLS, index), (ROWS,), table, index)
    assert check(source, lambda xs: [xs[0][xs[1]]], mode="exact").correct
    verdict = check(source, lambda xs: [xs[0][np.minimum(xs[1], 8)]], mode="real")
    assert not verdict.correct


def test_layout_of_results_is_respected() -> None:
    source = kernel(at(X, {COLS: Affine.of(9, {COLS: -1})}), (COLS, ROWS), X)
    assert check(source, lambda xs: [xs[0][:, ::-1].T], mode="exact").correct
    assert check(source, lambda xs: [xs[0][:, ::-1].T], mode="real").correct
    assert not check(source, lambda xs: [xs[0].T], mode="real").correct


@pytest.mark.parametrize("mode", ["exact", "real"])
def test_scalars(mode: Any) -> None:
    s = input_("s", F64, ())
    source = kernel(pointwise("add", s, const(1, F64)), (), s)
    assert check(source, lambda xs: [xs[0] + 1], mode=mode).correct
    assert not check(source, lambda xs: [xs[0] + 1.0000001], mode=mode).correct


def test_a_check_that_compares_nothing_is_not_correct() -> None:
    source = kernel(pointwise("convert", const(np.nan, F32), to=I32), ())
    verdict = check(source, lambda xs: [np.array(0, np.int32)], mode="real")
    assert not verdict.correct
    assert verdict.points == 0
    assert verdict.excluded == len(verdict.sets)


OTHER_FORMS: dict[str, Run] = {
    r"returned 0 arrays, its source returns 1": lambda xs: [],
    r"float32\[12, 33\], its source makes f32\[12, 10\]": lambda xs: [xs[0]],
    r"out is float64": lambda xs: [(xs[0] @ xs[1]).astype(float)],
}


@pytest.mark.parametrize("message", OTHER_FORMS)
def test_arrays_of_another_form_are_an_error(message: str) -> None:
    with pytest.raises(VerificationError, match=message):
        check(MATMUL, OTHER_FORMS[message], mode="real")


def test_large_kernels_run_on_fewer_sets() -> None:
    i, j, k = (Axis(n, 128) for n in "ijk")
    a, b = input_("a", F16, (i, k)), input_("b", F16, (k, j))
    wide = [pointwise("convert", t, to=F32) for t in (a, b)]
    source = kernel(reduce("add", k, pointwise("mul", *wide)), (i, j), a, b)
    verdict = check(source, lambda xs: [xs[0].astype("f4") @ xs[1].astype("f4")], mode="real")
    assert verdict.correct
    assert len(verdict.sets) == 3


@pytest.mark.parametrize("name", ["eq", "ne", "lt", "le"])
def test_finite_numbers_are_compared_with_infinity(name: str) -> None:
    kernel_ = kernel(pointwise(name, X, const(np.inf, F32)), (ROWS, COLS), X)
    right = check(kernel_, lambda xs: run_kernel(kernel_, {"x": xs[0]}), mode="real")
    assert right.correct
    assert right.points > 0
    assert right.excluded == 0
    wrong = check(kernel_, lambda xs: [~run_kernel(kernel_, {"x": xs[0]})[0]], mode="real")
    assert not wrong.correct


def test_bits_count_where_bounds_leave_everything_open() -> None:
    infinite = kernel(pointwise("add", X, const(np.inf, F32)), (ROWS, COLS), X)
    assert check(infinite, lambda xs: [xs[0] + np.float32(np.inf)], mode="real").correct
    assert not check(infinite, lambda xs: [xs[0] - np.float32(np.inf)], mode="real").correct


def test_open_numbers_may_differ_in_few_elements() -> None:
    """Squares of roots of squares fall on either side of whole numbers, depending on rounding."""
    root = pointwise("sqrt", pointwise("mul", X, X))
    stepped = pointwise("convert", pointwise("mul", root, root), to=I32)
    kernel_ = kernel(stepped, (ROWS, COLS), X)
    whole = [InputSet("whole numbers", {"x": np.full((12, 10), 3, np.float32)})]
    right = np.full((12, 10), 9, np.int32)
    one_off = right.copy()
    one_off[1, 2] = 8
    assert check(kernel_, lambda _: [right], mode="real", sets=whole).correct
    assert check(kernel_, lambda _: [one_off], mode="real", sets=whole).correct
    assert not check(kernel_, lambda _: [right - 1], mode="real", sets=whole).correct
