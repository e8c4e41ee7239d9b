"""Loop nests that the search finds for shapes that users write."""

# Kernels as users write them, without types for locals.
# pyright: basic

from typing import Any

import numpy as np
from jaxtyping import Float32
from numpy.lib.stride_tricks import sliding_window_view

import oxegg

Array = np.ndarray[Any, Any]


def test_a_short_sum_in_one_iteration_is_a_chain_of_multiply_adds() -> None:
    """Iterations overlap: partial sums would only need additions at the end."""

    def blur(image: Float32[Array, "m=66 n=66"], taps: Float32[Array, "t=3"]):
        rows = (sliding_window_view(image, 3, axis=1) * taps).sum(axis=-1)
        return (sliding_window_view(rows, 3, axis=0) * taps).sum(axis=-1)

    compiled = oxegg.compile(blur, machine="ox-card")
    assert compiled.report["correct"] is True
    assert "vfmacc.vf" in compiled.assembly
    assert "vfadd" not in compiled.assembly
