"""oxegg: hot NumPy kernels become the best machine code that a given chip can run.

>>> import oxegg
>>> fast = oxegg.compile("examples/suite/elementwise.py:saxpy", machine="ox-card")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oxegg.frontend import constant as constant
    from oxegg.frontend import fori as fori
    from oxegg.frontend import lower as lower
    from oxegg.search import CompiledKernel as CompiledKernel
    from oxegg.search import bench as bench
    from oxegg.search import compile as compile
    from oxegg.search import compile_for as compile_for
    from oxegg.search import crossover as crossover

__version__ = "0.1.0"

_HOMES = {
    "constant": "oxegg.frontend",
    "fori": "oxegg.frontend",
    "lower": "oxegg.frontend",
    "CompiledKernel": "oxegg.search",
    "bench": "oxegg.search",
    "compile": "oxegg.search",
    "compile_for": "oxegg.search",
    "crossover": "oxegg.search",
}
__all__ = [
    "CompiledKernel", "__version__", "bench", "compile", "compile_for", "constant", "crossover",
    "fori", "lower",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that ``import oxegg`` stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'oxegg' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
