"""Shrinking an extraction problem before it is solved, without losing the optimum."""

from __future__ import annotations

import time

from oxegg.extraction.reduction.dominance import prune
from oxegg.extraction.reduction.residual import Option, Residual
from oxegg.extraction.reduction.rules import (
    drop_unbuildable,
    drop_unreachable,
    drop_uses_of_sole_root,
    inline,
    take_free_leaves,
)

__all__ = ["Option", "Residual", "reduce"]


def reduce(residual: Residual, deadline: float) -> None:
    """Apply all rules in place until none changes anything, or until ``deadline``.

    ``deadline`` is on the clock of ``time.perf_counter``; stopping early is harmless.
    """
    changed = True
    while changed and residual.options and time.perf_counter() < deadline:
        drop_unbuildable(residual)
        if residual.hopeless:
            return
        drop_unreachable(residual)
        changed = drop_uses_of_sole_root(residual)
        changed |= take_free_leaves(residual)
        drop_unbuildable(residual)
        drop_unreachable(residual)
        if residual.hopeless or not residual.options:
            return
        changed |= prune(residual)
        drop_unbuildable(residual)
        if residual.hopeless:
            return
        drop_unreachable(residual)
        while inline(residual):
            changed = True
            drop_unreachable(residual)
