"""Rules whose evidence is out of date: left out, and everyone who may miss them is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from oxegg.cli import main
from oxegg.rules import evidence

KERNEL = """\
import numpy as np
from jaxtyping import Float32
Row = Float32[np.ndarray, "n=64"]

def scaled(x: Row, y: Row, z: Row):
    return x * y + z

def powers(x: Row):
    return np.exp(x)
"""
Outdate = Callable[[str], None]


@pytest.fixture
def outdate(monkeypatch: pytest.MonkeyPatch) -> Outdate:
    """Make evidence look as if its rule, or an operation in it, had changed since."""
    rows = dict(evidence.kept())

    def change(rule: str) -> None:
        for name, row in rows.items():
            if name.partition("@")[0] == rule:
                rows[name] = replace(row, digest="of another rule")
        monkeypatch.setattr(evidence, "kept", lambda _=evidence.FILE: rows)

    return change


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    file = tmp_path / "kernel.py"
    file.write_text(KERNEL)
    return file


def _compile(kernel: Path, name: str, *more: str) -> int:
    words = ["compile", f"{kernel}:{name}", "--machine", "ox-edge", "--effort", "quick"]
    return main([*words, "-o", str(kernel.parent / "out"), *more])


def test_a_compile_names_what_it_left_out(
    kernel: Path, outdate: Outdate, capsys: pytest.CaptureFixture[str]
) -> None:
    outdate("algebra.fma")
    assert _compile(kernel, "scaled") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "1 without current evidence (algebra.fma): run `oxegg rules prove`" in said
    folder = kernel.parent / "out"
    report = json.loads((folder / "report.json").read_text())
    assert report["egraph"]["stale_rules"] == ["algebra.fma"]
    assert "vfmacc" not in (folder / "scaled.s").read_text()
    assert main(["why-not", str(folder), "vfmacc.vv"]) == 0
    story = capsys.readouterr().out
    assert "without current evidence, and so not used: algebra.fma" in story
    assert "hint: run `oxegg rules prove`" in story


def test_with_current_evidence_nothing_is_left_out(
    kernel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _compile(kernel, "scaled") == 0
    assert "without current evidence" not in capsys.readouterr().out
    assert "vfma" in (kernel.parent / "out" / "scaled.s").read_text()


def test_a_refusal_names_the_rules_that_may_be_missed(
    kernel: Path, outdate: Outdate, capsys: pytest.CaptureFixture[str]
) -> None:
    outdate("elementary.exp-f32")
    assert _compile(kernel, "powers") == 2
    said = capsys.readouterr().err
    assert "without current evidence, and so not used: elementary.exp-f32" in said
    assert "hint: run `oxegg rules prove`" in said
