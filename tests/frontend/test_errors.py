"""What can't be lowered says where, what and what to write instead."""

# Kernels as users write them, without types for locals and lambdas.
# pyright: basic

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jaxtyping import Float, Float32, Int32, UInt8

import oxegg
from oxegg.errors import LoweringError, UsageError
from oxegg.frontend import load_kernels, lower

X = Float32[np.ndarray, "n=100"]


def branches(x: X):
    if x.sum() > 0:
        return x
    return -x


def calls_float(x: X):
    return x * float(x[0])


def calls_int(x: X):
    return x[int(x[0])]


def python_minimum(x: X):
    return min(x[0], x[1])


def iterates(x: X):
    return [v + 1 for v in x]


def sorts(x: X):
    return np.sort(x)


def method_sorts(x: X):
    return x.argsort()


def boolean_mask(x: X):
    return x[x > 0]


def positions(x: X):
    return np.nonzero(x)


def one_armed_where(x: X):
    return np.where(x > 0)


def unequal_shapes(x: X):
    return x + x[:50]


def general_power(x: X):
    return x**x


def outside_array(x: X):
    return np.float32(x[0]) * x


def empty_slice(x: X):
    return x[50:50]


def out_of_bounds(x: X):
    return x[100]


def returns_nothing(x: X):
    x += 1


def returns_text(x: X):
    return "x"


def too_big_a_number(x: UInt8[np.ndarray, "n=4"]):
    return x + 300


def histogram_of_int32(x: Int32[np.ndarray, "n=4"]):
    return np.bincount(x, minlength=10)


def bad_reshape(x: X):
    return x.reshape(7, 7)


def stores_float_in_int(x: X):
    y = np.zeros(100, np.int32)
    y += x
    return y


def complex_numbers(x: X):
    return x * 1j


def own_bug(x: X):
    return x.shape[3]


def inverse_cosine(x: X):
    return np.arccos(x)


def data_dependent_slice(x: X):
    n = x.argmax()
    return x[n : n + x[0].astype(np.int32)]


def misspelt(x: X):
    return x.summ()  # pyright: ignore[reportAttributeAccessIssue]


def float_bits(x: X):
    return np.bitwise_xor.accumulate(x) + np.bitwise_or.reduce(x)


def range_of_truths(x: X):
    return np.ptp(x > 0)


def changing_state(x: X):
    return oxegg.fori(40, lambda i, s: np.concatenate([s, x]), x)


def draws_numbers(x: X):
    return x + np.random.rand(100).astype(np.float32)


def raises(x: X):
    raise NotImplementedError("not for this chip")


def endless(x: X):
    return endless(x)


def text_operand(x: X):
    return x + "1"  # pyright: ignore[reportOperatorIssue]


CASES: list[tuple[Callable[..., Any], str, str]] = [
    (branches, "the truth of a traced array", "np.where"),
    (calls_float, "float()", "np.exp instead of math.exp"),
    (calls_int, "int()", "astype"),
    (python_minimum, "the truth", "np.where"),
    (iterates, "loop over 100 rows", "oxegg.fori"),
    (sorts, "np.sort", "np.minimum"),
    (method_sorts, "np.argsort", "np.minimum"),
    (boolean_mask, "number of elements that depends on data", "np.where"),
    (positions, "np.nonzero", "np.where"),
    (one_armed_where, "one argument", "keeps the shape"),
    (unequal_shapes, "shapes (100,) and (50,)", ""),
    (general_power, "np.power", "np.exp(p * np.log(x))"),
    (outside_array, "plain numbers", "astype"),
    (empty_slice, "empty", ""),
    (out_of_bounds, "index 100", "from -100 to 99"),
    (returns_nothing, "returns nothing", "updated arrays included"),
    (returns_text, "returns a str", "arrays"),
    (too_big_a_number, "300 is out of bounds for uint8", "astype"),
    (histogram_of_int32, "depends on data", "uint8"),
    (bad_reshape, "(7, 7)", ""),
    (stores_float_in_int, "int32 can't hold", "astype"),
    (complex_numbers, "complex", ""),
    (own_bug, "IndexError", "NumPy"),
    (inverse_cosine, "np.arccos", "angle"),
    (data_dependent_slice, "slice bound depends on data", "np.arange"),
    (misspelt, "no attribute 'summ'", ""),
    (float_bits, "np.bitwise_xor is not defined on float32", ""),
    (range_of_truths, "np.subtract is not defined on bool", ""),
    (changing_state, "type or shape in every step", "initial"),
    (draws_numbers, "np.random", "pass the numbers"),
    (raises, "NotImplementedError: not for this chip", ""),
    (endless, "RecursionError", ""),
    (text_operand, "a str can't be an operand", "real numbers"),
]


@pytest.mark.parametrize(
    ("function", "message", "hint"), CASES, ids=lambda c: getattr(c, "__name__", "")
)
def test_refusals(function: Callable[..., Any], message: str, hint: str) -> None:
    with pytest.raises(LoweringError) as caught:
        lower(function)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert caught.value.where is not None
    file, _, line = caught.value.where.rpartition(":")
    first = function.__code__.co_firstlineno
    assert Path(file) == Path(__file__)
    assert first <= int(line) <= first + 4


def unknown_size(x: Float32[np.ndarray, "rows cols=4"]):
    return x


def no_arrays(n: int = 3):
    return n


def vague_type(x: Float[np.ndarray, "n=4"]):
    return x


def any_shape(x: Float32[np.ndarray, "..."]):
    return x


def python_float(x: X, eps: float):
    return x + eps


def not_annotated(x: X, y):
    return x + y


def two_sizes(x: Float32[np.ndarray, "n=4"], y: Float32[np.ndarray, "n=5"]):
    return x + y


def no_elements(x: Float32[np.ndarray, "n=0"]):
    return x


def too_large(x: Float32[np.ndarray, "n=300000000"]):
    return x + 1


@pytest.mark.parametrize(
    ("function", "message", "hint"),
    [
        (unknown_size, "size of axis rows is unknown", "--size rows="),
        (no_arrays, "no array parameter", "Float32[np.ndarray"),
        (vague_type, "no definite element type", "Float32"),
        (any_shape, "no definite size", "name each dimension"),
        (python_float, "eps is a Python float", 'Float32[np.ndarray, ""]'),
        (not_annotated, "y has no jaxtyping annotation", "Float32"),
        (two_sizes, "axis n has size 4 and size 5", "another name"),
        (no_elements, "empty", ""),
        (too_large, "x alone has 1,200,000,000", "--size"),
    ],
    ids=lambda c: getattr(c, "__name__", ""),
)
def test_signatures(function: Callable[..., Any], message: str, hint: str) -> None:
    with pytest.raises(LoweringError) as caught:
        lower(function)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert caught.value.where == f"{__file__}:{function.__code__.co_firstlineno}"


def test_sizes_that_no_axis_has() -> None:
    with pytest.raises(LoweringError, match="there is no axis m"):
        lower(unknown_size, sizes={"rows": 3, "m": 5})


def test_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        load_kernels(tmp_path / "none.py")
    broken = tmp_path / "broken.py"
    broken.write_text("import numpy as np\n\nx = 1 / 0\n")
    with pytest.raises(LoweringError, match=re.escape(f"{broken}:3: error: ZeroDivisionError")):
        load_kernels(broken)
    broken.write_text("x = (\n")
    with pytest.raises(LoweringError, match="SyntaxError"):
        load_kernels(broken)
    broken.write_text("def f(x):\n    return x\n")
    with pytest.raises(LoweringError, match="no kernel here"):
        load_kernels(broken)


FILE = """
from __future__ import annotations
import numpy as np
from jaxtyping import Float32

def _helper(x):
    y = np.zeros((2, 3), np.float32)
    y[0] = x
    return y

def first(x: Float32[np.ndarray, "n=3"]):
    return _helper(x)

def second(x: Float32[np.ndarray, "n"]):
    if x[0]:
        return x
"""


def test_kernels_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "kernels.py"
    path.write_text(FILE)
    assert list(load_kernels(path)) == ["first", "second"]
    assert lower(path, "first").outputs[0].value.axes[1].name == "part"
    assert lower(f"{path}:first").name == "first"
    with pytest.raises(LoweringError, match=re.escape(f"{path}:15: error: the truth")):
        lower(path, "second", {"n": 5})
    with pytest.raises(UsageError, match="which kernel"):
        lower(path)
    with pytest.raises(UsageError, match="there is no kernel third"):
        lower(path, "third")
    with pytest.raises(UsageError, match="_helper is no kernel: none of its parameters"):
        lower(path, "_helper")


def test_helpers_in_another_file_are_traced_too(tmp_path: Path, monkeypatch: Any) -> None:
    helper = "import numpy\n\ndef framed(x):\n    y = numpy.zeros(len(x) + 2, x.dtype)\n"
    (tmp_path / "framing_helper.py").write_text(helper + "    y[1:-1] = x\n    return y\n")
    path = tmp_path / "framed.py"
    text = FILE.replace("import numpy as np", "import numpy as np\nimport framing_helper")
    path.write_text(text.replace("return _helper(x)", "return framing_helper.framed(x)"))
    monkeypatch.syspath_prepend(tmp_path)
    assert lower(path, "first").outputs[0].layout[0].size == 5
