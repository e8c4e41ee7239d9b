"""A certificate re-checks from the files alone, and not after any alteration."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import oxegg
from oxegg.certificate.folder import MACHINE_FILE, NAME, check_folder, render, sha256
from oxegg.cli import main
from oxegg.errors import VerificationError

KERNEL = """\
import numpy as np
from jaxtyping import Float32

Row = Float32[np.ndarray, "n=64"]

def scaled(a: Float32[np.ndarray, ""], x: Row, y: Row):
    return a * x + np.exp(y) / np.float32(3)
"""
ALTERATIONS = 60


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compiled")
    source = folder / "kernel.py"
    source.write_text(KERNEL)
    compiled = oxegg.compile(f"{source}:scaled", machine="ox-edge", peers=())
    compiled.write(folder / "out")
    return folder / "out"


def test_all_of_it_holds(written: Path) -> None:
    found = {f.name: f.detail for f in check_folder(written)}
    assert "lead from kernel to program" in found["rules"]
    assert "as recorded" in found["machine code"]


def test_the_report_names_the_rules_that_are_needed(written: Path) -> None:
    report = json.loads((written / "report.json").read_text())
    assert {"algebra.fma", "elementary.exp-f32"} <= set(report["rules"])
    assert "algebra.add-comm" not in report["rules"] or len(report["rules"]) <= 5


def test_checking_needs_no_egglog(written: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from oxegg.certificate.folder import check_folder\n"
        f"check_folder(Path({str(written)!r})); assert 'egglog' not in sys.modules\n"
        "assert 'z3' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["scaled.o", "scaled.s", NAME, MACHINE_FILE])
def test_any_altered_byte_is_detected(written: Path, name: str, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(written, folder)
    original = (folder / name).read_bytes()
    rng = random.Random(name)
    for _ in range(ALTERATIONS):
        position = rng.randrange(len(original))
        altered = bytearray(original)
        altered[position] ^= 1 << rng.randrange(8)
        (folder / name).write_bytes(bytes(altered))
        with pytest.raises(VerificationError):
            check_folder(folder)


def reseal(folder: Path, change: dict[str, Any]) -> None:
    """What someone who knows the format could write: all hashes are right again."""
    certificate = json.loads((folder / NAME).read_text()) | change
    files = {file: sha256((folder / file).read_bytes()) for file in certificate["files"]}
    (folder / NAME).write_bytes(render({**certificate, "files": files}))


def forged(proof: dict[str, Any], by: str) -> dict[str, Any]:
    for chain in proof["chains"]:
        for step in chain:
            if step.get("by") == by:
                return step
    raise AssertionError(by)


def test_a_forged_step_is_detected(written: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(written, folder)
    proof = json.loads((folder / NAME).read_text())["proof"]
    bound = forged(proof, "algebra.fma")["bound"]
    bound["x"], bound["z"] = bound["z"], bound["x"]
    reseal(folder, {"proof": proof})
    with pytest.raises(VerificationError, match=r"no instance of algebra\.fma"):
        check_folder(folder)


def test_a_rule_beyond_the_mode_is_detected(written: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(written, folder)
    report = json.loads((folder / "report.json").read_text())
    (folder / "report.json").write_text(json.dumps({**report, "mode": "exact"}))
    reseal(folder, {"mode": "exact"})
    with pytest.raises(VerificationError, match="mode exact doesn't allow"):
        check_folder(folder)


def test_wrong_machine_code_is_detected(written: Path, tmp_path: Path) -> None:
    """A vfmacc that became another instruction, all hashes made right."""
    folder = tmp_path / "copy"
    shutil.copytree(written, folder)
    file = folder / "scaled.o"
    data = bytearray(file.read_bytes())
    words = range(64, len(data) - 4, 4)
    place = next(i for i in words if data[i] & 0x7F == 0x57 and data[i + 3] >> 2 in (0x2C, 0x28))
    data[place + 3] ^= 0x04  # multiply-add to its negated sibling
    file.write_bytes(bytes(data))
    reseal(folder, {})
    with pytest.raises(VerificationError):
        check_folder(folder)


def test_the_command(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(written)]) == 0
    assert "all of it holds" in capsys.readouterr().out
    folder = tmp_path / "copy"
    shutil.copytree(written, folder)
    (folder / "scaled.s").write_text("nothing\n")
    assert main(["check", str(folder)]) == 1
    assert "scaled.s: error: the file isn't as it was written" in capsys.readouterr().err
    assert main(["check", str(tmp_path)]) == 2
