"""Verbs of ``oxegg rules`` on files of one's own: texts and exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from oxegg.cli import main
from oxegg.rules.load import load_rules

HEAD = """\
from oxegg.ir.types import *
from oxegg.rules.pattern import *
FAMILY = Family("mine")
rule = FAMILY.rule
x, y, z = variables("x y z")
"""
GOOD = 'rule("absorb", (x | y) & x, x, kind="exact", types=(I8,), doc="absorb")\n'
WRONG = 'rule("swap", x - y, y - x, kind="exact", types=(I8, I32), doc="no")\n'
MALFORMED = 'rule("drop", (x | y) & x, z, kind="exact", types=(I8,), doc="no")\n'


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "mine_rules.py"


@pytest.mark.parametrize(("row", "status"), [(GOOD, 0), (WRONG, 1), (MALFORMED, 2)])
@pytest.mark.parametrize("verb", ["check", "prove", "watch"])
def test_exit_codes(verb: str, row: str, status: int, file: Path) -> None:
    file.write_text(HEAD + row)
    times = ["--times", "1"] if verb == "watch" else []
    assert main(["rules", verb, "--rules", file.name, *times]) == status


@pytest.mark.parametrize("verb", ["check", "prove", "watch", "list", "blame", "implied", "cover"])
def test_a_missing_file_is_refused_by_every_verb(
    verb: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file.parent / "k.py").write_text("def k(): ...\n")
    given = {"blame": ["k.py"], "cover": ["k.py"], "implied": ["mine.a"]}.get(verb, [])
    assert main(["rules", verb, *given, "--rules", "nowhere.py"]) == 2
    assert "nowhere.py: error: there is no such rule file" in capsys.readouterr().err


def test_a_counterexample_replays(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(HEAD + WRONG)
    assert main(["rules", "check", "--rules", file.name]) == 1
    lines = capsys.readouterr().out.splitlines()
    (replay, *_) = (line.partition("replay: oxegg ")[2] for line in lines if "replay:" in line)
    assert main(replay.split()) == 1
    assert "counterexample" in capsys.readouterr().out


def test_rounding_is_no_counterexample_of_a_real_rule(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["algebra.div-reciprocal", "--at", "f32", "x=1.7", "y=0.3"]
    assert main(["rules", "check", *words]) == 0
    assert "holds there" in capsys.readouterr().out


def test_new_rows_differ_until_they_are_edited(file: Path) -> None:
    for name in ("one", "two", "three", "four"):
        assert main(["rules", "new", f"mine.{name}"]) == 0
    assert len(load_rules(file)) == 4
    assert main(["rules", "check", "--rules", file.name]) == 0
    assert main(["rules", "new", "mine.one"]) == 2
    assert main(["rules", "new", "mine.not a name"]) == 2


def test_what_is_read_is_what_stands_there(file: Path) -> None:
    """Two saves within one second, of one length: no cache comes between."""
    for name in ("one", "two", "six"):
        file.write_text(HEAD + GOOD.replace("absorb", name, 1))
        assert [row.name for row in load_rules(file)] == [f"mine.{name}"]


def test_a_refuted_rule_is_used_by_no_compile(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(HEAD + WRONG)
    assert main(["rules", "prove", "--rules", file.name]) == 1
    kernel = "import numpy as np\nfrom jaxtyping import Int32\n\n\n"
    kernel += 'def k(x: Int32[np.ndarray, "n=8"]):\n    return x - 1\n'
    Path("k.py").write_text(kernel)
    capsys.readouterr()
    words = ["compile", "k.py", "--machine", "ox-edge", "--rules", file.name, "--unproved"]
    assert main(words) == 2
    assert "it is refuted" in capsys.readouterr().err
