"""``oxegg schedule``: the new text, the report, and files it can't read."""

import json
from pathlib import Path

import pytest

from oxegg.cli import main
from tests.emit.source.loops import DOT, MIX


def write(folder: Path, text: str) -> str:
    file = folder / "kernel.s"
    file.write_text(text)
    return str(file)


def test_the_new_text_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schedule", write(tmp_path, DOT), "--machine", "c908"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("    # a0 x, a1 y, a2 elements\ndot:\n")
    assert "fmadd.s" in text
    assert text.rstrip().endswith("ret")


def test_the_report_says_what_was_found(tmp_path: Path) -> None:
    report, output = tmp_path / "report.json", tmp_path / "faster.s"
    command = ["schedule", write(tmp_path, MIX), "--machine", "c908", "-o", str(output)]
    assert main([*command, "--json", str(report)]) == 0
    found = json.loads(report.read_text())
    (loop,) = found["loops"]
    assert (loop["ii"], loop["bound"], loop["status"]) == (6, 6, "optimal")
    assert loop["cycles_after"] == 6 < loop["cycles_before"]
    assert output.read_text() == found["assembly"]


def test_scheduling_the_result_again_finds_nothing_better(tmp_path: Path) -> None:
    first, second = tmp_path / "first.s", tmp_path / "second.json"
    assert main(["schedule", write(tmp_path, DOT), "--machine", "c908", "-o", str(first)]) == 0
    assert main(["schedule", str(first), "--machine", "c908", "--json", str(second)]) == 0
    assert [loop["ii"] for loop in json.loads(second.read_text())["loops"]] == [5]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (DOT.replace("fmadd.s", "fmaddd.s"), "kernel.s:7", "fmaddd.s"),
        (DOT.replace("flw fa1, 0(a0)", "flw fa1, a0"), "kernel.s:5", "flw"),
        ("dot:\n    ret\n", "kernel.s", "no inner loop"),
    ],
)
def test_what_it_cannot_read_is_an_error_with_its_place(
    text: str, place: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "faster.s"
    assert main(["schedule", write(tmp_path, text), "-o", str(output)]) == 2
    error = capsys.readouterr().err
    assert f"{place}: error:" in error
    assert message in error
    assert "hint:" in error
    assert not output.exists()
