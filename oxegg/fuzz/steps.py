"""The array operations that random kernels are made of: (x, y, a, b) -> a new array.

``x`` and ``y`` are arrays, ``a`` and ``b`` numbers that choose a variant. Every step looks only at
shapes and types, so it runs on arrays and on traced arrays alike; a step that makes no sense for
them gives ``x`` back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oxegg.fuzz import axis_steps as axes
from oxegg.fuzz import elementwise_steps as elements
from oxegg.fuzz import place_steps as places

StepFunction = Callable[[Any, Any, int, int], Any]

STEPS: tuple[StepFunction, ...] = (
    elements.unary, elements.binary, elements.binary, elements.binary, elements.with_number,
    elements.with_positions, elements.chosen, elements.function, elements.function,
    elements.clipped, elements.shifted, elements.divided, elements.cast,
    axes.reduced, axes.reduced, axes.normalized, axes.accumulated, axes.product, axes.product,
    axes.combined, axes.windows,
    places.reshaped, places.sliced, places.rearranged, places.rearranged, places.joined,
    places.padded, places.stored, places.taken, places.folded, places.folded,
)  # fmt: skip
