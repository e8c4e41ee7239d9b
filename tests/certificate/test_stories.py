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
    assert "moves data" in told(["why", str(folder), str(load)], capsys)


@pytest.mark.parametrize(
    ("name", "story"),
    [("vfmacc.vf", "is used"), ("vrgather.vv", "no row of rules/vector_engine.py selects"),
     ("vwmacc.vv", "no rule makes what vwmacc.vv computes"), ("vfdiv.vf", "cost")],
)  # fmt: skip
def test_why_not(folder: Path, name: str, story: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert story in told(["why-not", str(folder), name], capsys)


def test_what_does_not_exist(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why-not", str(folder), "vfrobnicate"]) == 2
    assert main(["why", str(folder), "100000"]) == 2
    assert main(["explain", str(folder.parent)]) == 2
    assert "no certificate.json" in capsys.readouterr().err
