"""What ``compile``, ``run`` and ``bench`` make of a compiler's answer (here a made-up one)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oxegg.cli import main
from oxegg.errors import LoweringError


class Compiled:
    """A compiler's answer: a report, and one file to write."""

    def __init__(self, **report: object) -> None:
        self.report: dict[str, Any] = {
            "kernel": "softmax",
            "machine": "ox-card",
            "correct": True,
            "cycles": 10,
            "cycles_generic": 40,
            **report,
        }

    def write(self, directory: Path) -> None:
        (directory / "softmax.s").write_text("softmax:\n    ret\n")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the compiler was asked for; ``answer`` in it says what it answers."""
    seen: dict[str, Any] = {"answer": Compiled()}

    def compile_kernel(path: str, **options: object) -> Compiled:
        seen.update(path=path, **options)
        return seen["answer"]

    monkeypatch.setattr("oxegg.compile", compile_kernel, raising=False)
    return seen


def test_options_reach_the_compiler(asked: dict[str, Any], tmp_path: Path) -> None:
    words = "compile k.py:softmax --machine x60 --mode exact --effort max --seconds 5"
    more = "--size rows=3 --size cols=7 --place dram --without reductions"
    more += " --rules mine.py --unproved"
    assert main([*words.split(), *more.split(), "-o", str(tmp_path / "out")]) == 0
    del asked["answer"]
    assert asked == {
        "path": "k.py",
        "kernel": "softmax",
        "machine": "x60",
        "mode": "exact",
        "effort": "max",
        "seconds": 5.0,
        "sizes": {"rows": 3, "cols": 7},
        "place": "dram",
        "objective": "cycles",
        "without": ["reductions"],
        "rules": ["mine.py"],
        "unproved": True,
    }


@pytest.mark.usefixtures("asked")
def test_files_are_written_and_the_report_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["compile", "k.py", "-o", str(out)]) == 0
    assert [file.name for file in out.iterdir()] == ["softmax.s"]
    shown = capsys.readouterr().out
    assert "40 (4.00x slower)" in shown
    assert f"written to {out}/" in shown


@pytest.mark.usefixtures("asked")
def test_folder_is_named_after_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["compile", "k.py", "--json", "report.json"]) == 0
    assert (tmp_path / "out/softmax/softmax.s").exists()
    assert json.loads((tmp_path / "report.json").read_text())["cycles"] == 10


def test_wrong_code_is_not_written(
    asked: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked["answer"] = Compiled(correct=False)
    assert main(["compile", "k.py", "-o", str(tmp_path / "out")]) == 1
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err.startswith("k.py: error: the emitted code of softmax")


def test_each_of_several_machines_gets_a_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    choice = {"roofline_cycles": 5, "place": "spm", "engine": "tensor", "nests": ["[m n]"]}

    def compile_for(path: str, machines: list[str], **options: object) -> list[Compiled]:
        return [Compiled(machine=name, **choice) for name in machines]

    monkeypatch.setattr("oxegg.compile_for", compile_for, raising=False)
    out = tmp_path / "out"
    assert main(["compile", "k.py", "--machine", "ox-edge,ox-dc", "-o", str(out)]) == 0
    assert {file.relative_to(out) for file in out.glob("*/*")} == {
        Path("ox-edge/softmax.s"), Path("ox-dc/softmax.s"),
    }  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["ox-edge", "10", "4.00x", "50%", "spm", "tensor", "[m", "n]"]
    assert lines[-1] == f"written to {out}/ox-dc/"


def test_an_empty_machine_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", "k.py", "--machine", "ox-edge,"]) == 2
    assert "hint: write --machine ox-edge,ox-card" in capsys.readouterr().err


@pytest.mark.parametrize(("correct", "code"), [(True, 0), (False, 1), (None, 3)])
def test_run_answers_with_the_verdict(
    correct: bool | None, code: int, asked: dict[str, Any]
) -> None:
    asked["answer"] = Compiled(correct=correct)
    assert main(["run", "k.py"]) == code


def test_run_refuses_a_folder_that_nobody_compiled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(tmp_path)]) == 2
    assert "has no report.json" in capsys.readouterr().err


def suite(reports: list[dict[str, Any]]) -> Callable[..., list[dict[str, Any]]]:
    def bench(
        names: list[str], *, progress: Callable[[int, int, str], None], **options: object
    ) -> list[dict[str, Any]]:
        progress(len(reports), len(reports), "softmax")
        return reports

    return bench


REFUSED = {"kernel": "sort", "error": str(LoweringError("np.sort is unknown", where="k.py:3"))}


@pytest.mark.parametrize(
    ("reports", "code", "line"),
    [
        ([Compiled().report], 0, "1 of 1 correct; geometric mean against generic: 4.00x"),
        (
            [Compiled().report, Compiled(correct=False, cycles=None).report],
            1,
            "1 of 2 correct; geometric mean against generic: 4.00x",
        ),
        (
            [Compiled().report, Compiled(cycles=40).report, REFUSED],
            0,
            "2 of 3 correct; geometric mean against generic: 2.00x",
        ),
        ([REFUSED], 0, "k.py:3: error: np.sort is unknown"),
    ],
)
def test_bench(
    reports: list[dict[str, Any]],
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("oxegg.bench", suite(reports), raising=False)
    assert main(["bench"]) == code
    assert line in capsys.readouterr().out.splitlines()


def test_bench_searches_as_long_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def bench(names: list[str], *, effort: str, **options: object) -> list[dict[str, Any]]:
        asked.append((names, effort))
        return [Compiled().report]

    monkeypatch.setattr("oxegg.bench", bench, raising=False)
    assert main(["bench", "saxpy", "--effort", "normal"]) == 0
    assert main(["bench", "saxpy"]) == 0
    assert asked == [(["saxpy"], "normal"), (["saxpy"], "quick")]
