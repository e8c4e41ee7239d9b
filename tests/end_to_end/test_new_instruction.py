"""The tutorial docs/new-instruction.md: a record in a copy of the ISA is all that it takes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import oxegg

ROOT = Path(__file__).parents[2]
KERNELS = ROOT / "examples" / "authoring" / "motion.py"
TUTORIAL = ROOT / "docs" / "new-instruction.md"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with the tutorial's record, and nothing else changed."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(Path(oxegg.__file__).parent, folder / "oxegg",
                    ignore=shutil.ignore_patterns("__pycache__"))  # fmt: skip
    found = re.search(r"```python\n(INSTRUCTIONS \+= .*?)```", TUTORIAL.read_text(), re.DOTALL)
    assert found is not None
    with (folder / "oxegg" / "isa" / "v_integer.py").open("a") as file:
        file.write("\n" + found[1])
    return folder


def run(package: Path, *words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(package)}
    done = subprocess.run(
        [sys.executable, "-m", "oxegg", *words], check=False, capture_output=True, text=True,
        env=environment, cwd=package,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def compiled(package: Path, kernel: str, out: Path) -> tuple[int, str]:
    """Cycles and assembly."""
    run(package, "compile", f"{KERNELS}:{kernel}", "--machine", "ox-edge", "--seconds", "8",
        "-o", str(out))  # fmt: skip
    report = json.loads((out / "report.json").read_text())
    assert report["correct"]
    return report["cycles"], (out / f"{kernel}.s").read_text()


def test_a_record_is_all_it_takes(copy: Path, tmp_path: Path) -> None:
    before, old = compiled(ROOT, "absdiff", tmp_path / "before")
    after, new = compiled(copy, "absdiff", tmp_path / "after")
    assert "vabd" not in old
    assert "# vabd.vv" in new
    assert after < 0.8 * before
    run(copy, "check", str(tmp_path / "after"))
    assert "vabd.vv" in run(copy, "isa", "list")


def test_the_derived_rows_are_proved(copy: Path) -> None:
    printed = run(copy, "rules", "prove")
    rows = json.loads((copy / "oxegg" / "rules" / "evidence.json").read_text())
    new = {name: row["verdict"] for name, row in rows.items() if "vabd" in name}
    assert len(new) == 16, printed
    assert set(new.values()) == {"proved"}


def test_encodings_that_overlap_are_refused(copy: Path, tmp_path: Path) -> None:
    shutil.copytree(copy, tmp_path / "other")
    table = tmp_path / "other" / "oxegg" / "isa" / "v_integer.py"
    table.write_text(table.read_text().replace("31..26=0 vm vs2 {F", "31..26=2 vm vs2 {F")
                     .replace("6..0=0x7b", "6..0=0x57"))  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "oxegg", "isa", "decode", "0xb1055457"], check=False,
        capture_output=True, text=True, cwd=tmp_path / "other",
        env={**os.environ, "PYTHONPATH": str(tmp_path / "other")},
    )  # fmt: skip
    assert done.returncode == 2
    assert re.search(r"encodings of (vabd.vv and vredor.vs|vredor.vs and vabd.vv)", done.stderr)
