"""``oxegg extract``: sharing is found, the choice is named, bad files are refused with reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from oxegg.cli import main

# Root r is either two cheap-looking trees over separate leaves or two nodes that share one leaf.
SHARED: dict[str, Any] = {
    "nodes": {
        "pair": {"op": "pair", "eclass": "r", "children": ["left.own", "right.own"], "cost": 1},
        "left.own": {"op": "own", "eclass": "a", "children": [], "cost": 6},
        "left.shared": {"op": "use", "eclass": "a", "children": ["leaf"], "cost": 1},
        "right.own": {"op": "own", "eclass": "b", "children": [], "cost": 6},
        "right.shared": {"op": "use", "eclass": "b", "children": ["leaf"], "cost": 1},
        "leaf": {"op": "leaf", "eclass": "l", "children": [], "cost": 5.5},
    },
    "root_eclasses": ["r"],
}


def write(folder: Path, egraph: dict[str, Any]) -> str:
    path = folder / "egraph.json"
    path.write_text(json.dumps(egraph))
    return str(path)


def test_tree_and_dag_differ_by_sharing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, SHARED)
    costs: dict[str, float] = {}
    for method in ("tree", "dag", "exact"):
        assert main(["extract", path, "--method", method, "--json"]) == 0
        result = json.loads(capsys.readouterr().out)
        assert result["bound"] <= result["cost"]
        costs[method] = result["cost"]
    assert costs["tree"] == 13
    assert costs["exact"] == 8.5


def test_choice_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["extract", write(tmp_path, SHARED), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["choice"] == {
        "r": "pair",
        "a": "left.shared",
        "b": "right.shared",
        "l": "leaf",
    }
    assert result["chosen"] == 4


def test_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["extract", write(tmp_path, SHARED)]) == 0
    lines = capsys.readouterr().out.splitlines()
    fields = dict(line.split(maxsplit=1) for line in lines if line)
    assert fields["cost"].strip() == "8.5"
    assert fields["nodes"].strip() == "6"


def test_root_that_can_not_be_built(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cycle = {"n": {"op": "f", "eclass": "r", "children": ["n"], "cost": 1}}
    path = write(tmp_path, {"nodes": cycle, "root_eclasses": ["r"]})
    assert main(["extract", path]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"{path}: error: no finite, acyclic choice")


@pytest.mark.parametrize(
    ("egraph", "message"),
    [
        ({}, "no `nodes`"),
        ({**SHARED, "root_eclasses": ["x"]}, "no root names a class"),
    ],
)
def test_bad_file(
    egraph: dict[str, Any],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write(tmp_path, egraph)
    assert main(["extract", path]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"{path}: error: ")
    assert message in shown


def test_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["extract", str(tmp_path / "none.json")]) == 2
    assert "error: can't read the e-graph" in capsys.readouterr().err


def test_root_without_class_is_only_a_warning_when_others_are_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, {**SHARED, "root_eclasses": ["r", "gone"]})
    assert main(["extract", path]) == 0
    assert "warning: roots that name no class: gone" in capsys.readouterr().err
