"""Files appear whole or not at all; JSON is JSON; options are read as written."""

import json
from pathlib import Path

import pytest

from oxegg.cli.options import parse_sizes, split_kernel
from oxegg.cli.output import progress, staged, to_json, write_atomically
from oxegg.errors import UsageError


def test_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(target, "new \ud800")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_written_file_has_ordinary_permissions(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    write_atomically(tmp_path / "ours", "text")
    assert (tmp_path / "ours").stat().st_mode == plain.stat().st_mode


def write_then_fail(directory: Path) -> None:
    with staged(directory) as folder:
        (folder / "k.s").write_text("half")
        raise RuntimeError("stopped")


def test_staged_folder_moves_only_when_all_went_well(tmp_path: Path) -> None:
    out = tmp_path / "out" / "kernel"
    with pytest.raises(RuntimeError, match="stopped"):
        write_then_fail(out)
    assert list((tmp_path / "out").iterdir()) == []
    with staged(out) as folder:
        (folder / "k.s").write_text("new")
    assert [file.name for file in out.iterdir()] == ["k.s"]
    with staged(out) as folder:
        (folder / "k.s").write_text("newer")
    assert (out / "k.s").read_text() == "newer"


def test_json_has_no_nan() -> None:
    value = {"cost": float("inf"), "loops": [{"ii": float("nan")}], "n": (1, 2.5)}
    assert json.loads(to_json(value)) == {"cost": None, "loops": [{"ii": None}], "n": [1, 2.5]}


def test_progress_is_silent_when_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("kernels") as tick:
        tick(1, 2, "softmax")
    assert capsys.readouterr() == ("", "")


def test_sizes() -> None:
    assert parse_sizes(["n=64", "cols=3"]) == {"n": 64, "cols": 3}
    for wrong in ("n", "n=", "=3", "n=x", "n=-1", "1=2"):
        with pytest.raises(UsageError, match="--size"):
            parse_sizes([wrong])


def test_kernel_after_the_colon() -> None:
    assert split_kernel("a/b.py:softmax") == ("a/b.py", "softmax")
    assert split_kernel("a/b.py") == ("a/b.py", None)
    assert split_kernel("C:/b.py") == ("C:/b.py", None)
