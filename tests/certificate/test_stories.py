"""Explain, why, why-not: what a certificate tells."""

from __future__ import annotations

from pathlib import Path

import pytest

import oxegg
from oxegg.cli import main

KERNEL = """\
import numpy as np
from jaxtyping import Float32
Row = Float32[np.ndarray, "n=64"]

def scaled(a: Float32[np.ndarray, ""], x: Row, y: Row):
    return a * x + y / a
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("stories")
    (made / "kernel.py").write_text(KERNEL)
    oxegg.compile(f"{made / 'kernel.py'}:scaled", machine="ox-edge", peers=()).write(made / "out")
    return made / "out"


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words) == 0
    return capsys.readouterr().out


def test_explain(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = told(["explain", str(folder)], capsys)
    assert "algebra.fma@f32  (real, proved" in shown
    assert "    = fma(" in shown


def test_why(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (folder / "scaled.s").read_text().splitlines()
    place = next(i for i, line in enumerate(lines, 1) if line.split()[:1] == ["vfmacc.vf"])
    shown = told(["why", str(folder), str(place)], capsys)
    assert "computes fma(x, y, z) at f32" in shown
    assert "from algebra.fma" in shown
    load = next(i for i, line in enumerate(lines, 1) if line.strip().startswith("vle32.v"))
    shown = told(["why", str(folder), str(load)], capsys)
    assert "moves data" in shown
    assert "cycles, the result after" in shown
    jump = next(i for i, line in enumerate(lines, 1) if line.split()[:1] == ["jalr"])
    assert "by its record: rd = next" in told(["why", str(folder), str(jump)], capsys)
    assert "line 1 is no instruction" in told(["why", str(folder), "1"], capsys)


@pytest.mark.parametrize(
    ("name", "story"),
    [("vfmacc.vf", "is used"), ("ox.mm.ss", "--without vector-engine"),
     ("vfredusum.vs", "combines the lanes of a reduction"),
     ("vrgather.vv", "no row of rules/vector_engine.py selects"),
     ("vwmacc.vv", "no rule makes what vwmacc.vv computes"), ("vfdiv.vf", "cost")],
)  # fmt: skip
def test_why_not(folder: Path, name: str, story: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert story in told(["why-not", str(folder), name], capsys)


def test_why_not_names_the_guard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A product that rounds once is no rewrite of mode exact."""
    (tmp_path / "kernel.py").write_text(KERNEL)
    words = ["compile", f"{tmp_path / 'kernel.py'}:scaled", "--machine", "x60"]
    words += ["--mode", "exact", "--effort", "quick", "-o", str(tmp_path / "out")]
    assert main(words) == 0
    capsys.readouterr()
    shown = told(["why-not", str(tmp_path / "out"), "vfmacc.vf"], capsys)
    assert "algebra.fma would lead there: x * y + z" in shown
    assert "it is of kind real, the mode is exact" in shown
    shown = told(["why-not", str(tmp_path / "out"), "ox.mm.ss"], capsys)
    assert "x60 has no tensor engine" in shown


def test_a_garbled_certificate_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "certificate.json").write_text("{")
    for words in (["explain"], ["why", "1"], ["why-not", "addi"]):
        assert main([words[0], str(tmp_path), *words[1:]]) == 2
        assert "certificate is garbled" in capsys.readouterr().err


def test_what_does_not_exist(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why-not", str(folder), "vfrobnicate"]) == 2
    assert main(["why", str(folder), "100000"]) == 2
    assert main(["explain", str(folder.parent)]) == 2
    assert "no certificate.json" in capsys.readouterr().err
