"""One e-graph for several machines, and what changes with one field of a machine."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import oxegg
from oxegg.cli import main
from oxegg.costmodels import load_machine, machine_names
from oxegg.costmodels.text import machine_text
from oxegg.errors import MachineError, UsageError
from oxegg.search import saturation
from oxegg.search.crossover import KNOBS, variants

PRODUCT = """
import numpy as np
from jaxtyping import Int8

def product(a: Int8[np.ndarray, "m=16 k=16"], b: Int8[np.ndarray, "k=16 n=16"]):
    return np.matmul(a, b, dtype=np.int32)
"""


@pytest.fixture
def product(tmp_path: Path) -> str:
    path = tmp_path / "product.py"
    path.write_text(PRODUCT)
    return f"{path}:product"


def test_machines_share_one_saturated_graph(
    product: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, graphs = saturation.saturate, list[object]()

    def counted(*arguments: Any, **options: Any) -> Any:
        graphs.append(arguments)
        return real(*arguments, **options)

    monkeypatch.setattr(saturation, "saturate", counted)
    machines = ["x280", "ox-tiny", "ox-card"]
    compiled = oxegg.compile_for(product, machines, peers=(), seconds=0.5)
    assert len(graphs) == 1
    assert [c.report["machine"] for c in compiled] == machines
    assert [c.report["engine"] for c in compiled] == ["vector", "tensor", "tensor"]
    a = np.arange(256, dtype=np.int8).reshape(16, 16)
    for one in compiled:
        assert one.report["correct"] is True
        np.testing.assert_array_equal(one(a, a), np.matmul(a, a, dtype=np.int32))


def test_a_machine_named_twice_is_refused(product: str) -> None:
    with pytest.raises(UsageError, match="named twice"):
        oxegg.compile_for(product, ["x60", "x60"])


@pytest.mark.parametrize("name", machine_names())
def test_a_machine_as_text_is_the_same_machine(name: str, tmp_path: Path) -> None:
    """Those that the program itself changed, too."""
    machine = replace(load_machine(name), cores=3)
    path = tmp_path / "machine.toml"
    path.write_text(machine_text(machine))
    again = load_machine(path)
    timing = tuple(replace(override, where=None) for override in machine.timing)
    assert tuple(replace(override, where=None) for override in again.timing) == timing
    assert replace(again, timing=()) == replace(machine, timing=())


def test_compiled_folders_hold_the_machine_that_was_meant(product: str) -> None:
    card = load_machine("ox-card")
    slow = replace(card, spm=replace(card.spm, latency=20))
    compiled = oxegg.compile(product, machine=slow, peers=(), seconds=0.5)
    assert "latency = 20" in compiled.machine_text


@pytest.mark.parametrize("vary", KNOBS)
def test_variants_differ_in_one_field(vary: str) -> None:
    knob, base = KNOBS[vary], load_machine("ox-card")
    found = variants("ox-card", knob)
    assert len(found) >= 3
    for value, machine in found.items():
        assert getattr(getattr(machine, knob.table), knob.field) == value
        own = {"name": base.name, knob.table: getattr(base, knob.table)}
        assert replace(machine, **own) == base


def test_crossover_says_what_flips(product: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A smaller scratchpad has no room for the operands: they lie in DRAM then."""
    words = f"machines crossover {product} --vary spm --values 1024,65536 --seconds 0.5"
    assert main(words.split()) == 0
    header, small, large = capsys.readouterr().out.splitlines()
    assert header.split()[:2] == ["spm", "cycles"]
    assert small.split()[0] == "1024"
    assert "dram" in small
    assert "spm" in large
    assert "place" in large


def test_what_cannot_vary_is_refused(product: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="x280 has no tensor engine"):
        oxegg.crossover(product, "tile", machine="x280")
    with pytest.raises(UsageError, match="can't vary"):
        oxegg.crossover(product, "colour")
    with pytest.raises(MachineError, match=r"vector\.vlen = 100"):
        oxegg.crossover(product, "vlen", values=[100])
    words = f"machines crossover {product} --vary vlen --values few"
    assert main(words.split()) == 2
    assert "hint: write --values 128,256" in capsys.readouterr().err
