"""Input sets: reproducible, of the right form, and hard where they say so."""

import numpy as np
import pytest

from oxegg.ir import (
    TYPES,
    Axis,
    ElementType,
    Kernel,
    Output,
    Term,
    gather,
    input_,
    pointwise,
    reduce,
)
from oxegg.verify import InputSet, analyse, input_sets

N, M = Axis("n", 64), Axis("m", 7)
F32, F16, I8, BOOL = (TYPES[n] for n in ("f32", "f16", "i8", "bool"))


def kernel(value: Term, *inputs: Term) -> Kernel:
    return Kernel("test", inputs, (Output("out", value, value.axes),))


X, Y = input_("x", F32, (N, M)), input_("y", F32, (N,))
DOT = kernel(reduce("add", N, pointwise("mul", X, Y)), X, Y)


def by_name(sets: list[InputSet]) -> dict[str, InputSet]:
    return {s.name: s for s in sets}


def test_sets_are_reproducible_and_follow_the_seed() -> None:
    first, again, other = (input_sets(DOT, seed=s) for s in (1, 1, 2))
    for one, two in zip(first, again, strict=True):
        assert one.name == two.name
        np.testing.assert_array_equal(one.arrays["x"], two.arrays["x"])
    assert (first[0].arrays["x"] != other[0].arrays["x"]).any()


@pytest.mark.parametrize("type_", TYPES.values(), ids=str)
def test_every_type_gets_arrays_of_its_form(type_: ElementType) -> None:
    term = input_("x", type_, (N, M))
    for chosen in input_sets(kernel(term, term), nonfinite=True):
        array = chosen.arrays["x"]
        assert array.shape == (64, 7)
        assert array.dtype == term.type.numpy
        assert array.flags.c_contiguous


def test_cancelling_sums_are_ill_conditioned() -> None:
    arrays = by_name(input_sets(DOT))["cancelling"].arrays
    (bounds,) = analyse([DOT.outputs[0].value], arrays)
    assert (np.abs(bounds.value) < 0.05 * bounds.magnitude).all()


def test_special_values_are_there_and_results_stay_defined() -> None:
    arrays = by_name(input_sets(DOT))["special"].arrays
    x = arrays["x"]
    assert (x == 0).any()
    assert np.signbit(x[x == 0]).any()
    assert np.abs(x).max() > 2.0**40
    (bounds,) = analyse([DOT.outputs[0].value], arrays)
    assert bounds.defined.all()


def test_only_mode_exact_sees_infinities() -> None:
    finite = input_sets(DOT)
    assert all(np.isfinite(a).all() for s in finite for a in s.arrays.values())
    wild = by_name(input_sets(DOT, nonfinite=True))["nonfinite"].arrays["x"]
    assert np.isinf(wild).any()
    assert np.isnan(wild).any()
    assert (np.abs(wild[np.isfinite(wild)]) > 2.0**125).any()
    assert ((np.abs(wild) < 2.0**-126) & (wild != 0)).any()


def test_products_of_many_factors_get_narrower_exponents() -> None:
    cube = pointwise("mul", X, pointwise("mul", X, X))
    for chosen in input_sets(kernel(cube, X)):
        (bounds,) = analyse([cube], chosen.arrays)
        assert bounds.defined.all(), chosen.name


@pytest.mark.parametrize("name", ["exp", "sigmoid", "gelu", "tanh"])
def test_steep_functions_mostly_stay_defined(name: str) -> None:
    term = pointwise(name, X)
    for chosen in input_sets(kernel(term, X)):
        (bounds,) = analyse([term], chosen.arrays)
        assert bounds.defined.mean() > 0.9, chosen.name


def test_integer_edges() -> None:
    term = input_("x", I8, (N, M))
    values = by_name(input_sets(kernel(term, term)))["special"].arrays["x"]
    assert {-128, -127, -1, 0, 1, 126, 127} <= set(values.ravel().tolist())


def test_indices_point_into_their_axis() -> None:
    index = input_("p", I8, (N,))
    term = gather(X, M, index)
    seen: set[int] = set()
    for chosen in input_sets(kernel(term, X, index)):
        values = chosen.arrays["p"]
        assert ((values >= 0) & (values < M.size)).all()
        seen |= set(values.tolist())
    assert seen == set(range(M.size))


def test_bools_are_mixed_and_uniform() -> None:
    term = input_("x", BOOL, (N,))
    means = [s.arrays["x"].mean() for s in input_sets(kernel(term, term))]
    assert {0.0, 1.0} < set(means)
