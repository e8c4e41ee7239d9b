"""Every rule at every type it is instantiated at: both sides give the same values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from oxegg.ir.types import I8, ElementType
from oxegg.rules import all_rules
from oxegg.rules.pattern import Family, Rule, apply, constant, variables
from tests.rules.instances import both_sides, instantiate, random_inputs

Array = npt.NDArray[Any]


def instances(kind: str) -> list[Any]:
    """Rules of a kind at their types; elementary functions have their own test."""
    return [
        pytest.param(rule, type_, id=f"{rule.name}@{type_}")
        for rule in all_rules()
        for type_ in rule.types
        if rule.kind == kind and (kind == "exact" or rule.family != "elementary")
    ]


def bits(values: Array) -> Array:
    return np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")


def same(left: Array, right: Array) -> Array:
    """Equal bit by bit, any NaN being as good as another."""
    if left.dtype.kind in "biu":
        return left == right
    return (bits(left) == bits(right)) | (np.isnan(left) & np.isnan(right))


def counterexample(arrays: dict[str, Array], wrong: Array, left: Array, right: Array) -> str:
    index = tuple(np.argwhere(wrong)[0])
    point = index[-1]
    values = ", ".join(f"{n} = {v[..., point].tolist()}" for n, v in arrays.items())
    return f"{values}: left {left[index]!r}, right {right[index]!r} ({wrong.sum()} points)"


@pytest.mark.parametrize(("rule", "type_"), instances("exact"))
def test_exact(rule: Rule, type_: ElementType) -> None:
    sides = instantiate(rule, type_)
    assert sides.left.type is sides.right.type
    for seed, special in enumerate((True, False)):
        arrays = random_inputs(sides, seed, special=special)
        left, right = both_sides(sides, arrays)
        wrong = ~same(left, right)
        assert not wrong.any(), counterexample(arrays, wrong, left, right)


@pytest.mark.parametrize(("rule", "type_"), instances("real"))
def test_real(rule: Rule, type_: ElementType) -> None:
    """Equal over the reals: on positive numbers, where nothing cancels, errors stay small.

    Rules about differences cancel all the same; what is lost there is small against the operands.
    """
    sides = instantiate(rule, type_)
    assert sides.left.type is sides.right.type
    for seed, positive in enumerate((True, False)):
        arrays = random_inputs(sides, seed, special=False, positive=positive)
        left, right = (v.astype(np.float64) for v in both_sides(sides, arrays))
        sizes = [np.abs(a.astype(np.float64)).max(initial=1) for a in arrays.values()]
        scale = np.maximum(np.abs(left), 0 if positive else max(sizes) ** 2)
        ulps = 40 + 4 * rule.error_ulps
        if positive and _cancels(rule):
            scale = np.maximum(scale, max(sizes) ** 2)
        wrong = np.abs(left - right) > ulps * type_.unit_roundoff * scale
        wrong &= np.isfinite(left)
        assert not wrong.any(), counterexample(arrays, wrong, left, right)


def _cancels(rule: Rule) -> bool:
    return any(word in rule.name for word in ("sub", "fnma", "fms", "neg"))


def test_a_wrong_rule_is_refuted() -> None:
    """x / 4 isn't x >> 2 when division rounds to zero."""
    (x,) = variables("x")
    wrong = Family("wrong")
    wrong.rule("shift", apply("quotient", x, constant(4)), x >> constant(2), kind="exact",
               types=(I8,), doc="only for x >= 0")  # fmt: skip
    sides = instantiate(wrong.rules[0], I8)
    left, right = both_sides(sides, random_inputs(sides, 0, special=True))
    assert not same(left, right).all()
