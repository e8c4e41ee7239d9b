"""Elementary functions as rules compute them, fully expanded: error in ulps over the domain."""

from __future__ import annotations

import numpy as np
import pytest

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
def test_kept_coefficients_are_those_of_the_fit(name: str) -> None:
    """Up to what another linear-algebra library may round differently."""
    np.testing.assert_allclose(coefficients(name), FITS[name](), rtol=1e-4)
