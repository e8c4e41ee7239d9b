"""Parameters: element types, axis names and sizes from annotations."""

# Kernels as users write them, without types for locals and lambdas.
# pyright: basic

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import BFloat16, Bool, Float32, Int8, UInt16

from oxegg.frontend import lower, reference


def layouts(function: Callable[..., Any], **sizes: int) -> dict[str, str]:
    kernel = lower(function, sizes=sizes)
    return {t.attributes[0]: " ".join(map(str, t.attributes[1])) for t in kernel.inputs}


def named(x: Float32[np.ndarray, "rows=4 cols"], y: Float32[np.ndarray, "cols=6"]):
    return x + y


def square(x: Float32[np.ndarray, "n=4 n"]):
    return x.T


def arithmetic(
    x: Float32[np.ndarray, "n+taps-1"],
    h: Float32[np.ndarray, "taps=3"],
    y: Float32[np.ndarray, "n=8 2*n 5"],
):
    return x.sum() + h.sum() + y


def static(
    x: Float32[np.ndarray, "n=4"], /, steps: int = 3, *, negate: bool = False, eps: float = 0.5
):
    for _ in range(steps):
        x = x * eps
    return -x if negate else x


def types(
    a: Bool[np.ndarray, "n=2"],
    b: BFloat16[np.ndarray, "n=2"],
    c: Int8[np.ndarray, "n"],
    d: UInt16[np.ndarray, ""],
):
    return a, b, c, d


def test_names_are_kept_and_shared() -> None:
    assert layouts(named) == {"x": "rows=4 cols=6", "y": "cols=6"}
    assert layouts(named, rows=9, cols=2) == {"x": "rows=9 cols=2", "y": "cols=2"}
    assert layouts(square) == {"x": "n=4 n_1=4"}


def test_sizes_may_be_expressions() -> None:
    assert layouts(arithmetic)["x"] == "n_1=10"
    assert layouts(arithmetic)["y"] == "n=8 n_2=16 d=5"
    assert layouts(arithmetic, n=3, taps=7)["x"] == "n_1=9"


def test_static_parameters(agree: Callable[..., Any]) -> None:
    agree(static)
    assert len(list(lower(static, sizes={"steps": 1}).outputs)) == 1
    three, one = (lower(static, sizes={"steps": s}).outputs[0].value for s in (3, 1))
    assert one in three.children[0].children  # two more products around the same one


def test_the_reference_binds_static_parameters() -> None:
    x = np.ones(4, np.float32)
    assert reference(static)(x)[0] == 0.125
    assert reference(static, {"steps": 1})(x)[0] == 0.5
    assert reference(named) is named


def test_a_checked_kernel_is_traced_without_its_checker() -> None:
    @functools.wraps(named)
    def checked(x: Any, y: Any) -> Any:
        assert isinstance(x, np.ndarray)
        return named(x, y)

    assert lower(checked) == lower(named)


def test_element_types() -> None:
    kernel = lower(types)
    assert [str(out.value.type) for out in kernel.outputs] == ["bool", "bf16", "i8", "u16"]
    assert [out.name for out in kernel.outputs] == ["out0", "out1", "out2", "out3"]


def test_parameters_are_restored_after_a_trace() -> None:
    lower(named)
    assert np.zeros is __import__("numpy").zeros
    assert isinstance(np.zeros(3), np.ndarray)
