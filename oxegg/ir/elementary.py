"""Elementary functions: the reference values that polynomials and hardware are held against.

Values are computed two formats up (float64 for 16- and 32-bit formats, extended precision for
float64 where the platform has it) and rounded once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def _sigmoid(x: Array) -> Array:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def _gelu(x: Array) -> Array:
    """Gaussian error linear unit, the exact form x * Phi(x)."""
    return x * 0.5 * _erfc(-x / math.sqrt(2.0))


_erf = np.vectorize(math.erf, otypes=[np.float64])
_erfc = np.vectorize(math.erfc, otypes=[np.float64])

FUNCTIONS: dict[str, Callable[[Array], Any]] = {
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "log": np.log,
    "log2": np.log2,
    "log1p": np.log1p,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "erf": _erf,
    "sigmoid": _sigmoid,
    "gelu": _gelu,
    "rsqrt": lambda x: 1 / np.sqrt(x),
}
_DOUBLE_ONLY = {"erf", "gelu"}  # computed by the C library, in double


def evaluate(name: str) -> Callable[[Array], Array]:
    """The function ``name`` on arrays of any float format, rounded once to that format."""
    function = FUNCTIONS[name]

    def rounded(x: Array) -> Array:
        x = np.asarray(x)
        extended = x.dtype.itemsize >= 8 and name not in _DOUBLE_ONLY
        wide = x.astype(np.longdouble if extended else np.float64)
        with np.errstate(all="ignore"):
            return np.asarray(function(wide)).astype(x.dtype)

    return rounded
