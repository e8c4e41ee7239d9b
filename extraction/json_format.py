"""Reading the egraph-serialize JSON format.

``{"nodes": {id: {"op", "children": [ids], "eclass", "cost"}}, "root_eclasses": [...]}``.
Children name nodes; older files name classes, which is accepted too. A missing cost is 1, the
format's own default; a negative one is refused. Nodes marked ``"subsumed"`` must not be extracted
and get infinite cost.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, cast

import numpy as np

from oxegg.errors import ExtractionError
from oxegg.extraction.collector import paused_collector
from oxegg.extraction.problem import Problem

_Record = dict[str, Any]


def load(path: str | Path) -> Problem:
    """The extraction problem in an egraph-serialize JSON file; ExtractionError if it isn't one.

    Roots that name no class of the file are listed in ``dropped_roots``; when none is left, the
    file is refused.
    """
    path = Path(path)
    try:
        return parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ExtractionError(
            f"can't read the e-graph: {error.strerror}", where=str(path)
        ) from None
    except ExtractionError as error:
        raise ExtractionError(error.message, where=str(path), hint=error.hint) from None


@paused_collector()
def parse(text: str) -> Problem:
    """The extraction problem in an egraph-serialize JSON text."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ExtractionError(f"this is not JSON: {error}") from None
    nodes, roots = _fields(document)
    names = list(nodes)
    records = list(nodes.values())
    try:
        owners = [str(record["eclass"]) for record in records]
        child_names = [cast("list[Any]", record.get("children") or []) for record in records]
        costs = [_cost(record) for record in records]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ExtractionError(
            f"a node is malformed: {error}",
            hint="each node is an object with op, eclass, and optional children and cost",
        ) from None
    for name, cost in zip(names, costs, strict=True):
        if cost < 0:
            raise ExtractionError(
                f"node {name!r} costs {cost:g}: negative costs are refused",
                hint="give every node a cost of at least 0",
            )
    classes = {name: index for index, name in enumerate(dict.fromkeys(owners))}
    class_of_child = _child_table(names, owners, classes)
    try:
        flat = [class_of_child[str(child)] for row in child_names for child in row]
    except KeyError as error:
        raise ExtractionError(
            f"child {error.args[0]!r} is neither a node nor a class of the file"
        ) from None
    kept = tuple(dict.fromkeys(classes[root] for root in roots if root in classes))
    dropped = tuple(root for root in roots if root not in classes)
    if dropped and not kept:
        raise ExtractionError(
            f"no root names a class of the file, for example {dropped[0]!r}",
            hint="write root_eclasses with canonical class ids",
        )
    return Problem(
        labels=tuple(str(record.get("op", "?")) for record in records),
        node_names=tuple(names),
        class_names=tuple(classes),
        node_class=np.array([classes[owner] for owner in owners], dtype=np.int64),
        child_start=np.cumsum([0, *map(len, child_names)], dtype=np.int64),
        child_class=np.array(flat, dtype=np.int64),
        costs=np.array(costs, dtype=np.float64).reshape(-1, 1),
        column_level=np.zeros(1, dtype=np.int64),
        roots=kept,
        dropped_roots=dropped,
    )


def _fields(document: Any) -> tuple[dict[str, _Record], list[str]]:
    if not isinstance(document, dict):
        raise ExtractionError("the e-graph is not a JSON object")
    fields = cast("dict[str, Any]", document)
    nodes, roots = fields.get("nodes"), fields.get("root_eclasses")
    if not isinstance(nodes, dict) or not nodes:
        raise ExtractionError("the e-graph has no `nodes` object")
    if not isinstance(roots, list) or not roots:
        raise ExtractionError("the e-graph has no `root_eclasses` list")
    return cast("dict[str, _Record]", nodes), [str(root) for root in cast("list[Any]", roots)]


def _cost(record: _Record) -> float:
    if record.get("subsumed"):
        return math.inf
    cost = record.get("cost")
    return 1.0 if cost is None else float(cost)


def _child_table(names: list[str], owners: list[str], classes: dict[str, int]) -> dict[str, int]:
    """From the name of a node, or else of a class, to the class; node names win."""
    table = dict(classes)
    table.update((name, classes[owner]) for name, owner in zip(names, owners, strict=True))
    return table
