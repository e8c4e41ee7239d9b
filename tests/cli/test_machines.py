"""``oxegg machines``: every shipped file is shown; a broken one is refused with its line."""

from pathlib import Path

import pytest

from oxegg.cli import main
from oxegg.costmodels import machine_names


def test_list_has_every_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["machines", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert tuple(line.split()[0] for line in lines) == machine_names()


@pytest.mark.parametrize("name", machine_names())
def test_show(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["machines", "show", name]) == 0
    fields = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert fields["name"].strip() == name
    assert int(fields["vector.vlen"]) in (128, 256, 512, 1024)


def test_check_names_the_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "mine.toml"
    broken.write_text('base = "ox-card"\nname = "mine"\n\n[vector]\nvlen = 500\n')
    assert main(["machines", "check", str(broken)]) == 2
    assert capsys.readouterr().err.startswith(f"{broken}:5: error: vector.vlen = 500")


def test_check_passes_a_sound_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound = tmp_path / "mine.toml"
    sound.write_text('base = "ox-card"\nname = "mine"\n\n[vector]\nvlen = 1024\n')
    assert main(["machines", "check", str(sound)]) == 0
    assert capsys.readouterr().out == f"{sound}: ok, machine mine\n"
