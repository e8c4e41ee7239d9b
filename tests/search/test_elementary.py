"""Elementary functions take no more of the vector unit than their polynomials."""

import numpy as np
from jaxtyping import Float32

from oxegg.search.api import compile_kernel

LANES_PER_CYCLE = 8  # f32 on ox-card


def exponential(x: Float32[np.ndarray, "n=768"]):
    return np.exp(x)


def weights(x: Float32[np.ndarray, "rows=2 n=512"]):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def test_constants_that_multiply_adds_overwrite_are_loaded_not_copied() -> None:
    compiled = compile_kernel(exponential, machine="ox-card", effort="quick", peers=())
    # Two clamps, n and r by 4 instructions, a polynomial of degree 5, 2^n by 2.
    operations = 2 + 4 + 5 + 2
    assert compiled.report["correct"]
    assert compiled.report["cycles"] < 1.05 * operations * 768 / LANES_PER_CYCLE
    assert "vmv1r.v" not in compiled.assembly


def test_a_softmax_needs_no_clamp_above() -> None:
    compiled = compile_kernel(weights, machine="ox-card", effort="quick", peers=())
    assert compiled.report["correct"]
    assert "vfmin.vf" not in compiled.assembly
    assert "reductions.exp-below-maximum-f32" in compiled.report["rules"]
