"""Re-checking chains: each step is an instance of its rule or law, and they fit together.

Nothing here knows how a chain was found: a step by a rule is rebuilt from the rule's row and what
its variables stand for, a step inside operands must change nothing but operands, and a chain must
begin and end where it says. No e-graph and no solver takes part.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from oxegg.certificate.chain import Step
from oxegg.certificate.document import read_step, read_terms
from oxegg.certificate.laws import LAWS, REAL_LAWS, instance
from oxegg.certificate.terms import Node, Terms
from oxegg.errors import VerificationError
from oxegg.ir.types import TYPES
from oxegg.rules.pattern import Rule

UNCHANGED = -1  # the operand is the same on both sides
KINDS = {"exact": 0, "real": 1, "approx": 2}


def check_chains(
    proof: Mapping[str, Any], sources: Sequence[Node], terms: Terms, rules: Mapping[str, Rule],
    mode: str,
) -> list[str]:  # fmt: skip
    """The rules and laws that lead from ``sources`` to the terms that the program computes.

    ``proof`` is the certificate's field of that name. Raises
    :class:`oxegg.errors.VerificationError` where a step doesn't hold.
    """
    try:
        return _check(proof, sources, terms, rules, mode)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, AssertionError) as error:
        raise VerificationError(f"the chain is garbled: {type(error).__name__} {error}") from error


def _check(
    proof: Mapping[str, Any], sources: Sequence[Node], terms: Terms, rules: Mapping[str, Rule],
    mode: str,
) -> list[str]:  # fmt: skip
    nodes = read_terms(proof["terms"], terms)
    ends: list[tuple[Node, Node] | None] = []
    used: set[str] = set()
    for rows in proof["chains"]:
        steps = [read_step(row, nodes) for row in rows]
        for step in steps:
            _check_step(step, ends, terms, rules, mode)
            used |= {step.by} - {""}
        for first, second in itertools.pairwise(steps):
            if first.end is not second.start:
                raise VerificationError("a chain has a gap")
        ends.append((steps[0].start, steps[-1].end) if steps else None)
    outputs = proof["outputs"]
    if len(outputs) != len(sources):
        raise VerificationError("the chain is about another number of results")
    for source, row in zip(sources, outputs, strict=True):
        pair = ends[int(row["chain"])] or (source, source)
        if pair[0] is not source or pair[1] is not nodes[int(row["computed"])]:
            raise VerificationError("a chain doesn't lead from the kernel to the program")
    return sorted(used)


def _check_step(
    step: Step,
    ends: Sequence[tuple[Node, Node] | None],
    terms: Terms,
    rules: Mapping[str, Rule],
    mode: str,
) -> None:
    if not step.by:
        _check_operands(step, ends)
        return
    start, end = (step.end, step.start) if step.reverse else (step.start, step.end)
    if step.by in LAWS:
        if mode == "exact" and step.by in REAL_LAWS:
            raise VerificationError(f"mode exact doesn't allow {step.by}")
        if LAWS[step.by](start, terms) is not end:
            raise VerificationError(f"a step is no instance of {step.by}")
        return
    rule = rules.get(step.by)
    if rule is None:
        raise VerificationError(f"there is no rule {step.by}",
                                hint="compiled with a file of your own? --rules FILE")  # fmt: skip
    if KINDS[rule.kind] > KINDS[mode]:
        raise VerificationError(f"mode {mode} doesn't allow {rule.name}, which is {rule.kind}")
    type_ = TYPES[step.type]
    if type_ not in rule.types:
        raise VerificationError(f"{rule.name} has no instance at {type_}")
    sides = instance(rule, type_, dict(step.bound), terms)
    if sides is None or sides[0] is not start or sides[1] is not end:
        raise VerificationError(f"a step is no instance of {rule.name}")


def _check_operands(step: Step, ends: Sequence[tuple[Node, Node] | None]) -> None:
    """The same operation on operands that earlier chains take from one to the other."""
    start, end = step.start, step.end
    alike = (start.operator, start.attributes) == (end.operator, end.attributes)
    if not alike or not len(start.children) == len(end.children) == len(step.operands):
        raise VerificationError("a step inside operands changes the operation")
    for before, after, number in zip(start.children, end.children, step.operands, strict=True):
        expected = (before, before) if number == UNCHANGED else ends[number]
        if expected is None or expected[0] is not before or expected[1] is not after:
            raise VerificationError("a step inside operands doesn't fit its chain")
