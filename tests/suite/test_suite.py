"""Every row of the kernel suite lowers and means what NumPy computes."""

from typing import Any

import numpy as np
import pytest

from oxegg.frontend.suite import SuiteRow, load_suite
from oxegg.frontend.traced import tuple_of
from oxegg.ir import Kernel, run_kernel

ROWS = load_suite()


def arguments(row: SuiteRow, kernel: Kernel) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(sum(row.name.encode()))
    out: dict[str, np.ndarray] = {}
    for term in kernel.inputs:
        name, layout = term.attributes
        shape = [a.size for a in layout]
        if term.type.is_float:
            values = rng.normal(size=shape)
        else:
            span = min(term.type.maximum, 1000)
            values = rng.integers(max(term.type.minimum, -span), span, shape, endpoint=True)
        out[name] = values.astype(term.type.numpy)
    return out


def expected(row: SuiteRow, inputs: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    result: Any = row.reference()(**inputs)
    return tuple(map(np.asarray, tuple_of(result)))


def test_there_are_81_rows_with_different_names() -> None:
    assert len(ROWS) == 81
    assert len({row.name for row in ROWS}) == 81


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row_equals_numpy(row: SuiteRow) -> None:
    kernel = row.lower()
    assert kernel.name == row.name
    inputs = arguments(row, kernel)
    wanted = expected(row, inputs)
    got = run_kernel(kernel, inputs)
    assert [(g.dtype, g.shape) for g in got] == [(w.dtype, w.shape) for w in wanted]
    for g, w in zip(got, wanted, strict=True):
        if w.dtype.kind == "f":
            np.testing.assert_allclose(g, w, rtol=2e-4, atol=2e-4)
        else:
            np.testing.assert_array_equal(g, w)
