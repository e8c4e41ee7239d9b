"""Chains as plain JSON and back: a table of terms, and steps that refer to it by number."""

# JSON has no types: what is read is checked by what uses it.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oxegg.certificate.chain import Chains, Step
from oxegg.certificate.terms import Node, Terms
from oxegg.ir.affine import Affine, Axis
from oxegg.ir.types import TYPES, ElementType


class TermTable:
    """Numbers terms, operands first."""

    def __init__(self) -> None:
        self.rows: list[list[Any]] = []
        self.numbers: dict[int, int] = {}

    def number(self, node: Node) -> int:
        stack = [node]
        while stack:
            top = stack[-1]
            missing = [c for c in top.children if id(c) not in self.numbers]
            if missing:
                stack += missing
                continue
            stack.pop()
            if id(top) not in self.numbers:
                self.numbers[id(top)] = len(self.rows)
                children = [self.numbers[id(c)] for c in top.children]
                self.rows.append([top.operator, [_plain(a) for a in top.attributes], children])
        return self.numbers[id(node)]


def read_terms(rows: Sequence[Sequence[Any]], terms: Terms) -> list[Node]:
    """The terms of a table."""
    made: list[Node] = []
    for operator, attributes, children in rows:
        values = tuple(_value(a) for a in attributes)
        made.append(terms.node(operator, values, *(made[c] for c in children)))
    return made


def write_chains(chains: Chains, table: TermTable) -> list[list[dict[str, Any]]]:
    return [[_write_step(step, table) for step in steps] for steps in chains.chains]


def _write_step(step: Step, table: TermTable) -> dict[str, Any]:
    row: dict[str, Any] = {"from": table.number(step.start), "to": table.number(step.end)}
    if not step.by:
        return {**row, "operands": list(step.operands)}
    row["by"] = step.by
    if step.type:
        row["type"] = step.type
        row["bound"] = {
            name: table.number(value) if isinstance(value, Node) else _plain(value)
            for name, value in step.bound
        }
    return {**row, "reverse": True} if step.reverse else row


def read_step(row: Mapping[str, Any], nodes: Sequence[Node]) -> Step:
    bound = tuple(
        (name, nodes[value] if isinstance(value, int) else _value(value))
        for name, value in row.get("bound", {}).items()
    )
    return Step(
        nodes[row["from"]], nodes[row["to"]], row.get("by", ""), row.get("type", ""), bound,
        bool(row.get("reverse", False)), tuple(row.get("operands", ())),
    )  # fmt: skip


def _plain(value: Any) -> Any:
    """An attribute as JSON: what isn't a number or a name says what it is."""
    match value:
        case Axis(name, size):
            return {"axis": [name, size]}
        case ElementType():
            return {"type": value.name}
        case Affine(offset, parts):
            return {"affine": [offset, [[_plain(axis), factor] for axis, factor in parts]]}
        case tuple():
            return {"tuple": [_plain(part) for part in value]}
        case _:
            return value


def _value(row: Any) -> Any:
    if not isinstance(row, dict):
        return row
    ((kind, inner),) = row.items()
    if kind == "axis":
        return Axis(*inner)
    if kind == "type":
        return TYPES[inner]
    if kind == "affine":
        return Affine(inner[0], tuple((_value(axis), factor) for axis, factor in inner[1]))
    return tuple(_value(part) for part in inner)
