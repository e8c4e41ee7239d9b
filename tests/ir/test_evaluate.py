"""The reference evaluator, node by node, on values worked out by hand."""

from fractions import Fraction
from typing import Any

import numpy as np
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
    concat,
    const,
    evaluate,
    exact,
    fold,
    gather,
    input_,
    iota,
    pointwise,
    reduce,
    run_kernel,
    scan,
    state,
)

F32, I32, U8 = TYPES["f32"], TYPES["i32"], TYPES["u8"]
A, J, K, T = Axis("a", 2), Axis("j", 3), Axis("k", 2), Axis("t", 4)
X = input_("x", F32, (A, J))
ROW = input_("row", F32, (J,))
INPUTS = {
    "x": np.array([[1, 2, 3], [4, 5, 6]], np.float32),
    "row": np.array([10, 20, 30], np.float32),
    "index": np.array([2, 0, 9, -4], np.int32),
}


def value(term: Term) -> Any:
    """The result as a nested list, axes in name order."""
    return evaluate([term], INPUTS)[0].tolist()


CASES: list[tuple[Term, Any]] = [
    (X, [[1, 2, 3], [4, 5, 6]]),
    (const(3, I32), 3),
    (iota(J, I32), [0, 1, 2]),
    (pointwise("add", X, ROW), [[11, 22, 33], [14, 25, 36]]),
    (reduce("add", J, X), [6, 15]),
    (reduce("max", A, X), [4, 5, 6]),
    (scan("add", J, X), [[1, 3, 6], [4, 9, 15]]),
    (scan("mul", A, X), [[1, 2, 3], [4, 10, 18]]),
    (at(X, {J: Affine(1)}), [2, 5]),
    (at(X, {J: Affine(2, ((J, -1),))}), [[3, 2, 1], [6, 5, 4]]),
    (at(ROW, {J: Affine.of(0, {A: 1, K: 1})}), [[10, 20], [20, 30]]),
    (at(X, {J: Affine.axis(A)}), [1, 5]),
    (gather(ROW, J, input_("index", I32, (T,))), [30, 10, 30, 10]),
    (gather(X, J, iota(A, U8)), [1, 5]),
    (concat(Axis("c", 4), [(J, ROW), (None, const(7, F32))]), [10, 20, 30, 7]),
    (concat(Axis("c", 5), [(K, const(1, F32)), (J, ROW)]), [1, 1, 10, 20, 30]),
    (concat(A, [(None, ROW), (None, ROW)]), [[10, 20, 30], [10, 20, 30]]),
    (pointwise("convert", ROW, to=U8), [10, 20, 30]),
]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_node(number: int) -> None:
    term, wanted = CASES[number]
    assert value(term) == wanted


def test_the_axis_of_a_concatenation_is_its_own() -> None:
    with pytest.raises(IRError, match="axis j=3 is an axis of a part as well"):
        concat(J, [(None, ROW), (None, ROW), (None, ROW)])


def test_a_part_may_use_the_name_of_another_parts_own_axis() -> None:
    """In the second part j is one of the result's axes, in the first it runs along c."""
    joined = concat(Axis("c", 4), [(J, ROW), (None, at(X, {A: Affine(0)}))])
    assert value(joined) == [[10, 10, 10], [20, 20, 20], [30, 30, 30], [1, 2, 3]]


def test_fold_carries_all_states_together() -> None:
    """Fibonacci: (a, b) -> (b, a + b), and the step number added to a third state."""
    names = "a", "b", "c"
    held = [state(n, T, F32, (J,)) for n in names]
    starts = [ROW, const(1, F32), const(0, F32)]
    step = pointwise("convert", iota(T, I32), to=F32)
    bodies = [held[1], pointwise("add", *held[:2]), pointwise("add", held[2], step)]
    results = [fold(T, held, starts, bodies, i) for i in range(3)]
    assert value(results[0]) == [23, 43, 63]
    assert value(results[1]) == [35, 65, 95]
    assert value(results[2]) == [6, 6, 6]


def test_nested_folds_see_the_outer_state() -> None:
    u = Axis("u", 3)
    outer, inner = state("s", T, F32, (J,)), state("r", u, F32, (J, T))
    grown = fold(u, [inner], [outer], [pointwise("add", inner, ROW)], 0)
    assert value(fold(T, [outer], [ROW], [grown], 0)) == [130, 260, 390]


def test_run_kernel_lays_results_out() -> None:
    outputs = (
        Output("turned", X, (J, A)),
        Output("flat", X, (A, J), (6,)),
        Output("wide", ROW, (K, J)),
    )
    row = Kernel("k", (X, ROW), outputs)
    turned, flat, wide = run_kernel(row, INPUTS)
    assert turned.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert flat.tolist() == [1, 2, 3, 4, 5, 6]
    assert wide.tolist() == [[10, 20, 30], [10, 20, 30]]
    assert all(result.flags["C_CONTIGUOUS"] for result in (turned, flat, wide))


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(IRError, match=r"input x has shape \(3, 2\)"):
        evaluate([X], {"x": np.zeros((3, 2), np.float32)})


def test_exact_does_not_round() -> None:
    third = pointwise("div", const(1, F32), const(3, F32))
    total = reduce("add", J, pointwise("mul", third, ROW))
    assert exact([total], {"row": np.array([Fraction(1), 1, 1], object)})[0][()] == 1
    assert value(reduce("add", J, pointwise("mul", third, ROW))) != 1


def test_exact_scans_yield_fractions() -> None:
    row = np.array([Fraction(1, 3)] * 3, object)
    (sums,) = exact([scan("add", J, ROW)], {"row": row})
    assert [element + Fraction(0) for element in sums] == [Fraction(n, 3) for n in (1, 2, 3)]
    assert all(isinstance(element, Fraction) for element in sums)


def test_exact_refuses_what_has_no_rational_value() -> None:
    infinite = pointwise("mul", const(float("-inf"), F32), ROW)
    for term in (pointwise("exp", ROW), pointwise("and", iota(J, I32), iota(J, I32)), infinite):
        with pytest.raises(IRError, match="no exact rational value"):
            exact([term], {"row": np.array([Fraction(1)] * 3, object)})


def test_exact_values_that_square_in_a_loop_are_refused() -> None:
    step = Axis("step", 40)
    h = state("h", step, F32, ())
    term = fold(step, [h], [input_("x", F32, ())], [pointwise("mul", h, h)], 0)
    with pytest.raises(IRError, match="grow beyond"):
        exact([term], {"x": np.array(Fraction(3), object)})
