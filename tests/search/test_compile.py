"""``oxegg.compile`` from a NumPy function to checked machine code."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jaxtyping import Float32, Int8, Int32, UInt32

import oxegg
from oxegg.errors import LoweringError, MachineError, UsageError
from oxegg.search import api

Function = Callable[..., Any]
V7: Any = Float32[np.ndarray, "n=7"]
V3: Any = Float32[np.ndarray, "m=3"]
ROWS: Any = Float32[np.ndarray, "r=3 c=17"]
LEFT: Any = Float32[np.ndarray, "i=3 k=7"]
RIGHT: Any = Float32[np.ndarray, "k=7 j=5"]
BYTES: Any = Int8[np.ndarray, "n=17"]
WORDS: Any = UInt32[np.ndarray, "n=40"]
INTS: Any = Int32[np.ndarray, "n=17"]
INDEX: Any = Int32[np.ndarray, "m=5"]
LINE: Any = Float32[np.ndarray, "n"]


def typed(**annotations: Any) -> Callable[[Function], Function]:
    """Array types of the parameters (type checkers can't read them in the signature)."""

    def annotate(function: Function) -> Function:
        function.__annotations__.update(annotations)
        return function

    return annotate


@typed(x=V7, y=V7)
def dot(x: Any, y: Any) -> Any:
    return np.dot(x, y)


@typed(a=LEFT, b=RIGHT)
def matmul(a: Any, b: Any) -> Any:
    return a @ b


@typed(x=ROWS)
def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@typed(x=V7, y=V7)
def where(x: Any, y: Any) -> Any:
    select: Any = np.where  # its overloads leave the result's type unknown
    return select(x < y, x, 2 * y)


@typed(x=BYTES, y=BYTES)
def int8_dot(x: Any, y: Any) -> Any:
    return np.sum(x.astype(np.int32) * y.astype(np.int32), dtype=np.int32)


@typed(x=INTS)
def running(x: Any) -> Any:
    return np.cumsum(x, dtype=np.int32)


@typed(x=ROWS)
def transposed(x: Any) -> Any:
    return x.T + 1


@typed(x=V7, y=V3)
def joined(x: Any, y: Any) -> Any:
    return np.concatenate([x, y])


@typed(x=INTS, i=INDEX)
def taken(x: Any, i: Any) -> Any:
    return np.take(x, i)


@typed(x=LINE)
def shifted(x: Any) -> Any:
    return x * x + 1


@typed(x=LINE)
def total(x: Any) -> Any:
    return np.sum(x)


def values(compiled: oxegg.CompiledKernel) -> list[np.ndarray[Any, Any]]:
    """Small numbers of the parameters' types: also valid positions for a gather."""
    random = np.random.default_rng(7)
    found: list[np.ndarray[Any, Any]] = []
    for term in compiled.kernel.inputs:
        shape, type_ = tuple(a.size for a in term.attributes[1]), term.type.numpy
        drawn = random.integers(0, 17, shape)
        found.append((drawn / 8 if term.type.is_float else drawn).astype(type_))
    return found


def same(compiled: oxegg.CompiledKernel, function: Function) -> None:
    arguments = values(compiled)
    result, expected = compiled(*arguments), np.asarray(function(*arguments))
    assert result.shape == expected.shape
    assert result.dtype == expected.dtype
    tolerance = 1e-5 if expected.dtype.kind == "f" else 0
    np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance)


CASES = [
    (dot, "ox-tiny"), (matmul, "x60"), (softmax, "x280"), (where, "ox-tiny"), (int8_dot, "x60"),
    (running, "x280"), (transposed, "ox-tiny"), (joined, "x60"), (taken, "x280"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "machine"), CASES)
def test_compiled_kernels_compute_what_numpy_computes(function: Function, machine: str) -> None:
    compiled = oxegg.compile(function, machine=machine, peers=(), seconds=0.2)
    assert compiled.report["correct"] is True
    assert compiled.report["failures"] == []
    assert compiled.report["machine"] == machine
    same(compiled, function)


@pytest.mark.parametrize("size", [1, 3, 17, 100])
@pytest.mark.parametrize("function", [shifted, total])
def test_sizes_with_tails(function: Function, size: int) -> None:
    compiled = oxegg.compile(function, machine="ox-tiny", peers=(), seconds=0.2, sizes={"n": size})
    assert compiled.report["correct"] is True
    assert compiled.report["size"] == {"n": size}
    same(compiled, function)


FIELDS: dict[str, Any] = {
    "kernel": str, "size": dict, "machine": str, "mode": str, "place": str, "correct": bool,
    "error_over_bound": float, "field_check": (bool, type(None)), "cycles": (int, float),
    "instructions": int, "cycles_generic": (int, float), "instructions_generic": int,
    "roofline_cycles": (int, float), "lower_bound_cycles": (int, float),
    "predicted_cycles": (int, float), "cycles_peer": dict, "instructions_peer": dict,
    "extraction": dict, "loops": list, "egraph": dict, "engines": dict, "rules": list,
    "seconds": dict, "peak_memory_mb": int,
}  # fmt: skip
PARTS = {
    "extraction": {"cost", "bound", "status", "method", "seconds"},
    "egraph": {"nodes", "classes", "stopped_by"},
    "engines": {"scalar", "vector", "tensor", "near_memory", "dma"},
    "seconds": {"lower", "saturate", "extract", "simulate", "total"},
}
LOOP = {"label", "instructions", "ii", "bound", "status", "seconds"}


@pytest.fixture(scope="module")
def compiled() -> oxegg.CompiledKernel:
    return oxegg.compile(shifted, machine="x60", sizes={"n": 1000})


def test_report_has_the_promised_fields(compiled: oxegg.CompiledKernel) -> None:
    report = compiled.report
    for name, kind in FIELDS.items():
        assert isinstance(report[name], kind), name
    for name, parts in PARTS.items():
        assert parts <= set(report[name]), name
    assert report["loops"]
    assert all(set(loop) >= LOOP for loop in report["loops"])
    assert report["extraction"]["bound"] <= report["extraction"]["cost"]
    assert all(0 <= share <= 1 for share in report["engines"].values())


def test_report_is_consistent(compiled: oxegg.CompiledKernel) -> None:
    report = compiled.report
    assert 0 < report["roofline_cycles"] <= report["cycles"] <= report["cycles_generic"]
    assert 0 <= report["error_over_bound"] <= 1
    assert report["cycles"] in {trial["cycles"] for trial in report["tried"]}


def test_unmeasured_fields_are_null() -> None:
    report = oxegg.compile(shifted, machine="x60", peers=(), seconds=0.2, sizes={"n": 3}).report
    assert report["cycles_generic"] is None
    assert report["instructions_generic"] is None


def test_write_makes_exactly_its_files(
    compiled: oxegg.CompiledKernel, tmp_path: Path
) -> None:
    compiled.write(tmp_path / "new" / "out")
    kernel = {f"shifted.{suffix}" for suffix in ("s", "o", "h", "elf")}
    files = {p.name: p.read_bytes() for p in (tmp_path / "new" / "out").iterdir()}
    documents = {"report.json", "report.html", "certificate.json", "machine.toml"}
    assert set(files) == kernel | documents
    assert all(files.values())
    assert files["shifted.o"].startswith(b"\x7fELF")
    assert files["shifted.elf"].startswith(b"\x7fELF")


def test_compiling_twice_gives_the_same_bytes(compiled: oxegg.CompiledKernel) -> None:
    again = oxegg.compile(shifted, machine="x60", sizes={"n": 1000})
    assert again.object_bytes == compiled.object_bytes
    assert again.assembly == compiled.assembly
    assert again.report["cycles"] == compiled.report["cycles"]


@typed(x=WORDS)
def chain(x: Any) -> Any:
    for step in range(70):
        x = (x ^ (x >> 1)) + np.uint32(3 * step)
    return x


def test_a_long_chain_of_operations_compiles() -> None:
    """Deeper than any fixed number of rounds of demands, with more constants than registers."""
    long = oxegg.compile(chain, machine="ox-card", peers=())
    assert long.report["correct"] is True
    x = np.arange(40, dtype=np.uint32) * 0x9E3779B1
    np.testing.assert_array_equal(long(x), chain(x))


@typed(**dict.fromkeys("abcdefghijklmn", V7))
def sum_of_fourteen(
    a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any,
    h: Any, i: Any, j: Any, k: Any, l: Any, m: Any, n: Any,  # noqa: E741
) -> Any:  # fmt: skip
    return a + b + c + d + e + f + g + h + i + j + k + l + m + n


def test_more_arrays_than_registers_for_arguments() -> None:
    compiled = oxegg.compile(sum_of_fourteen, machine="ox-edge", peers=(), effort="quick")
    same(compiled, sum_of_fourteen)


def test_arguments_of_a_wrong_shape_are_refused(compiled: oxegg.CompiledKernel) -> None:
    with pytest.raises(UsageError, match="shape"):
        compiled(np.zeros(99, np.float32))


def test_unknown_machine() -> None:
    with pytest.raises(MachineError, match="ox-nothing"):
        oxegg.compile(dot, machine="ox-nothing")


@pytest.mark.parametrize("option", ["mode", "effort", "place"])
def test_unknown_options(option: str) -> None:
    options: dict[str, Any] = {option: "sloppy"}
    with pytest.raises(UsageError, match="sloppy"):
        oxegg.compile(dot, **options)


def test_exact_mode_has_no_exponential() -> None:
    with pytest.raises(LoweringError, match=r"no instructions compute exp \(f32\)") as refused:
        oxegg.compile(softmax, machine="x60", mode="exact", peers=())
    assert refused.value.hint is not None
    assert "--mode real" in refused.value.hint


def test_the_baseline_is_reported_whole_when_it_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its program is of another e-graph than the one that the search saturated."""
    real = api.search

    def slow(*arguments: Any) -> Any:
        found = real(*arguments)
        result = replace(found.best.result, cycles=10**9)
        return replace(found, best=replace(found.best, result=result))

    monkeypatch.setattr(api, "search", slow)
    report = oxegg.compile(softmax, machine="x60").report
    assert report["cycles"] == report["cycles_generic"]
    assert report["program"] == "generic"
    assert report["correct"] is True
