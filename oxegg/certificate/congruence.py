"""A small e-graph that remembers why: union-find over terms with a proof forest.

Classes hold concrete terms, so each equality is between terms that were built, and its reason can
be replayed. Congruence closure after Downey, Sethi and Tarjan; explanations after Nieuwenhuis and
Oliveras, "Fast congruence closure and extensions" (2007).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from oxegg.certificate.terms import Node


@dataclass(frozen=True)
class Reason:
    """Why two terms are equal: a rule or law with what it bound, or (``name`` "") congruence."""

    name: str
    type: str = ""
    bound: tuple[tuple[str, Any], ...] = ()
    reverse: bool = False  # the step goes from the right side to the left


CONGRUENCE = Reason("")


@dataclass
class Classes:
    """Terms and the equalities between them."""

    nodes: list[Node] = field(default_factory=list[Node])
    numbers: dict[int, int] = field(default_factory=dict[int, int])  # id of a node to its number
    leader: list[int] = field(default_factory=list[int])
    members: dict[int, list[int]] = field(default_factory=dict[int, list[int]])
    users: dict[int, list[int]] = field(default_factory=dict[int, list[int]])
    signatures: dict[tuple[Any, ...], int] = field(default_factory=dict[tuple[Any, ...], int])
    smallest: dict[int, int] = field(default_factory=dict[int, int])  # member with fewest axes
    because: list[tuple[int, Reason] | None] = field(
        default_factory=list[tuple[int, Reason] | None]
    )
    pending: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def find(self, number: int) -> int:
        leader = self.leader
        while leader[number] != number:
            leader[number] = leader[leader[number]]
            number = leader[number]
        return number

    def add(self, node: Node) -> int:
        """The number of a term, which is put in with all terms under it."""
        if id(node) in self.numbers:
            return self.numbers[id(node)]
        stack = [node]
        while stack:
            top = stack[-1]
            missing = [c for c in top.children if id(c) not in self.numbers]
            if missing:
                stack += missing
                continue
            stack.pop()
            if id(top) not in self.numbers:
                self._insert(top)
        return self.numbers[id(node)]

    def _insert(self, node: Node) -> None:
        number = len(self.nodes)
        self.nodes.append(node)
        self.numbers[id(node)] = number
        self.leader.append(number)
        self.because.append(None)
        self.members[number] = [number]
        self.smallest[number] = number
        self.users[number] = []
        for child in {self.find(self.numbers[id(c)]) for c in node.children}:
            self.users[child].append(number)
        self._congruent(number)
        self._close()

    def signature(self, node: Node) -> tuple[Any, ...]:
        children = tuple(self.find(self.numbers[id(c)]) for c in node.children)
        return (node.operator, node.attributes, children)

    def _congruent(self, number: int) -> None:
        signature = self.signature(self.nodes[number])
        other = self.signatures.setdefault(signature, number)
        if self.find(other) != self.find(number):
            self.pending.append((number, other))

    def merge(self, first: Node, second: Node, reason: Reason) -> bool:
        """State that two terms are equal; whether that is news."""
        a, b = self.add(first), self.add(second)
        if self.find(a) == self.find(b):
            return False
        self._join(a, b, reason)
        self._close()
        return True

    def _close(self) -> None:
        while self.pending:
            a, b = self.pending.pop()
            if self.find(a) != self.find(b):
                self._join(a, b, CONGRUENCE)

    def _join(self, a: int, b: int, reason: Reason) -> None:
        """Hang a's tree of reasons below b; the smaller class follows the larger."""
        self._reroot(a)
        self.because[a] = (b, reason)
        small, large = self.find(a), self.find(b)
        if len(self.members[small]) > len(self.members[large]):
            small, large = large, small
        self.leader[small] = large
        self.members[large] += self.members.pop(small)
        fewest = min(self.smallest[small], self.smallest[large],
                     key=lambda n: (len(self.nodes[n].free), n))  # fmt: skip
        self.smallest[large] = fewest
        users = self.users.pop(small)
        self.users[large] += users
        for user in users:
            self._congruent(user)

    def _reroot(self, number: int) -> None:
        """Turn the reasons above ``number`` around, so that it becomes the root of its tree."""
        path = [number]
        while (edge := self.because[path[-1]]) is not None:
            path.append(edge[0])
        for child, parent in reversed(list(itertools.pairwise(path))):
            edge = self.because[child]
            assert edge is not None
            reason = edge[1]
            turned = reason if reason is CONGRUENCE else _turned(reason)
            self.because[parent] = (child, turned)
        self.because[number] = None

    def path(self, a: int, b: int) -> Iterator[tuple[int, int, Reason]]:
        """Steps from a to b: each from one term to the next, with its reason."""
        above: dict[int, int] = {}
        place, up = a, [a]
        while (edge := self.because[place]) is not None:
            place = edge[0]
            up.append(place)
        above = {number: position for position, number in enumerate(up)}
        down = [b]
        while down[-1] not in above:
            edge = self.because[down[-1]]
            assert edge is not None, "the terms are not equal"
            down.append(edge[0])
        for number in up[: above[down[-1]]]:
            edge = self.because[number]
            assert edge is not None
            yield number, edge[0], edge[1]
        for number in reversed(down[:-1]):
            edge = self.because[number]
            assert edge is not None
            reason = edge[1] if edge[1] is CONGRUENCE else _turned(edge[1])
            yield edge[0], number, reason


def _turned(reason: Reason) -> Reason:
    return Reason(reason.name, reason.type, reason.bound, not reason.reverse)
