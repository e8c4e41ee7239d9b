"""Shrinking an extraction problem before it is solved, without losing the optimum."""

from __future__ import annotations

import math
import time

from oxegg.extraction.reduction.dominance import prune
from oxegg.extraction.reduction.residual import Option, Residual
from oxegg.extraction.reduction.rules import (
    drop_parallel,
    drop_unbuildable,
    drop_unreachable,
    drop_uses_of_sole_root,
    inline,
    take_free_leaves,
)

__all__ = ["Option", "Residual", "reduce", "tidy"]

_WIDEST = 64


def reduce(residual: Residual, deadline: float) -> None:
    """Apply all rules in place until options stop going, or until ``deadline``.

    ``deadline`` is on the clock of ``time.perf_counter``; stopping early is harmless. Afterwards
    either the residual is hopeless or every class left is needed by some choice.
    """
    before = math.inf
    _clean(residual)
    if not residual.hopeless:
        # Must-sets are quadratic in classes, so what is easily inlined goes first.
        while time.perf_counter() < deadline and inline(residual, deadline, widest=_WIDEST):
            pass
        _clean(residual)
    while (
        residual.options
        and not residual.hopeless
        and residual.size < before
        and time.perf_counter() < deadline
    ):
        before = residual.size
        take_free_leaves(residual)
        drop_parallel(residual)
        prune(residual, deadline)
        while time.perf_counter() < deadline and inline(residual, deadline):
            pass
        _clean(residual)


def tidy(residual: Residual) -> None:
    """The rules that take linear time: enough for most e-graphs before a first proof."""
    _clean(residual)
    if not residual.hopeless:
        take_free_leaves(residual)
        drop_parallel(residual)


def _clean(residual: Residual) -> None:
    drop_uses_of_sole_root(residual)
    drop_unbuildable(residual)
    if not residual.hopeless:
        drop_unreachable(residual)
