"""What to write instead of NumPy functions that can't be lowered."""

from __future__ import annotations

from difflib import get_close_matches

from oxegg.errors import LoweringError
from oxegg.frontend.traced import HANDLERS

_SORTING = (
    "the order of data is not known while compiling; for a few columns use np.minimum/np.maximum"
)
_COUNTING = "the size of the result depends on data; keep the shape and use np.where"
_SOLVING = "write the few steps with elementwise operations, or a loop with oxegg.fori"
_TRANSFORM = "write it as a matrix product or as butterflies"
_GROUPS: dict[str, tuple[str, ...]] = {
    _SORTING: (
        *("sort", "argsort", "partition", "argpartition", "median", "percentile", "quantile"),
        *("searchsorted", "digitize", "lexsort"),
    ),
    _COUNTING: (
        *("nonzero", "flatnonzero", "argwhere", "unique", "compress", "extract", "delete"),
        *("setdiff1d", "union1d", "intersect1d"),
    ),
    _SOLVING: ("inv", "solve", "det", "svd", "eig", "eigh", "qr", "cholesky", "lstsq"),
    _TRANSFORM: ("fft", "ifft", "rfft", "irfft"),
}
_HINTS: dict[str, str] = {
    **{name: hint for hint, names in _GROUPS.items() for name in names},
    "histogram": "for uint8 data use np.bincount(x, minlength=256)",
    "interp": "compute the cell by index arithmetic and use np.take",
    "tolist": "leave it out: results are arrays",
    "tobytes": "leave it out: results are arrays",
    "resize": "use np.tile or np.pad",
    "put": "assign to slices, or use np.where",
    "place": "use np.where",
    "allclose": "return the arrays and compare outside of the kernel",
    "array_equal": "use (a == b).all()",
    "apply_along_axis": "call the function on whole arrays with axis=",
    "random": "draw outside of the kernel and pass the numbers as a parameter",
    "vectorize": "call the function on whole arrays",
}


def cant_lower(name: str) -> LoweringError:
    """The refusal of one NumPy function, with the way out."""
    hint = _HINTS.get(name)
    if hint is None:
        known = sorted({f.__name__ for f in HANDLERS})
        near = get_close_matches(name, known, 3, 0.7)
        hint = "write it with elementwise functions, reductions, indexing and np.where"
        if near:
            hint = f"close to it are np.{', np.'.join(near)}"
    return LoweringError(f"np.{name} can't be lowered", hint=hint)
