"""Streaming kernels near memory: right for every size and type, faster, and only where they pay."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from jaxtyping import BFloat16, Float16, Float32, Int8

import oxegg
from oxegg import sim
from oxegg.certificate.folder import check_folder
from oxegg.costmodels import load_machine, machine_names
from oxegg.costmodels.bank_bound import bank_cycles
from oxegg.emit.backend import generate
from oxegg.emit.banked import GROUP, Frame, banks_of, side_by_side
from oxegg.emit.lowering.near_memory import group_commands, group_counts, plan
from oxegg.emit.lowering.program import lower, with_staging
from oxegg.emit.physical import Buffer
from oxegg.emit.stages import Stage
from oxegg.frontend import lower as lower_source
from oxegg.ir.types import F32
from oxegg.search.bank_graph import bank_nest
from oxegg.search.driver import EFFORTS, Job, runner_for, saturate_for
from oxegg.search.measure import Runner
from oxegg.search.programs import candidates

Array = npt.NDArray[Any]
Kernel = Callable[..., Any]
TYPES: dict[str, Any] = {"f32": Float32, "f16": Float16, "bf16": BFloat16, "i8": Int8}
"""Of arrays and of numbers, by the letters of ``KERNELS``."""


def axpy(a: Any, x: Any, y: Any) -> Any:
    return a * x + y


def chain(x: Any, y: Any, z: Any) -> Any:
    return 2 * x + (3 * y + z)


def three_factors(a: Any, x: Any, y: Any, z: Any) -> Any:
    return a * x + (3 * y + z)


def same_number(x: Any, y: Any) -> Any:
    return x * 0.5 + 0.5 * y


def shifted(x: Any) -> Any:
    return x + 1


def product(x: Any, y: Any) -> Any:
    return x * y


def dot(x: Any, y: Any) -> Any:
    return np.dot(x, y)


def bytes_dot(x: Any, y: Any) -> Any:
    return np.sum(x.astype(np.int32) * y.astype(np.int32), dtype=np.int32)


def relu(x: Any) -> Any:
    return np.maximum(x, 0)


def relu_chain(a: Any, x: Any, y: Any) -> Any:
    return np.maximum(a * x + y, 0)


def total(x: Any) -> Any:
    return np.sum(x)


def bytes_total(x: Any) -> Any:
    return np.sum(x.astype(np.int32), dtype=np.int32)


def norm(x: Any) -> Any:
    return np.sum(x * x)


KERNELS: list[tuple[Kernel, str]] = [
    (axpy, "f32"), (axpy, "f16"), (axpy, "bf16"), (chain, "f32"), (same_number, "f32"),
    (three_factors, "f32"), (three_factors, "f16"),
    (shifted, "f32"), (shifted, "i8"), (product, "f32"), (product, "i8"), (dot, "f32"),
    (norm, "f32"), (bytes_dot, "i8"), (total, "f32"), (bytes_total, "i8"),
    (relu, "f32"), (relu, "i8"), (relu_chain, "f32"), (relu_chain, "f16"),
]  # fmt: skip


def typed(function: Kernel, letters: str) -> Kernel:
    """The kernel with annotations: ``a`` is a number, everything else an array of n elements."""
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    kind = TYPES[letters]
    function.__annotations__.update(
        {name: kind[np.ndarray, "" if name == "a" else "n=4096"] for name in names}
    )
    return function


def compiled(function: Kernel, letters: str, machine: str, size: int, **more: Any) -> Any:
    options: dict[str, Any] = {"place": "dram", "peers": (), "seconds": 0.3, **more}
    return oxegg.compile(typed(function, letters), machine=machine, sizes={"n": size}, **options)


@pytest.mark.parametrize(("function", "letters"), KERNELS)
def test_large_arrays_are_computed_in_the_banks(function: Kernel, letters: str) -> None:
    """A prime number of elements: neither registers nor banks nor groups come out even."""
    report = compiled(function, letters, "ox-card", 20011).report
    assert report["correct"] is True
    assert report["failures"] == []
    assert report["engine"] == "near_memory"
    assert report["proof"] == "proved"
    assert report["banked"]
    assert report["roofline_cycles"] <= report["cycles"]


def on_units(function: Kernel, letters: str, name: str, size: int) -> Runner:
    """The program that computes near memory, whether or not another one is faster."""
    machine = load_machine(name)
    job = Job(lower_source(typed(function, letters), None, {"n": size}), machine, place="dram")
    prepared, _ = saturate_for([job], EFFORTS["quick"])
    found = candidates(prepared.graph, machine, "dag")
    candidate = next(c for c in found if c.near_memory)
    stages = [(stage, bank_nest(stage)) for stage in candidate.stages]
    physical = with_staging(candidate.choice.program, stages, machine)
    code = generate(lower(physical, stages, machine), machine)
    return runner_for(job.kernel, physical, code, machine, "dram")


@pytest.mark.parametrize("machine", ["ox-edge", "ox-card", "ox-dc"])
@pytest.mark.parametrize("size", [2, 31, 257, 2053])
def test_every_size_is_right_on_the_units(machine: str, size: int) -> None:
    for function in (axpy, dot, three_factors):
        run = on_units(function, "f32", machine, size)
        x, y, z = np.random.default_rng(size).normal(size=(3, size)).astype(np.float32)
        a = np.float32(1.5)
        inputs = {axpy: [a, x, y], dot: [x, y], three_factors: [a, x, y, z]}[function]
        (result,) = run([np.asarray(value) for value in inputs])
        np.testing.assert_allclose(result, function(*inputs), rtol=1e-4, atol=1e-5)


def sustained_multiplier(name: str) -> float:
    """Bandwidth near memory over that of the ordinary interface, rows and refresh counted."""
    near = load_machine(name).near_memory
    return near.multiplier * near.efficiency if near else 0.0


WIDE_BANKS = [name for name in machine_names() if sustained_multiplier(name) >= 4]


@pytest.mark.parametrize("machine", WIDE_BANKS)
@pytest.mark.parametrize("function", [axpy, three_factors, dot])
def test_streams_gain_threefold_where_the_banks_are_wide(function: Kernel, machine: str) -> None:
    fast = compiled(function, "f32", machine, 50021)
    slow = compiled(function, "f32", machine, 50021, without=["near-memory-engine"])
    assert fast.report["engine"] == "near_memory"
    assert slow.report["engine"] in ("vector", "vector+dma")
    assert slow.report["cycles"] >= 3 * fast.report["cycles"]


def test_machines_with_wide_banks_are_there() -> None:
    assert {"ox-card", "ox-edge", "ox-tiny"} <= set(WIDE_BANKS)
    assert "ox-dc" not in WIDE_BANKS


def test_the_scratchpad_and_small_arrays_stay_with_the_core() -> None:
    assert compiled(axpy, "f32", "ox-card", 2000, place="spm").report["banked"] == []
    assert compiled(axpy, "f32", "ox-card", 3).report["engine"] != "near_memory"


def test_what_the_banks_do_not_hold_stays_with_the_core() -> None:
    """One MiB of SRAM next to ox-tiny: two inputs and a result share it."""
    assert compiled(axpy, "f32", "ox-tiny", 80_000).report["engine"] == "near_memory"
    assert compiled(axpy, "f32", "ox-tiny", 100_000).report["engine"] == "vector+dma"


def test_one_rounding_instead_of_two_is_not_exact() -> None:
    report = compiled(axpy, "f32", "ox-card", 5000, mode="exact").report
    assert report["engine"] in ("vector", "vector+dma")
    assert report["correct"] is True
    report = compiled(product, "f32", "ox-card", 5000, mode="exact").report
    assert report["engine"] == "near_memory"
    assert report["correct"] is True


def test_field_check_covers_the_units() -> None:
    report = compiled(product, "f32", "ox-edge", 513).report
    assert report["engine"] == "near_memory"
    assert report["field_check"] is True


def test_factors_of_all_arrays_stay_in_the_registers() -> None:
    """Arrays alternate access by access: no number is broadcast inside the loop."""
    store = on_units(three_factors, "f32", "ox-card", 20011).program.stores[0]
    planned = plan(store)
    assert [command.repeat for command in planned.before] == [3]
    names = [command.name for command in group_commands(planned, GROUP)]
    assert names == ["ox.nm.zero", *["ox.nm.macs"] * GROUP, "ox.nm.st"]


@pytest.mark.parametrize("function", [axpy, three_factors])
def test_files_work_on_their_own(function: Kernel, tmp_path: Any) -> None:
    """The program carries its arrays into the banks; the certificate knows where they lie."""
    kernel = compiled(function, "f32", "ox-edge", 3001)
    assert kernel.report["engine"] == "near_memory"
    kernel.write(tmp_path)
    assert "x: input, float32, 3001, in near-memory banks" in kernel.header_text
    apart = 256 * len(kernel.report["banked"])
    assert f"chunks of 256 bytes {apart} bytes apart" in kernel.header_text
    assert (
        sim.run_elf(tmp_path / f"{function.__name__}.elf", load_machine("ox-edge")).exit_code == 0
    )
    assert any(finding.name == "machine code" for finding in check_folder(tmp_path))


def test_banks_hold_equal_parts_and_zeros_behind() -> None:
    machine = load_machine("ox-edge")
    values = np.arange(1, 100, dtype=np.float32)
    arrays = tuple(Buffer(name, F32, 99, "input", 0) for name in "xy")
    x, y = side_by_side([Frame(arrays)], machine).values()
    chunks = x.pack(values).view(np.float32).reshape(banks_of(machine), -1)
    parts = chunks[:, : x.part // 4]
    assert x.part % 32 == 0
    np.testing.assert_array_equal(parts.reshape(-1)[:99], values)
    assert not chunks[:, x.part // 4 :].any()
    np.testing.assert_array_equal(x.unpack(x.pack(values)).view(np.float32), values)
    assert (y.offset - x.offset, y.stride) == (x.chunk, 2 * x.chunk)


def test_arrays_of_one_pass_share_the_rows_of_the_memory() -> None:
    """Rows are opened as often as there are rows, not for each command."""
    machine = load_machine("ox-card")
    run = on_units(axpy, "f32", "ox-card", 65536)
    inputs = [np.float32(2), *np.ones((2, 65536), np.float32)]
    cycles = run.call([np.asarray(value) for value in inputs], timing=True).cycles
    assert cycles is not None
    least = bank_cycles(machine, 2 * 4 * 65536, 4 * 65536)
    assert least <= cycles <= 1.25 * least


def test_groups_cover_every_access_once() -> None:
    machine = load_machine("ox-card")
    stage = Stage(on_units(axpy, "f32", "ox-card", 20011).program.stores)
    planned = plan(stage.stores[0])
    groups, rest = group_counts(planned, machine)
    accesses = -(-20011 * 4 // 32 // banks_of(machine))
    assert groups * GROUP + rest in (accesses, accesses + 1)
    stores = [c for c in group_commands(planned, GROUP) if c.name == "ox.nm.st"]
    assert [(c.place, c.repeat) for c in stores] == [(planned.output.name, GROUP)]
