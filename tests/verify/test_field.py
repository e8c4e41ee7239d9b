"""Programs over finite fields: equal polynomials pass, wrong ones don't, the rest is reported."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from jaxtyping import Float32

from oxegg.frontend import lower
from oxegg.ir import Kernel
from oxegg.search.api import compile_kernel
from oxegg.sim.domain import Domain
from oxegg.verify.field import field_check

Array = npt.NDArray[Any]


def saxpy(
    a: Float32[np.ndarray, ""], x: Float32[np.ndarray, "n=40"], y: Float32[np.ndarray, "n=40"]
) -> Any:
    return a * x + y


def dot(x: Float32[np.ndarray, "n=200"], y: Float32[np.ndarray, "n=200"]) -> Any:
    return np.sum(x * y)


def distributed(x: Float32[np.ndarray, "n=40"], y: Float32[np.ndarray, "n=40"]) -> Any:
    return x * y + x * (y + 0.5) - y / 4


def determinant(m: Float32[np.ndarray, "3 3"]) -> Any:
    return (
        m[0, 0] * (m[1, 1] * m[2, 2] - m[1, 2] * m[2, 1])
        - m[0, 1] * (m[1, 0] * m[2, 2] - m[1, 2] * m[2, 0])
        + m[0, 2] * (m[1, 0] * m[2, 1] - m[1, 1] * m[2, 0])
    )


def relu(x: Float32[np.ndarray, "n=40"]) -> Any:
    return np.maximum(x, 0)


def root(x: Float32[np.ndarray, "n=40"]) -> Any:
    return np.sqrt(x * x + 1)


def on_machine(kernel: Kernel) -> Callable[[list[Array], Domain], Sequence[Array]]:
    return compile_kernel(kernel, machine="ox-edge", peers=()).search.best.runner.over


@pytest.mark.parametrize("function", [saxpy, dot, distributed, determinant])
def test_compiled_polynomials_agree(function: Callable[..., Any]):
    kernel = lower(function)
    verdict = field_check(kernel, on_machine(kernel))
    assert (verdict.agrees, verdict.reason) == (True, "")
    assert verdict.points == 2 * (1 if function in (dot, determinant) else 40)


def test_another_polynomial_is_found():
    kernel, other = lower(saxpy), lower(scaled)
    verdict = field_check(kernel, on_machine(other))
    assert verdict.agrees is False
    assert "differs over GF(" in verdict.reason


def scaled(
    a: Float32[np.ndarray, ""], x: Float32[np.ndarray, "n=40"], y: Float32[np.ndarray, "n=40"]
) -> Any:
    return a * x + y * 1.0000001


def test_comparisons_have_no_meaning():
    kernel = lower(relu)
    verdict = field_check(kernel, on_machine(kernel))
    assert verdict.agrees is None
    assert "a comparison has no meaning over GF(" in verdict.reason


def test_operations_without_a_rational_value():
    verdict = field_check(lower(root), lambda inputs, domain: [])
    assert verdict.agrees is None
    assert "no exact rational value" in verdict.reason


def test_large_kernels_are_left_alone():
    verdict = field_check(lower(saxpy, sizes={"n": 100_000}), lambda inputs, domain: [])
    assert verdict.agrees is None
    assert "more than" in verdict.reason
