"""Reading egraph-serialize files: both spellings of children, defaults, roots, refusals."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from oxegg.errors import ExtractionError
from oxegg.extraction import extract, load
from oxegg.extraction.json_format import parse

PAIR: dict[str, Any] = {
    "nodes": {
        "n0": {"op": "f", "eclass": "top", "children": ["n1", "n1"], "cost": 2},
        "n1": {"op": "x", "eclass": "leaf", "children": [], "cost": 3},
    },
    "root_eclasses": ["top"],
}


def test_children_name_nodes_or_classes() -> None:
    by_class = json.loads(json.dumps(PAIR))
    by_class["nodes"]["n0"]["children"] = ["leaf", "leaf"]
    for document in (PAIR, by_class):
        problem = parse(json.dumps(document))
        assert problem.children == [(1,), ()]
        assert problem.child_class.tolist() == [1, 1]
        assert extract(problem).cost == 5


def test_missing_cost_is_one_and_subsumed_is_never_chosen() -> None:
    document = {
        "nodes": {
            "a": {"op": "old", "eclass": "c", "cost": 0, "subsumed": True},
            "b": {"op": "new", "eclass": "c"},
        },
        "root_eclasses": ["c"],
    }
    problem = parse(json.dumps(document))
    assert problem.costs.tolist() == [[math.inf], [1.0]]
    assert [problem.node_names[n] for n in extract(problem).choice.values()] == ["b"]


def test_repeated_and_unknown_roots() -> None:
    problem = parse(json.dumps({**PAIR, "root_eclasses": ["leaf", "gone", "leaf", "top"]}))
    assert [problem.class_names[root] for root in problem.roots] == ["leaf", "top"]
    assert problem.dropped_roots == ("gone",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "no `nodes`"),
        (json.dumps({"nodes": PAIR["nodes"]}), "root_eclasses"),
        (json.dumps({**PAIR, "root_eclasses": ["gone"]}), "no root names a class"),
        ('{"nodes": {"a": {"op": "x"}}, "root_eclasses": ["c"]}', "malformed"),
        (
            '{"nodes": {"a": {"op": "x", "eclass": "c", "children": ["?"]}},'
            ' "root_eclasses": ["c"]}',
            "neither a node nor a class",
        ),
        (
            '{"nodes": {"a": {"op": "x", "eclass": "c", "cost": -2}}, "root_eclasses": ["c"]}',
            "'a' costs -2: negative costs are refused",
        ),
        (
            '{"nodes": {"a": {"op": "x", "eclass": "c", "cost": NaN}}, "root_eclasses": ["c"]}',
            "costs",
        ),
    ],
)
def test_refusals_name_the_file(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "egraph.json"
    path.write_text(text)
    with pytest.raises(ExtractionError, match=message) as caught:
        load(path)
    assert caught.value.where == str(path)
