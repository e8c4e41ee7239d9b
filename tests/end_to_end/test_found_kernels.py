"""Kernels that random programs found refused or wrong, one for each cause."""

# Kernels as users write them, without types for locals and lambdas.
# pyright: basic

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from jaxtyping import BFloat16, Bool, Float32, Float64, UInt32

import oxegg
from oxegg.costmodels import load_machine
from oxegg.errors import LoweringError
from oxegg.frontend import lower
from oxegg.fuzz.variants import variants
from oxegg.verify import check, input_sets
from oxegg.verify.check import Mode

Array = np.ndarray[Any, Any]
ROWS = Float32[Array, "a=8 b=13"]
TRUTHS = Bool[Array, "a=17"]
VARIANTS = 2

CASES: dict[str, tuple[Mode, Callable[..., Any], tuple[Any, ...]]] = {
    "element of truth values": ("exact", lambda x: x[0], (Bool[Array, "a=1"],)),
    "select of truth values": ("exact", lambda x, y: np.where(x, y, ~x), (TRUTHS, TRUTHS)),
    "sum over a running sum along another axis": (
        "real", lambda x: np.cumsum(x, axis=0).max(axis=1), (ROWS,),
    ),
    "running sums along two axes": (
        "real", lambda x: np.cumsum(np.cumsum(x, axis=0), axis=1), (ROWS,),
    ),
    "concatenations of concatenations along axes of one name": (
        "exact", lambda x: np.pad(x, 2, mode="edge"), (ROWS,),
    ),
    "cosine of large numbers": ("real", lambda x: np.cos(x * 1e9), (Float64[Array, "a=17"],)),
    "remainder in bfloat16": (
        "exact", lambda x: (x // 0.75, np.remainder(x, 3)), (BFloat16[Array, "a=17"],),
    ),
    "small differences of logarithms and powers": (
        "real", lambda x: np.sinh(x) + np.log1p(np.expm1(np.abs(x))), (ROWS,),
    ),
    "more arrays than argument registers": (
        "exact", lambda x: (*[x[i] + i for i in range(8)], x.T), (ROWS,),
    ),
    "u32 and its low half": (
        "exact", lambda x: (x.astype(np.uint16), x.astype(np.int32).astype(np.uint16)),
        (UInt32[Array, "a=17"],),
    ),
    "loop with a reciprocal of its state": (
        "real",
        lambda x: oxegg.fori(4, lambda _, s: 0.5 * (s + np.abs(x) / s), np.ones_like(x)),
        (ROWS,),
    ),
    "loop with states over different axes": (
        "exact",
        lambda x: oxegg.fori(4, lambda i, s, k: (s * k + x[i], k + i), (x[0], np.float32(1))),
        (ROWS,),
    ),
    "loop whose steps are matrix products": (
        "real", lambda x: oxegg.fori(3, lambda _, s: s @ x, x), (Float32[Array, "a=5 b=5"],),
    ),
    "loop whose steps are stencils": (
        "real",
        lambda x: oxegg.fori(3, lambda _, s: np.pad(s[:, 1:-1] + s[:, 2:] + s[:, :-2], 1)[1:-1], x),
        (ROWS,),
    ),
    "loop that normalizes its state": (
        "real", lambda x: oxegg.fori(3, lambda _, s: s / (np.abs(s).sum() + 1), x), (ROWS,),
    ),
    "loop whose steps are longer each": (
        "exact", lambda x: oxegg.fori(3, lambda i, s: np.concatenate([s, s + i]), x), (ROWS,),
    ),
    "slices of a concatenation of computed parts": (
        "exact", lambda x: np.concatenate([x * 2, -x], axis=1)[:, 9:21:2], (ROWS,),
    ),
}  # fmt: skip
REFUSED: dict[str, tuple[Callable[..., Any], str]] = {
    "matrix power": (
        lambda x: oxegg.fori(40, lambda _, s: s @ x, x), "reads other elements of its state"
    ),
    "stencil": (
        lambda x: oxegg.fori(40, lambda _, s: s + np.roll(s, 1), x), "reads other elements",
    ),
    "normalized": (
        lambda x: oxegg.fori(40, lambda _, s: s / (s.sum() + 1), x), "sum over its whole state"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_found(name: str) -> None:
    mode, function, annotations = CASES[name]
    names = function.__code__.co_varnames[: len(annotations)]
    function.__annotations__ = dict(zip(names, annotations, strict=True))
    kernel = lower(function)
    sets = input_sets(kernel)[:2]
    tried = variants(kernel, load_machine("ox-tiny"), mode, random.Random(1), VARIANTS)
    for variant in tried:
        verdict = check(kernel, variant.runner, mode=mode, sets=sets)
        assert verdict.correct, f"{variant}: {verdict.failures[0]}"


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    function, message = REFUSED[name]
    function.__annotations__ = {"x": Float32[Array, "a=8 b=8"]}
    with pytest.raises(LoweringError, match=message) as refused:
        oxegg.compile(function, machine="ox-tiny", peers=())
    assert "write the loop in Python" in (refused.value.hint or "")


def test_more_float_scalars_than_registers() -> None:
    names = [f"x{i}" for i in range(9)]
    namespace: dict[str, Any] = {}
    exec(f"def many({', '.join(names)}):\n    return {' + '.join(names)}", namespace)
    namespace["many"].__annotations__ = dict.fromkeys(names, Float32[Array, ""])
    with pytest.raises(LoweringError, match="9 floating-point scalar parameters"):
        oxegg.compile(namespace["many"], machine="ox-tiny", peers=())
