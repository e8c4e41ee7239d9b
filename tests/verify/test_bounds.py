"""Error bounds: sound for every order of evaluation, and not absurdly loose."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from oxegg.ir import (
    TYPES,
    Affine,
    Axis,
    Term,
    at,
    concat,
    const,
    evaluate,
    fold,
    gather,
    input_,
    iota,
    pointwise,
    reduce,
    scan,
    state,
)
from oxegg.verify import Bounds, analyse

Array = npt.NDArray[Any]
F16, BF16, F32, F64 = (TYPES[n] for n in ("f16", "bf16", "f32", "f64"))
I32 = TYPES["i32"]
N = Axis("n", 1024)
X, Y = input_("x", F32, (N,)), input_("y", F32, (N,))
DOT = reduce("add", N, pointwise("mul", X, Y))


def one(root: Term, **inputs: Any) -> Bounds:
    return analyse([root], {name: np.asarray(v) for name, v in inputs.items()})[0]


def ratio(got: Array, bounds: Bounds) -> float:
    """Largest |error| / bound over the defined points; 0 / 0 counts as 0."""
    error = np.abs(got.astype(bounds.value.dtype) - bounds.value)
    shares = np.where(error == 0, 0.0, error / np.maximum(bounds.error, 5e-324))
    return float(shares[bounds.defined].max(initial=0))


def conditioned(rng: np.random.Generator, condition: float) -> tuple[Array, Array]:
    """Vectors of which the dot product has about the given condition number."""
    half = N.size // 2 - 1
    x, y = (rng.standard_normal(half).astype(np.float32) for _ in range(2))
    rest = np.float32(np.abs(x * y).sum() * 2 / condition)
    order = rng.permutation(N.size)
    ends = np.array([[rest, 0], [1, 1]], np.float32)
    return np.concatenate([x, -x, ends[0]])[order], np.concatenate([y, y, ends[1]])[order]


def lane_dot(x: Array, y: Array, lanes: int) -> Array:
    partial = np.zeros(lanes, np.float32)
    for block in (x * y).reshape(-1, lanes):
        partial += block
    while len(partial) > 1:
        partial = partial[: len(partial) // 2] + partial[len(partial) // 2 :]
    return partial[0]


@pytest.mark.parametrize("condition", [1e0, 1e3, 1e6, 1e9, 1e12])
@pytest.mark.parametrize("lanes", [1, 16])
def test_dot_is_within_its_bound_at_any_condition_and_order(condition: float, lanes: int) -> None:
    rng = np.random.default_rng(1)
    for _ in range(5):
        x, y = conditioned(rng, condition)
        bounds = one(DOT, x=x, y=y)
        exact = math.fsum(x.astype(float) * y.astype(float))
        np.testing.assert_allclose(bounds.value, exact, rtol=1e-9, atol=1e-13)
        got = ratio(np.asarray(lane_dot(x, y, lanes)), bounds)
        assert got <= 1
        assert one(DOT, x=x, y=y).error <= 1.01 * N.size * 2.0**-24 * np.abs(x * y).sum()


def test_contraction_agrees_with_the_cube_of_products() -> None:
    i, j, k = Axis("i", 5), Axis("j", 6), Axis("k", 7)
    a, b = input_("a", F32, (i, k)), input_("b", F32, (j, k))
    left, right = pointwise("exp", a), pointwise("add", b, const(1, F32))
    product = pointwise("mul", left, right)
    fast, cube = reduce("add", k, product), reduce("add", k, pointwise("neg", product))
    rng = np.random.default_rng(0)
    inputs = {"a": rng.standard_normal((5, 7)), "b": rng.standard_normal((6, 7))}
    wide = {name: v.astype(np.float32) for name, v in inputs.items()}
    (alone,), (materialised,) = analyse([fast], wide), analyse([cube], wide)
    np.testing.assert_allclose(alone.value, -materialised.value, rtol=1e-12)
    np.testing.assert_allclose(alone.magnitude, materialised.magnitude, rtol=1e-12)
    np.testing.assert_allclose(alone.error, materialised.error, rtol=1e-12)


def test_magnitude_does_not_depend_on_the_arrangement() -> None:
    a, b, c = (input_(n, F32, ()) for n in "abc")
    factored = pointwise("mul", a, pointwise("sub", b, c))
    distributed = pointwise("sub", pointwise("mul", a, b), pointwise("mul", a, c))
    values = {n: np.float32(v) for n, v in (("a", 3.0), ("b", 1.0), ("c", 1.0000001))}
    one_, two = (one(t, **values) for t in (factored, distributed))
    np.testing.assert_allclose(one_.magnitude, two.magnitude)
    np.testing.assert_allclose(one_.error, two.error, rtol=0.5)


def test_magnitude_keeps_constant_factors_and_quotients() -> None:
    a, b = (input_(n, F32, ()) for n in "ab")
    term = pointwise("div", pointwise("sub", pointwise("mul", a, const(-2, F32)), b), b)
    bounds = one(term, a=np.float32(3), b=np.float32(-6))
    assert bounds.value == 0
    np.testing.assert_allclose(bounds.magnitude, 2)


# ------------------------------------------------------------------ kernels in float32

ROWS, COLS, DEPTH = Axis("r", 8), Axis("c", 64), Axis("d", 16)


def softmax(x: Term, axis: Axis) -> Term:
    e = pointwise("exp", pointwise("sub", x, reduce("max", axis, x)))
    return pointwise("div", e, reduce("add", axis, e))


def mean(x: Term, axis: Axis) -> Term:
    return pointwise("div", reduce("add", axis, x), const(axis.size, F32))


def layernorm(x: Term) -> Term:
    centred = pointwise("sub", x, mean(x, COLS))
    variance = mean(pointwise("mul", centred, centred), COLS)
    return pointwise(
        "mul", centred, pointwise("rsqrt", pointwise("add", variance, const(1e-5, F32)))
    )


def numpy_softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e * (1 / e.sum(axis=-1, keepdims=True, dtype=np.float32))


def one_pass_layernorm(x: Array) -> Array:
    """E[x^2] - E[x]^2: valid over the reals, worse in floating point."""
    variance = (x * x).mean(axis=1, keepdims=True) - x.mean(axis=1, keepdims=True) ** 2
    return (x - x.mean(axis=1, keepdims=True)) / np.sqrt(variance + np.float32(1e-5))


def gelu_by_erf(x: Array) -> Array:
    erf = np.vectorize(math.erf, otypes=[np.float32])
    return np.float32(0.5) * x * (1 + erf(x * np.float32(math.sqrt(0.5))))


INPUT = input_("x", F32, (ROWS, COLS))
KEYS = input_("k", F32, (COLS, DEPTH))
QUERY = input_("q", F32, (ROWS, DEPTH))
SCORES = reduce("add", DEPTH, pointwise("mul", QUERY, KEYS))
ATTENTION = reduce("add", COLS, pointwise("mul", softmax(SCORES, COLS), KEYS))


KERNELS: dict[str, tuple[Term, Callable[[Array], Array]]] = {
    "softmax": (softmax(INPUT, COLS), numpy_softmax),
    "layernorm": (layernorm(INPUT), one_pass_layernorm),
    "gelu": (pointwise("gelu", INPUT), gelu_by_erf),
    "scan": (scan("add", COLS, INPUT), lambda x: np.cumsum(x, axis=1)),
}


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
def test_float32_kernels_are_within_useful_bounds(name: str, scale: float) -> None:
    term, compute = KERNELS[name]
    x = (scale * np.random.default_rng(2).standard_normal((8, 64))).astype(np.float32)
    bounds = one(term, x=x)
    order = [("r", "c").index(a.name) for a in term.axes]
    share = ratio(np.transpose(compute(x), order), bounds)
    print(f"error/bound {share:.4f}")
    assert bounds.defined.all()
    assert 1e-4 < share <= 1


def test_attention_is_within_a_useful_bound() -> None:
    rng = np.random.default_rng(3)
    q, k = (rng.standard_normal(s).astype(np.float32) for s in ((8, 16), (64, 16)))
    bounds = one(ATTENTION, q=q, k=k)
    share = ratio((numpy_softmax(q @ k.T) @ k).T, bounds)  # axes sorted by name: d, r
    assert bounds.defined.all()
    assert 1e-4 < share <= 1


@pytest.mark.parametrize("type_", [F16, BF16, F64], ids=str)
def test_other_formats_are_within_their_bounds(type_: Any) -> None:
    x, y = input_("x", type_, (N,)), input_("y", type_, (N,))
    dot = reduce("add", N, pointwise("mul", x, y))
    rng = np.random.default_rng(4)
    inputs = {name: rng.standard_normal(N.size).astype(type_.numpy) for name in ("x", "y")}
    (got,) = evaluate([dot], inputs)
    (bounds,) = analyse([dot], inputs)
    assert 1e-4 < ratio(np.asarray(got), bounds) <= 1
    assert bounds.value.dtype == (np.longdouble if type_ is F64 else np.float64)


ALL_FUNCTIONS = {
    "exp": (-80, 80),
    "exp2": (-100, 100),
    "expm1": (-5, 5),
    "log": (1e-3, 1e3),
    "log2": (1e-3, 1e3),
    "log1p": (-0.9, 10),
    "sin": (-20, 20),
    "cos": (-20, 20),
    "tanh": (-10, 10),
    "erf": (-4, 4),
    "sigmoid": (-80, 80),
    "gelu": (-10, 10),
    "sqrt": (0, 100),
    "rsqrt": (1e-3, 100),
    "reciprocal": (0.1, 100),
}


@pytest.mark.parametrize("name", ALL_FUNCTIONS)
def test_an_error_of_the_argument_is_amplified_as_much_as_it_can_be(name: str) -> None:
    """f of an argument moved by its whole bound stays within the bound of f."""
    low, high = ALL_FUNCTIONS[name]
    x = np.random.default_rng(5).uniform(low, high, N.size).astype(np.float32)
    shifted = pointwise("add", X, const(1e-3, F32))
    argument, result = analyse([shifted, pointwise(name, shifted)], {"x": x})
    for sign in (-1, 1):
        # argument.value already is two formats up, so nothing else errs here
        moved = input_("m", F64, (N,))
        (got,) = evaluate([pointwise(name, moved)], {"m": argument.value + sign * argument.error})
        assert ratio(got, result) <= 1
    relative = result.error / np.maximum(np.abs(result.value), 1e-30)
    assert np.median(relative) < 2.0**-24 * 300


# ------------------------------------------------------------------ choices

SMALL = Axis("s", 6)
A, B = input_("a", F32, (SMALL,)), input_("b", F32, (SMALL,))
ROUNDED = pointwise("sub", pointwise("add", A, B), B)  # a, give or take a few roundings
A_VALUES = np.array([1, 1.0000001, 0.9999999, 2, -3, 1e-3], np.float32)
B_VALUES = np.full(6, 100.3, np.float32)


def test_powers_below_the_smallest_normal_number_may_be_flushed_to_it() -> None:
    x = np.array([-200.0, -88.0, -80.0], np.float32)
    bounds = one(pointwise("exp", input_("x", F32, (Axis("n", 3),))), x=x)
    tiny = 2.0**-126
    assert bounds.error[0] == pytest.approx(tiny, rel=1e-3)
    assert tiny < bounds.error[1] < 1.1 * tiny
    assert bounds.error[2] < 1e-4 * math.exp(-80)


def test_an_undecided_comparison_allows_both_branches() -> None:
    condition = pointwise("lt", ROUNDED, const(1, F32))
    bounds = one(pointwise("select", condition, A, const(50, F32)), a=A_VALUES, b=B_VALUES)
    for branch in (A_VALUES, np.full(6, 50, np.float32)):
        got = np.where([True, True, True, False, True, True], branch, 50)
        got[4:] = A_VALUES[4:]
        assert ratio(got.astype(np.float32), bounds) <= 1
    assert bounds.error[3] == 0
    assert bounds.error[4] == 0


def test_a_comparison_of_exact_values_is_decided() -> None:
    bounds = one(pointwise("eq", A, const(1, F32)), a=A_VALUES)
    assert bounds.defined.all()
    np.testing.assert_array_equal(bounds.value, A_VALUES == 1)


def test_undecided_truth_values_and_integers_are_not_defined() -> None:
    close = pointwise("lt", ROUNDED, const(1, F32))
    number = pointwise("convert", pointwise("floor", ROUNDED), to=I32)
    true, index = analyse([close, number], {"a": A_VALUES, "b": B_VALUES})
    np.testing.assert_array_equal(true.defined, [False] * 3 + [True] * 3)
    np.testing.assert_array_equal(index.defined, [False] * 5 + [True])
    either = pointwise("or", close, pointwise("eq", A, A))
    assert one(either, a=A_VALUES, b=B_VALUES).defined.all()


def test_floor_covers_both_neighbours_of_an_undecided_integer() -> None:
    bounds = one(pointwise("floor", ROUNDED), a=A_VALUES, b=B_VALUES)
    np.testing.assert_array_equal(bounds.error, [1, 1, 1, 1, 1, 0])


def test_max_takes_the_error_of_the_winner_only() -> None:
    noisy = pointwise("mul", A, B)
    bounds = one(pointwise("max", noisy, const(0, F32)), a=A_VALUES, b=B_VALUES)
    assert bounds.error[4] == 0
    assert bounds.error[0] > 0
    largest = one(reduce("max", SMALL, noisy), a=A_VALUES, b=B_VALUES)
    np.testing.assert_allclose(largest.error, bounds.error[3])


def test_a_loser_with_a_large_error_may_win() -> None:
    close = pointwise("sub", ROUNDED, const(1e-6, F32))  # just below a, with errors of 1e-5
    both = Axis("t", 12)
    winner, loser, largest = analyse(
        [
            pointwise("max", A, close),
            close,
            reduce("max", both, concat(both, [(SMALL, A), (SMALL, close)])),
        ],
        {"a": A_VALUES, "b": B_VALUES},
    )
    np.testing.assert_array_equal(winner.value, A_VALUES)
    np.testing.assert_allclose(winner.error, loser.error - 1e-6, rtol=0.05)
    np.testing.assert_allclose(largest.error, winner.error[3])


def test_saturating_conversion_is_decided_outside_of_the_format() -> None:
    nearest = pointwise("to_int", pointwise("mul", A, const(1e13, F32)), to=I32)
    bounds = one(nearest, a=A_VALUES)
    assert bounds.defined.all()
    np.testing.assert_array_equal(bounds.value, np.where(A_VALUES > 0, 2**31 - 1, -(2**31)))


def test_overflow_and_nan_are_excluded_and_do_not_spread() -> None:
    guarded = pointwise(
        "select", pointwise("lt", const(0, F32), A), pointwise("log", A), const(7, F32)
    )
    log, safe, huge = analyse(
        [pointwise("log", A), guarded, pointwise("exp", pointwise("mul", A, const(50, F32)))],
        {"a": A_VALUES},
    )
    np.testing.assert_array_equal(log.defined, A_VALUES > 0)
    assert safe.defined.all()
    assert safe.value[4] == 7
    np.testing.assert_array_equal(huge.defined, [True, True, True, False, True, True])


def test_factors_may_be_multiplied_in_any_order() -> None:
    """0.3 (x x) overflows where (0.3 x) x doesn't."""
    x = np.full(1024, 2.2e19, np.float32)
    x[0] = 1e10
    scaled = pointwise("mul", const(0.3, F32), X)
    assert one(pointwise("mul", scaled, X), x=x).defined.tolist() == [True, *[False] * 1023]
    halved = pointwise("mul", pointwise("mul", const(0.25, F32), X), X)
    assert not one(halved, x=x).defined[1:].any()


def test_a_denominator_that_may_vanish_is_excluded() -> None:
    zero = pointwise("sub", ROUNDED, const(1, F32))
    bounds = one(pointwise("div", B, zero), a=A_VALUES, b=B_VALUES)
    np.testing.assert_array_equal(bounds.defined, [False] * 3 + [True] * 3)


# ------------------------------------------------------------------ structure


def test_views_gathers_and_parts_pass_bounds_through() -> None:
    e = pointwise("exp", A)
    reverse = Affine.of(SMALL.size - 1, {SMALL: -1})
    position = pointwise("sub", const(5, I32), iota(SMALL, I32))
    both = Axis("t", 12)
    plain, view, gathered, joined = analyse(
        [
            e,
            at(e, {SMALL: reverse}),
            gather(e, SMALL, position),
            concat(both, [(SMALL, A), (SMALL, e)]),
        ],
        {"a": A_VALUES},
    )
    for part in ("value", "error", "magnitude"):
        expected = getattr(plain, part)
        np.testing.assert_array_equal(getattr(view, part), expected[::-1])
        np.testing.assert_array_equal(getattr(gathered, part), expected[::-1])
        np.testing.assert_array_equal(getattr(joined, part)[6:], expected)
    assert not joined.error[:6].any()


def test_fold_follows_its_steps() -> None:
    """Horner: h = h * a + x[n], with the polynomial evaluated exactly."""
    step = Axis("n", 24)
    h = state("h", step, F32, (SMALL,))
    x = input_("x", F32, (step,))
    body = pointwise("add", pointwise("mul", h, A), x)
    term = fold(step, [h], [const(0, F32)], [body], 0)
    inputs = {
        "a": np.linspace(-1, 1, 6).astype(np.float32),
        "x": np.random.default_rng(6).standard_normal(24).astype(np.float32),
    }
    (got,), (bounds,) = evaluate([term], inputs), analyse([term], inputs)
    np.testing.assert_allclose(bounds.value, np.polyval(inputs["x"].astype(float), inputs["a"]))
    assert ratio(got, bounds) <= 1
    assert (bounds.error <= 2.1 * 24 * 2.0**-24 * bounds.magnitude).all()


def test_nested_folds_see_the_outer_step() -> None:
    outer, inner = Axis("p", 4), Axis("q", 3)
    table = input_("t", F32, (outer, inner))
    s, r = state("s", outer, F32, (SMALL,)), state("r", inner, F32, (outer, SMALL))
    body = pointwise("add", pointwise("mul", r, A), table)
    term = fold(outer, [s], [const(1, F32)], [fold(inner, [r], [s], [body], 0)], 0)
    inputs = {
        "t": np.random.default_rng(7).standard_normal((4, 3)).astype(np.float32),
        "a": A_VALUES,
    }
    (got,), (bounds,) = evaluate([term], inputs), analyse([term], inputs)
    expected = np.ones(SMALL.size)
    for value in inputs["t"].ravel().astype(float):
        expected = expected * A_VALUES + value
    np.testing.assert_allclose(bounds.value, expected, rtol=1e-13)
    assert ratio(got, bounds) <= 1


def test_a_fold_may_read_its_state_at_the_step() -> None:
    """Step p adds a * h[p] to every element: the pattern of elimination and substitution."""
    step = Axis("p", 6)
    h = state("h", step, F32, (SMALL,))
    pivot = at(h, {SMALL: Affine.axis(step)})
    product = reduce(
        "add", Axis("t", 2), pointwise("mul", pivot, input_("c", F32, (Axis("t", 2),)))
    )
    term = fold(step, [h], [B], [pointwise("add", h, pointwise("mul", A, product))], 0)
    inputs = {"a": A_VALUES, "b": B_VALUES, "c": np.array([0.25, 0.5], np.float32)}
    (got,), (bounds,) = evaluate([term], inputs), analyse([term], inputs)
    expected = B_VALUES.astype(float)
    for p in range(6):
        expected = expected + A_VALUES * (expected[p] * 0.75)
    np.testing.assert_allclose(bounds.value, expected, rtol=1e-13)
    assert ratio(got, bounds) <= 1


def test_integers_wrap_exactly() -> None:
    i = input_("i", I32, (SMALL,))
    total = reduce("add", SMALL, pointwise("mul", i, i))
    values = np.array([2**31 - 1, -(2**31), 65537, 3, -7, 2**30], np.int32)
    bounds = one(total, i=values)
    assert bounds.value == evaluate([total], {"i": values})[0]
    assert bounds.value.dtype == np.int32
    assert bounds.error == 0


@pytest.mark.parametrize("factor", [const(0.5, F64), input_("y", F64, (N,))])
def test_products_below_every_number_may_become_zero(factor: Term) -> None:
    tiny = np.full(N.size, 5e-324)
    bounds = one(pointwise("mul", input_("x", F64, (N,)), factor), x=tiny, y=tiny + 0.5)
    assert np.all(bounds.value > 0)
    assert ratio(np.zeros(N.size), bounds) <= 1
