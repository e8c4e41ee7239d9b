"""Kernels in: plain NumPy functions become terms of the tensor algebra."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from oxegg.frontend.files import find_kernel, load_kernels
from oxegg.frontend.fori import fori
from oxegg.frontend.lower import reference, trace
from oxegg.frontend.signature import constant
from oxegg.ir import Kernel

__all__ = ["constant", "find_kernel", "fori", "load_kernels", "lower", "reference", "trace"]


def lower(
    source: Callable[..., Any] | str | Path,
    kernel: str | None = None,
    sizes: Mapping[str, int] | None = None,
) -> Kernel:
    """Lower a NumPy function, or a kernel of a file (``"softmax.py:softmax"``).

    ``sizes`` gives axis sizes and static integer parameters, over those in the annotations.
    Raises :class:`oxegg.errors.LoweringError` with the place and the way out.
    """
    function = find_kernel(source, kernel) if isinstance(source, str | Path) else source
    return trace(function, sizes, kernel)
