"""Dependences of loop bodies."""

import pytest

from oxegg.costmodels import load_machine
from oxegg.emit.modulo.body import Rules, body_of
from oxegg.emit.program import Operation, Register

COUNTER, LIMIT = Register("x", 1), Register("x", 2)


@pytest.mark.parametrize("name", ["ox-card", "ox-edge", "c908"])
def test_what_follows_the_branch_issues_in_the_next_kernel(name: str) -> None:
    machine = load_machine(name)
    loop = [
        Operation("addi", (COUNTER, COUNTER, -1)),
        Operation("bne", (COUNTER, LIMIT, ".L")),
    ]
    graph = body_of(loop, machine, Rules({"x": 31, "f": 32, "v": 32})).graph
    behind = [edge for edge in graph.edges if edge.source == graph.branch]
    assert behind
    assert all(edge.latency >= 1 + graph.dead for edge in behind)
