"""Programs over finite fields: equal polynomials pass, wrong ones don't, the rest is reported."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from jaxtyping import Float32

from oxegg.certificate.computable import computed_results
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


def softmax(x: Float32[np.ndarray, "n=40"]) -> Any:
    e = np.exp(x - np.max(x))
    return e / np.sum(e)


def gelu(x: Float32[np.ndarray, "n=40"]) -> Any:
    return 0.5 * x * (1 + np.tanh(0.79788456 * (x + 0.044715 * x * x * x)))


def logarithms(x: Float32[np.ndarray, "n=40"]) -> Any:
    return np.log(x * x + 1)


def waves(x: Float32[np.ndarray, "n=40"]) -> Any:
    return np.sin(x) * np.cos(x)


def clipped(x: Float32[np.ndarray, "n=40"], y: Float32[np.ndarray, "n=40"]) -> Any:
    return np.where(x < y, np.abs(x - y), np.minimum(x * y, 1))


def inside(x: Float32[np.ndarray, "n=40"], y: Float32[np.ndarray, "n=40"]) -> Any:
    return (x * x + y * y < 4).astype(np.int32) + 1


def rounded(x: Float32[np.ndarray, "n=40"]) -> Any:
    return np.rint(x * 3).astype(np.int32) * 5


def total_of_rounded(x: Float32[np.ndarray, "n=40"]) -> Any:
    return np.sum(np.rint(x).astype(np.int32))


def looked_up(x: Float32[np.ndarray, "n=40"], table: Float32[np.ndarray, "m=16"]) -> Any:
    return table[np.clip(x.astype(np.int32), 0, 15)]


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


@pytest.mark.parametrize(
    ("function", "uninterpreted"),
    [
        (relu, {"maxnum"}),
        (root, {"sqrt"}),
        (softmax, {"add.i32", "maxnum", "mul.i32"}),
        (gelu, {"abs", "lt", "copysign", "mul.i32"}),
        (logarithms, {"sub.i32", "shr.i32", "lt"}),
        (waves, {"and.i32", "to_int"}),
        (clipped, {"abs", "lt"}),
        (inside, {"lt"}),
        (rounded, {"to_int"}),
    ],
)
def test_what_is_no_polynomial_agrees_with_what_the_program_computes(
    function: Callable[..., Any], uninterpreted: set[str]
):
    compiled = compile_kernel(lower(function), machine="ox-edge", peers=())
    run = compiled.search.best.runner.over
    verdict = field_check(compiled.kernel, run, computed_results(compiled.proof))
    assert (verdict.agrees, verdict.reason) == (True, "")
    assert verdict.points == 2 * 40
    assert uninterpreted <= set(verdict.functions)


@pytest.mark.parametrize("function", [total_of_rounded, looked_up])
def test_where_the_value_of_an_opaque_integer_matters(function: Callable[..., Any]):
    compiled = compile_kernel(lower(function), machine="ox-edge", peers=())
    run = compiled.search.best.runner.over
    verdict = field_check(compiled.kernel, run, computed_results(compiled.proof))
    assert verdict.agrees is None
    assert "has no meaning" in verdict.reason


@pytest.mark.parametrize("other", [1.0000001, 2.0])
def test_another_function_is_found(other: float):
    """An argument that is scaled a little, a polynomial's coefficient: not the same function."""

    def scaled_exponential(x: Float32[np.ndarray, "n=40"]) -> Any:
        return np.exp(x * np.float32(other))

    def exponential(x: Float32[np.ndarray, "n=40"]) -> Any:
        return np.exp(x)

    compiled = compile_kernel(lower(exponential), machine="ox-edge", peers=())
    run = on_machine(lower(scaled_exponential))
    verdict = field_check(compiled.kernel, run, computed_results(compiled.proof))
    assert verdict.agrees is False
    assert "uninterpreted functions" in verdict.reason


def test_operations_without_a_rational_value():
    verdict = field_check(lower(root), lambda inputs, domain: [])
    assert verdict.agrees is None
    assert "no exact rational value" in verdict.reason


def test_large_kernels_are_left_alone():
    verdict = field_check(lower(saxpy, sizes={"n": 100_000}), lambda inputs, domain: [])
    assert verdict.agrees is None
    assert "more than" in verdict.reason
