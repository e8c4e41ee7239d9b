"""Elementary functions as rules compute them, fully expanded: error in ulps over the domain."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.polynomial.polynomial import polyval

from oxegg.ir.types import ElementType
from oxegg.rule_lab.accuracy import accuracy, states_accuracy
from oxegg.rules import FAMILIES
from oxegg.rules.fits import FITS, coefficients
from oxegg.rules.pattern import Rule

STATED = [r for r in FAMILIES["elementary"].rules if states_accuracy(r)]
SAMPLES = 20_000


@pytest.mark.parametrize(
    ("rule", "type_"),
    [pytest.param(r, t, id=f"{r.name}@{t}") for r in STATED for t in r.types],
)
def test_error_is_as_stated(rule: Rule, type_: ElementType) -> None:
    # The reference's float64 multiply-adds are exact rationals: slow.
    found = accuracy(rule, type_, SAMPLES if type_.bits < 64 else SAMPLES // 20)
    assert found.ulps <= rule.error_ulps, f"{found.ulps:.2f} ulps at x = {found.at!r}"


@pytest.mark.parametrize("name", FITS)
def test_kept_polynomial_is_the_fit(name: str) -> None:
    """Values, not coefficients: linear-algebra libraries round these differently.

    Those of high powers hardly matter to values and differ in all digits.
    """
    fit = FITS[name]
    x = fit.nodes()
    free = len(fit.leading)
    kept, found = (polyval(x, c[free:]) for c in (coefficients(name), fit.coefficients()))
    importance = fit.importance(x)
    scale = np.abs(kept * importance).max()
    assert np.abs((kept - found) * importance).max() <= 1e-13 * scale
