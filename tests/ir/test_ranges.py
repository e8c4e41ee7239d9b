"""Ranges of integers hold: on random terms, with inputs at their limits, whatever wraps around."""

import random
from typing import Any

import numpy as np
import pytest

from oxegg.ir import TYPES, Axis, Term, const, evaluate, input_, iota, pointwise, reduce, scan
from oxegg.ir.ranges import integer_ranges, whole_range

I8, I16, I32, I64, U8, F32 = (TYPES[name] for name in ("i8", "i16", "i32", "i64", "u8", "f32"))
A, K = Axis("a", 3), Axis("k", 4)
X, Y = input_("x", I8, (A, K)), input_("y", U8, (K,))
UNARY, BINARY = ("abs", "neg"), ("add", "sub", "mul", "min", "max", "and", "xor", "quotient")


def random_term(rng: random.Random) -> Term:
    """About ten operations on integers, of which a few wrap around."""
    terms: list[Term] = [X, Y, iota(K, I32)]
    for _ in range(10):
        term = rng.choice(terms)
        other = rng.choice([t for t in terms if t.type is term.type])
        choice = rng.randrange(7)
        if choice == 0:
            term = pointwise("convert", term, to=rng.choice((I8, U8, I16, I32, I64)))
        elif choice == 1:
            term = pointwise(rng.choice(UNARY), term)
        elif choice == 2 and term.has_axis(K):
            term = rng.choice((reduce, scan))(rng.choice(("add", "max")), K, term)
        elif choice == 3:
            amount = const(rng.randrange(term.type.bits), term.type)
            term = pointwise(rng.choice(("shl", "shr")), term, amount)
        elif choice == 4:
            number = const(rng.choice((0, 1, 3, 100, 127)), term.type)
            term = pointwise(rng.choice(BINARY), term, number)
        elif choice == 5:
            term = pointwise("select", pointwise("lt", term, other), other, term)
        else:
            term = pointwise(rng.choice(BINARY), term, other)
        terms.append(term)
    return terms[-1]


def inputs(rng: np.random.Generator) -> dict[str, Any]:
    ends = rng.random() < 0.5
    x = rng.choice([-128, 127], (3, 4)) if ends else rng.integers(-128, 128, (3, 4))
    y = rng.choice([0, 255], 4) if ends else rng.integers(0, 256, 4)
    return {"x": x.astype(np.int8), "y": y.astype(np.uint8)}


@pytest.mark.parametrize("seed", range(300))
def test_every_value_lies_in_its_range(seed: int) -> None:
    rng, numbers = random.Random(seed), np.random.default_rng(seed)
    term = random_term(rng)
    low, high = integer_ranges([term])[id(term)]
    for _ in range(20):
        (found,) = evaluate([term], inputs(numbers))
        assert low <= int(found.min()), (term, low)
        assert int(found.max()) <= high, (term, high)


def test_sums_of_products_are_as_large_as_their_axis_allows() -> None:
    wide = [pointwise("convert", t, to=I32) for t in (X, Y)]
    total = reduce("add", K, pointwise("mul", *wide))
    assert integer_ranges([total])[id(total)] == (-4 * 128 * 255, 4 * 127 * 255)


def test_what_may_wrap_has_the_range_of_its_type() -> None:
    product = pointwise("mul", X, X)
    assert integer_ranges([product])[id(product)] == whole_range(I8)


def test_floats_have_no_range() -> None:
    floats = pointwise("convert", X, to=F32)
    back = pointwise("convert", floats, to=I8)
    assert integer_ranges([back]) == {id(X): whole_range(I8), id(back): whole_range(I8)}
