"""A certificate re-checks from the files alone, and not after any alteration."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import oxegg
from oxegg.certificate.folder import MACHINE_FILE, NAME, check_folder, render, sha256
from oxegg.cli import main
from oxegg.errors import VerificationError
from oxegg.frontend.suite import load_suite

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
    checks = json.loads((written / NAME).read_text())["checks"]
    assert {row["name"]: row["passed"] for row in checks} == {
        "emitted code on the simulator": True,
        "source and emitted code over two prime fields": True,
    }
    named = "with add.i32, maxnum, minnum, mul.i32 uninterpreted"
    assert checks[1]["detail"] == found["prime fields"] == f"128 elements agree, {named}"


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


@pytest.mark.slow
def test_a_thousand_alterations(written: Path, tmp_path: Path) -> None:
    """Single bytes of certificate, object file or machine file, and single fields."""
    folder = tmp_path / "copy"
    shutil.copytree(written, folder)
    rng = random.Random(6)
    names = ("scaled.o", NAME, MACHINE_FILE)
    originals = {name: (folder / name).read_bytes() for name in names}
    for number in range(1000):
        name = names[number % len(names)]
        altered = bytearray(originals[name])
        if name == NAME and number % 2:
            altered = bytearray(with_another_field(originals[name], rng))
        else:
            altered[rng.randrange(len(altered))] ^= rng.randrange(1, 256)
        (folder / name).write_bytes(bytes(altered))
        with pytest.raises(VerificationError):
            check_folder(folder)
        (folder / name).write_bytes(originals[name])
    check_folder(folder)


def with_another_field(text: bytes, rng: random.Random) -> bytes:
    """One leaf of the document has another value."""
    document = json.loads(text)
    leaves = list(leaves_of(document))
    holder, key = rng.choice(leaves)
    holder[key] = "another"
    return json.dumps(document).encode()


def leaves_of(holder: Any) -> Iterator[tuple[Any, Any]]:
    """Where each value stands that is neither a list nor an object."""
    for key in range(len(holder)) if isinstance(holder, list) else list(holder):  # pyright: ignore
        inside = isinstance(holder[key], dict | list)
        yield from leaves_of(holder[key]) if inside else [(holder, key)]


def test_blocks_staged_through_the_scratchpad_re_check(tmp_path: Path) -> None:
    """Their scratch memory lies in the scratchpad though the matrices don't."""
    row = next(row for row in load_suite() if row.name == "matmul_64")
    compiled = oxegg.compile(row.lower(), machine="ox-card", place="dram", effort="quick", peers=())
    compiled.write(tmp_path / "out")
    assert "ox.dma.wait" in compiled.assembly
    check_folder(tmp_path / "out")


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


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("evidence", {}, "evidence don't match"),
        ("rules", [], "other rules than it says"),
        ("outputs", [], "another number of results"),
    ],
)
def test_what_a_proof_leaves_out_is_missed(
    written: Path, tmp_path: Path, field: str, value: Any, message: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(written, folder)
    proof = json.loads((folder / NAME).read_text())["proof"]
    reseal(folder, {"proof": {**proof, field: value}})
    with pytest.raises(VerificationError, match=message):
        check_folder(folder)


def test_a_loop_below_its_bound_is_detected(written: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(written, folder)
    report = json.loads((folder / "report.json").read_text())
    loops = [{**loop, "ii": 1, "bound": 2, "status": "optimal"} for loop in report["loops"]]
    (folder / "report.json").write_text(json.dumps({**report, "loops": loops}))
    reseal(folder, {"loops": loops})
    with pytest.raises(VerificationError, match="1 cycles, bound 2"):
        check_folder(folder)


def test_a_polynomial_is_checked_over_two_fields(tmp_path: Path) -> None:
    source = tmp_path / "kernel.py"
    source.write_text(KERNEL.replace("np.exp(y) / np.float32(3)", "(x - y) * (x + y)"))
    compiled = oxegg.compile(f"{source}:scaled", machine="ox-edge", effort="quick", peers=())
    compiled.write(tmp_path / "out")
    found = {f.name: f.detail for f in check_folder(tmp_path / "out")}
    assert found["prime fields"] == "128 elements agree"
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    report["checks"][1]["passed"] = None
    (tmp_path / "out" / "report.json").write_text(json.dumps(report))
    reseal(tmp_path / "out", {"checks": report["checks"]})
    with pytest.raises(VerificationError, match="prime fields: True, not as recorded"):
        check_folder(tmp_path / "out")


def test_rules_without_evidence_are_named(tmp_path: Path) -> None:
    """A row of one's own, used unproved: the certificate says so, and doesn't re-check."""
    rules, source = tmp_path / "my_rules.py", tmp_path / "kernel.py"
    rules.write_text(
        "from oxegg.ir.types import INTEGERS\nfrom oxegg.rules.pattern import Family, variables\n"
        "FAMILY = Family('mine')\nx, y = variables('x y')\n"
        "FAMILY.rule('absorb', (x | y) & x, x, kind='exact', types=INTEGERS, doc='absorb')\n"
    )
    source.write_text(
        "import numpy as np\nfrom jaxtyping import Int32\nRow = Int32[np.ndarray, 'n=64']\n"
        "def absorbed(a: Row, b: Row):\n    return (a | b) & a\n"
    )
    compiled = oxegg.compile(
        f"{source}:absorbed", machine="ox-edge", effort="quick", peers=(), rules=[rules],
        unproved=True,
    )  # fmt: skip
    compiled.write(tmp_path / "out")
    with pytest.raises(VerificationError, match=r"no rule mine\.absorb") as caught:
        check_folder(tmp_path / "out")
    assert "--rules" in (caught.value.hint or "")
    with pytest.raises(VerificationError, match=r"mine\.absorb@i32 was used without evidence"):
        check_folder(tmp_path / "out", [str(rules)])
    assert main(["rules", "prove", "--rules", str(rules)]) == 0
    with pytest.raises(VerificationError, match="without evidence"):  # as compiled
        check_folder(tmp_path / "out", [str(rules)])


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
