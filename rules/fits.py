"""The fits behind the elementary functions, and the file that their coefficients are kept in.

Coefficients are part of a rule, and evidence for a rule holds for these very bits; a fit computed
anew differs from one linear-algebra library to the next: in the last digit of the polynomial's values,
in more digits of the coefficients of high powers. So they are computed once, by
``python -m oxegg.rules.fits``, and kept in ``coefficients.json``; a test fits them again and compares values.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from oxegg.rules.approximation import Array, Fit, exp_fit

FILE = Path(__file__).with_name("coefficients.json")
EXP_LIMIT = math.log(2) / 2 * 1.001
SINE_LIMIT = float(np.pi / 4) ** 2 * 1.01
LOG_LOW, LOG_HIGH = float(np.sqrt(0.5)) - 1, float(np.sqrt(2)) - 1
TANH_BORDER = {"f32": 0.625, "f64": 0.35}
ERF_BORDER, ERF_TOP = 0.9, 4.2


@cache
def coefficients(name: str) -> tuple[float, ...]:
    """Of the polynomial ``name`` (such as ``log.f32``), lowest power first."""
    kept = _kept()
    return tuple(
        kept[name] if name in kept else FITS[name].coefficients()
    )  # a new one isn't in the file yet


@cache
def _kept() -> dict[str, list[float]]:
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def _expm1_tail(v: Array) -> Array:
    """(e^v - 1 - v) / v^2"""
    w = v.astype(np.longdouble)
    return np.asarray(sum(w ** (k - 2) / _factorial(k) for k in range(2, 26))).astype(np.float64)


def _log_tail(v: Array) -> Array:
    """(log(1 + v) - v + v^2/2) / v^3"""
    w = v.astype(np.longdouble)
    return np.asarray(sum((-1.0) ** k * w**k / (k + 3) for k in range(220))).astype(np.float64)


def _sin_tail(v: Array) -> Array:
    """(sin(sqrt v)/sqrt v - 1) / v"""
    w = np.sqrt(np.maximum(v, 1e-6).astype(np.longdouble))
    series = sum((-1.0) ** k * w ** (2 * k - 2) / _factorial(2 * k + 1) for k in range(1, 14))
    return np.asarray(series).astype(np.float64)


def _cos_tail(v: Array) -> Array:
    """(cos(sqrt v) - 1 + v/2) / v^2"""
    w = np.maximum(v, 1e-6).astype(np.longdouble)
    series = sum((-1.0) ** k * w ** (k - 2) / _factorial(2 * k) for k in range(2, 14))
    return np.asarray(series).astype(np.float64)


def _tanh_tail(v: Array) -> Array:
    """(tanh(sqrt v)/sqrt v - 1) / v"""
    w = np.sqrt(np.maximum(v, 1e-9).astype(np.longdouble))
    return np.asarray((np.tanh(w) / w - 1) / (w * w)).astype(np.float64)


def _erf_ratio(v: Array) -> Array:
    """erf(sqrt v) / sqrt v"""
    return np.array([math.erf(a) / a for a in np.sqrt(np.maximum(v, 1e-9))])


def _log_erfc(v: Array) -> Array:
    return np.array([math.log(math.erfc(a)) for a in v])


def _factorial(n: int) -> np.longdouble:
    return np.longdouble(np.prod(np.arange(1, n + 1, dtype=np.longdouble)))


FITS: Mapping[str, Fit] = {
    "exp.f32": exp_fit(5, 0),
    "exp.f64": exp_fit(12, 2),
    "expm1.f32": Fit(_expm1_tail, -EXP_LIMIT, EXP_LIMIT, 5),
    "expm1.f64": Fit(_expm1_tail, -EXP_LIMIT, EXP_LIMIT, 12),
    "log.f32": Fit(_log_tail, LOG_LOW, LOG_HIGH, 9),
    "log.f64": Fit(_log_tail, LOG_LOW, LOG_HIGH, 20),
    "sin.f32": Fit(_sin_tail, 0, SINE_LIMIT, 4),
    "sin.f64": Fit(_sin_tail, 0, SINE_LIMIT, 8),
    "cos.f32": Fit(_cos_tail, 0, SINE_LIMIT, 4),
    "cos.f64": Fit(_cos_tail, 0, SINE_LIMIT, 8),
    "tanh.f32": Fit(_tanh_tail, 1e-5, TANH_BORDER["f32"] ** 2, 5),
    "tanh.f64": Fit(_tanh_tail, 1e-5, TANH_BORDER["f64"] ** 2, 12),
    "erf-near.f32": Fit(_erf_ratio, 1e-6, ERF_BORDER**2, 7),
    "erf-far.f32": Fit(_log_erfc, ERF_BORDER, ERF_TOP, 10),
}
"""Each polynomial: what is fitted, where, and with how many terms."""


def write() -> None:
    """Fit everything again and keep it."""
    rows = {name: found.coefficients() for name, found in FITS.items()}
    FILE.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    write()
