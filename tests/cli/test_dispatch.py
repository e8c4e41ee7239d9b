"""The promises every command keeps: exit codes, error text, help with an example, JSON."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from oxegg.cli import main
from oxegg.cli.dispatch import COMMANDS, explain
from oxegg.errors import LoweringError, OxeggError, VerificationError


def run(*words: str) -> int:
    """The exit code, also where argparse leaves by ``SystemExit``."""
    try:
        return main(words)
    except SystemExit as stop:
        return int(stop.code or 0)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--help") == 0
    shown = capsys.readouterr().out
    assert f"example:\n  oxegg {command} " in shown


def test_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("frobnicate") == 2
    assert "invalid choice: 'frobnicate'" in capsys.readouterr().err


def test_help_imports_no_solver() -> None:
    heavy = "('numpy', 'egglog', 'ortools', 'llvmlite', 'networkx')"
    code = f"import sys, oxegg.cli.dispatch; print([m for m in {heavy} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


def test_python_dash_m_is_the_command() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "oxegg", "--version"], capture_output=True, text=True, check=True
    )
    assert shown.stdout.startswith("oxegg ")


def test_error_has_place_and_hint() -> None:
    error = LoweringError("np.sort is unknown", where="k.py:3", hint="sort outside the kernel")
    assert explain(error) == "k.py:3: error: np.sort is unknown\n  hint: sort outside the kernel"


def test_error_of_the_system_names_the_file() -> None:
    error = FileNotFoundError(2, "No such file or directory", "missing.py")
    assert explain(error) == "missing.py: error: No such file or directory"


def test_bug_is_called_a_bug() -> None:
    assert "this is a bug in oxegg" in explain(ZeroDivisionError("division by zero"))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OxeggError("refused"), 2),
        (VerificationError("wrong result"), 1),
        (RuntimeError("bug"), 2),
        (KeyboardInterrupt(), 3),
    ],
)
def test_exit_codes(error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise error

    monkeypatch.setattr("oxegg.cli.machines.load_machine", fail)
    assert run("machines", "show", "ox-card") == code


def test_traceback_only_with_debug(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("machines", "show", "ox-crad") == 2
    quiet = capsys.readouterr().err
    assert quiet.startswith('error: there is no machine "ox-crad"\n  hint: ')
    assert "Traceback" not in quiet
    assert run("machines", "show", "ox-crad", "--debug") == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("fuzz --seconds -1", "-1 is not a number of seconds"),
        ("fuzz --seconds nan", "nan is not a number of seconds"),
        ("fuzz --seconds soon", "invalid duration value: 'soon'"),
        ("bench -j 0", "0 is not a positive whole number"),
        ("bench --machine ox-crad", 'there is no machine "ox-crad"'),
        ("bench --peer gcc", "there is no peer 'gcc'"),
        ("fuzz --rule nonsense", "no exact or real rule 'nonsense'"),
        ("rules mine frob", "there is no operation 'frob'"),
        ("rules mine --type i7", "there is no type 'i7'"),
    ],
)
def test_options_without_meaning(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words.split()) == 2
    assert message in capsys.readouterr().err


def test_json_to_standard_output_is_json_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("machines", "list", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert "ox-card" in [row["name"] for row in rows]


def test_json_to_a_file_keeps_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "new" / "machines.json"
    assert run("machines", "show", "ox-card", "--json", str(target)) == 0
    assert json.loads(target.read_text())["vector"]["vlen"] == 512
    assert "vector.vlen" in capsys.readouterr().out


def test_reader_that_leaves_early_is_no_error() -> None:
    code = "import sys; from oxegg.cli import main; sys.exit(main(['machines', 'show', 'ox-card']))"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) == 0


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile"])
def test_documents_name_only_commands_that_exist(page: str) -> None:
    text = (Path(__file__).parents[2] / page).read_text()
    assert set(re.findall(r"(?:`|/)oxegg ([a-z-]+)", text)) <= set(COMMANDS)


def test_kernel_files_in_the_examples_exist() -> None:
    root = Path(__file__).parents[2]
    pages = [root / "README.md", root / "Makefile", *(root / "oxegg/cli").glob("*.py")]
    named = {
        name for page in pages for name in re.findall(r"examples/[\w/]+\.py", page.read_text())
    }
    assert named
    assert {name for name in named if not (root / name).exists()} == set()
