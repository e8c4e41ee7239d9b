"""Running a kernel both ways: under NumPy, and lowered through the reference evaluator."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from oxegg.frontend import lower
from oxegg.frontend.traced import tuple_of
from oxegg.ir import Kernel, Term, parse, run_kernel, to_text, topological

Function = Callable[..., Any]
Array = np.ndarray[Any, Any]


def kernel(function: Function, *annotations: Any) -> Function:
    """Give the first parameters of a (lambda) function their annotations."""
    names = function.__code__.co_varnames[: len(annotations)]
    function.__annotations__ = dict(zip(names, annotations, strict=True))
    return function


def sample(term: Term, rng: np.random.Generator) -> Array:
    """Random elements of an input: small, so that products and exponentials stay finite."""
    _, layout = term.attributes
    shape = [a.size for a in layout]
    if term.type.is_float:
        return np.asarray(rng.normal(size=shape) * 2).astype(term.type.numpy)
    low = max(term.type.minimum, -100)
    return np.asarray(rng.integers(low, min(term.type.maximum, 100), shape, endpoint=True)).astype(
        term.type.numpy
    )


def tolerance(dtype: np.dtype[Any]) -> float:
    """Room for another order of summation; none for integers."""
    return {"float64": 1e-12, "float32": 2e-5, "float16": 2e-2, "bfloat16": 1e-1}.get(dtype.name, 0)


def compare(got: Array, wanted: Array, loose: float) -> None:
    assert got.dtype == wanted.dtype
    assert got.shape == wanted.shape
    if tolerance(wanted.dtype):
        np.testing.assert_allclose(
            got.astype(np.float64), wanted.astype(np.float64), rtol=loose, atol=loose
        )
    else:
        np.testing.assert_array_equal(got, wanted)


def check_function(function: Function, seed: int = 0, **sizes: int) -> Kernel:
    """Lower, evaluate, compare with NumPy, and read the printed kernel back."""
    lowered = lower(function, sizes=sizes)
    rng = np.random.default_rng(seed)
    inputs = {t.attributes[0]: sample(t, rng) for t in lowered.inputs}
    with np.errstate(all="ignore"):
        result = function(*(x.copy() for x in inputs.values()))
    wanted: list[Array] = [np.asarray(r) for r in tuple_of(result)]
    got = run_kernel(lowered, inputs)
    terms = topological([out.value for out in lowered.outputs])
    loose = max(tolerance(term.type.numpy) for term in terms)
    assert len(got) == len(wanted)
    for g, w in zip(got, wanted, strict=True):
        compare(g, w, loose)
    assert parse(to_text(lowered)) == lowered
    return lowered


@pytest.fixture(name="agree", scope="session")
def agree_() -> Callable[..., Kernel]:
    """``agree(function, *annotations, **sizes)``."""

    def agree(function: Function, *annotations: Any, **sizes: int) -> Kernel:
        return check_function(kernel(function, *annotations) if annotations else function, **sizes)

    return agree
