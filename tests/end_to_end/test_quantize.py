"""Floats to narrow integers: the ways users write it, against NumPy and in few instructions."""

# Kernels as users write them, without types for locals and lambdas.
# pyright: basic

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from jaxtyping import Float16, Float32, Float64, Int16, UInt8

import oxegg

Array = np.ndarray[Any, Any]
Kernel = Callable[[Array], Array]
FLOATS = Float32[Array, "n=999"]

QUANTIZE: dict[str, tuple[Kernel, Any]] = {
    "rounded, then clipped": (
        lambda x: np.clip(np.rint(x * 17.3), -128, 127).astype(np.int8), FLOATS,
    ),
    "clipped, then rounded": (
        lambda x: np.rint(np.clip(x * 17.3, 0, 255)).astype(np.uint8), FLOATS,
    ),
    "minimum and maximum": (
        lambda x: np.minimum(np.maximum(np.rint(x * 900), -32768), 32767).astype(np.int16), FLOATS,
    ),
    "other limits": (lambda x: np.clip(np.rint(x * 17.3), -127, 127).astype(np.int8), FLOATS),
    "truncated": (lambda x: np.clip(x * 17.3, -128, 127).astype(np.int8), FLOATS),
    "from float64": (
        lambda x: np.clip(np.rint(x * 17.3), -128, 127).astype(np.int8), Float64[Array, "n=999"],
    ),
    "from float16": (
        lambda x: np.clip(np.rint(x * 17.3), -128, 127).astype(np.int8), Float16[Array, "n=999"],
    ),
    "integers": (lambda x: np.clip(x, -128, 127).astype(np.int8), Int16[Array, "n=999"]),
}  # fmt: skip


@pytest.mark.parametrize("name", QUANTIZE)
def test_vectors_quantize(name: str) -> None:
    function, annotation = QUANTIZE[name]
    compiled = oxegg.compile(_named(function, annotation), machine="x60")
    assert compiled.report["correct"] is True
    assert compiled.report["instructions"] < 999, "less than one instruction an element"
    x = np.random.default_rng(1).normal(0, 9, 999).astype(_type(annotation))
    np.testing.assert_array_equal(compiled(x), function(x))


@pytest.mark.parametrize(
    ("name", "instruction"),
    [
        ("rounded, then clipped", "vnclip.wi"),
        ("clipped, then rounded", "vnclipu.wi"),
        ("minimum and maximum", "vfncvt.x.f.w"),
        ("integers", "vnclip.wi"),
    ],
)
def test_one_instruction_clips(name: str, instruction: str) -> None:
    function, annotation = QUANTIZE[name]
    assert instruction in oxegg.compile(_named(function, annotation), machine="x60").assembly


Pixels = UInt8[Array, "n=500"]


def blended(front: Pixels, back: Pixels, alpha: Pixels):
    a = alpha.astype(np.uint16)
    return ((front * a + back * (255 - a) + 128) >> 8).astype(np.uint8)


def test_pixels_are_blended_in_their_own_width() -> None:
    """255 - a is a complement, products widen as they accumulate, the shift narrows."""
    compiled = oxegg.compile(blended, machine="ox-card", peers=())
    assert compiled.report["correct"] is True
    for instruction in ("vxor.vi", "vwmaccu.vv", "vnsrl.wi"):
        assert instruction in compiled.assembly
    assert "vzext.vf2" not in compiled.assembly


def _named(function: Kernel, annotation: Any) -> Kernel:
    def quantize(x: Array) -> Array:
        return function(x)

    quantize.__annotations__ = {"x": annotation}
    return quantize


def _type(annotation: Any) -> str:
    return annotation.dtypes[0]
