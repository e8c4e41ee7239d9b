"""Finding the chain of rules from a kernel's term to the term that its program computes.

The terms are put into an e-graph that remembers reasons (:mod:`oxegg.certificate.congruence`), and
the rules that fired when the kernel was compiled are applied until the two are equal. egglog has
no part in it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from oxegg.certificate.congruence import Classes, Reason
from oxegg.certificate.laws import LAWS, Binding, build, instance, operator
from oxegg.certificate.terms import Node, Terms
from oxegg.ir.affine import Axis
from oxegg.ir.types import ElementType, value_to_bits
from oxegg.rules.pattern import Apply, Constant, Pattern, Rule, Variable
from oxegg.rules.wellformed import operand_types

LARGEST_TO_SHORTEN = 4000  # terms in a graph whose rules are tried one by one
Bound = dict[str, int | Axis]
Instance = tuple[Rule, ElementType]


@dataclass
class Found:
    """An e-graph in which the pairs are equal, or as far as it went."""

    classes: Classes
    equal: bool
    stopped_by: str


@dataclass
class _Prover:
    """Applies rules round by round."""

    terms: Terms
    pairs: Sequence[tuple[Node, Node]]
    rules: Sequence[Instance]
    deadline: float
    most: int
    classes: Classes = field(default_factory=Classes)
    done: set[tuple[object, ...]] = field(default_factory=set[tuple[object, ...]])
    lawful: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    index: dict[tuple[int, str], list[int]] = field(
        default_factory=dict[tuple[int, str], list[int]]
    )

    def run(self, rounds: int) -> Found:
        for pair in self.pairs:
            for node in pair:
                self.classes.add(node)
        for _ in range(rounds):
            self._laws()
            if self._equal():
                return Found(self.classes, True, "equal")
            before = len(self.classes.nodes), len(self.classes.members)
            try:
                self._round()
            except TimeoutError:
                return Found(self.classes, self._equal(), "time")
            if self._equal():
                return Found(self.classes, True, "equal")
            if len(self.classes.nodes) > self.most:
                return Found(self.classes, False, "size")
            if before == (len(self.classes.nodes), len(self.classes.members)):
                return Found(self.classes, False, "saturated")
        return Found(self.classes, False, "rounds")

    def _equal(self) -> bool:
        find, number = self.classes.find, self.classes.add
        return all(find(number(a)) == find(number(b)) for a, b in self.pairs)

    def _laws(self) -> None:
        """Structure: each law once per term."""
        position = 0
        while position < len(self.classes.nodes):
            node = self.classes.nodes[position]
            for name, law in LAWS.items():
                if (name, position) not in self.lawful:
                    self.lawful.add((name, position))
                    other = law(node, self.terms)
                    if other is not None and other is not node:
                        self.classes.merge(node, other, Reason(name))
            position += 1

    def _round(self) -> None:
        """Match every rule against the graph as it is, then apply what matched."""
        self.index = {}
        for leader, members in self.classes.members.items():
            for number in members:
                name = self.classes.nodes[number].operator
                self.index.setdefault((leader, name), []).append(number)
        heads: dict[str, list[int]] = {}
        for leader, name in self.index:
            heads.setdefault(name, []).append(leader)
        found: list[tuple[Rule, ElementType, bool, Bound]] = []
        for rule, type_ in self.rules:
            for reverse in (False, True) if rule.both else (False,):
                side = rule.right if reverse else rule.left
                assert isinstance(side, Apply)
                for leader in heads.get(operator(side, type_), ()):
                    for bound in self._match(side, leader, type_, type_, {}):
                        found.append((rule, type_, reverse, bound))
            if time.monotonic() > self.deadline:
                raise TimeoutError
        for rule, type_, reverse, bound in found:
            self._apply(rule, type_, reverse, bound)
            if time.monotonic() > self.deadline:
                raise TimeoutError
            if len(self.classes.nodes) > self.most:
                return

    def _match(
        self, pattern: Pattern, leader: int, type_: ElementType, wanted: ElementType, bound: Bound
    ) -> Iterator[Bound]:
        classes = self.classes
        if isinstance(pattern, Variable):
            held = bound.get(pattern.name)
            if held is None:
                yield {**bound, pattern.name: leader}
            elif isinstance(held, int) and held == leader:
                yield bound
            return
        if isinstance(pattern, Constant):
            own = pattern.type or wanted
            bits = value_to_bits(pattern.value, own)
            for number in self.index.get((leader, "const"), ()):
                if classes.nodes[number].attributes == (bits, own):
                    yield bound
                    return
            return
        assert isinstance(pattern, Apply)
        seen: set[tuple[object, ...]] = set()
        for number in self.index.get((leader, operator(pattern, type_)), ()):
            node = classes.nodes[number]
            signature = classes.signature(node)
            if signature in seen:
                continue
            seen.add(signature)
            start = bound
            if pattern.axis:
                axis = node.attributes[0]
                if bound.get(pattern.axis, axis) != axis:
                    continue
                start = {**bound, pattern.axis: axis}
            partial = [start]
            types = operand_types(pattern, type_)
            for child, place, of in zip(pattern.children, signature[2], types, strict=True):
                partial = [b for p in partial for b in self._match(child, place, type_, of, p)]
                if not partial:
                    break
            yield from partial

    def _apply(self, rule: Rule, type_: ElementType, reverse: bool, bound: Bound) -> None:
        classes = self.classes
        leaders = {n: classes.find(v) if isinstance(v, int) else v for n, v in bound.items()}
        memo = (rule.name, type_, reverse, tuple(sorted(leaders.items(), key=lambda p: p[0])))
        if memo in self.done:
            return
        self.done.add(memo)
        concrete: Binding = {
            n: classes.nodes[classes.smallest[v]] if isinstance(v, int) else v
            for n, v in leaders.items()
        }
        if reverse:  # what only the other side binds stays unbound: not a rule for this way
            left = build(rule.right, type_, type_, concrete, self.terms)
            sides = instance(rule, type_, concrete, self.terms)
            if sides is None:
                return
            assert sides[1] is left
        else:
            sides = instance(rule, type_, concrete, self.terms)
            if sides is None:
                return
        reason = Reason(rule.name, type_.name, tuple(sorted(concrete.items())))
        classes.add(sides[0])
        classes.merge(sides[0], sides[1], reason)


def connect(
    terms: Terms,
    pairs: Sequence[tuple[Node, Node]],
    rules: Sequence[Instance],
    *,
    seconds: float = 60.0,
    rounds: int = 8,
    most: int = 20_000,
) -> Found:
    """An e-graph in which the terms of each pair are equal by the rules, if that can be shown."""
    deadline = time.monotonic() + seconds
    return _Prover(terms, pairs, rules, deadline, most).run(rounds)


@dataclass(frozen=True)
class Step:
    """From one term to another.

    ``by`` names a rule or law; empty where the operands changed: then ``operands`` are the steps
    (numbers of chains) that take each operand there.
    """

    start: Node
    end: Node
    by: str
    type: str = ""
    bound: tuple[tuple[str, Node | Axis], ...] = ()
    reverse: bool = False
    operands: tuple[int, ...] = ()


@dataclass
class Chains:
    """Chains of steps: chain i takes a term to another; operands refer to earlier chains."""

    chains: list[list[Step]] = field(default_factory=list[list[Step]])
    known: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])

    @property
    def rules(self) -> list[str]:
        """The rules and laws used, by name."""
        return sorted({step.by for chain in self.chains for step in chain if step.by})


def explain(found: Found, pairs: Sequence[tuple[Node, Node]]) -> tuple[Chains, list[int]]:
    """Chains from the first to the second term of each pair, and their numbers."""
    chains = Chains()
    numbers = [
        _chain(found.classes, found.classes.add(a), found.classes.add(b), chains) for a, b in pairs
    ]
    return chains, numbers


def _chain(classes: Classes, a: int, b: int, chains: Chains) -> int:
    if (a, b) in chains.known:
        return chains.known[a, b]
    steps: list[Step] = []
    for start, end, reason in classes.path(a, b):
        first, second = classes.nodes[start], classes.nodes[end]
        if reason.name:
            steps.append(
                Step(first, second, reason.name, reason.type, reason.bound, reason.reverse)
            )
            continue
        operands = tuple(
            _chain(classes, classes.add(x), classes.add(y), chains) if x is not y else -1
            for x, y in zip(first.children, second.children, strict=True)
        )
        steps.append(Step(first, second, "", operands=operands))
    chains.chains.append(steps)
    chains.known[a, b] = len(chains.chains) - 1
    return chains.known[a, b]


def needed(
    terms: Terms, pairs: Sequence[tuple[Node, Node]], rules: Sequence[Instance], size: int
) -> list[Instance]:
    """A set of instances from which none can be left out (one at a time is tried).

    ``size`` is that of the graph in which the pairs became equal: without a rule, twice that is
    searched. The limits are counts, so that the answer is the same on a loaded machine.
    """
    kept = list(rules)
    for candidate in rules if size <= LARGEST_TO_SHORTEN else ():
        fewer = [r for r in kept if r is not candidate]
        if connect(terms, pairs, fewer, most=2 * size).equal:
            kept = fewer
    return kept
