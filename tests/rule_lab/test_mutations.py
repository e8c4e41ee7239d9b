"""Does the evidence catch faults? Seeded ones in rules, in what ISA records mean, in scalar code.

Encodings, timing and whole programs: test_seeded_faults.py; a hundred faults in all.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from oxegg.emit.lowering.emitter import Emitter
from oxegg.errors import OxeggError
from oxegg.ir.operations import OPERATIONS
from oxegg.isa import TABLE
from oxegg.rule_lab import selection_proof
from oxegg.rule_lab.ladder import check, prove
from oxegg.rule_lab.scalar_proof import ScalarObligation, prove_scalar, scalar_obligations
from oxegg.rule_lab.selection_proof import Obligation, obligations, prove_selection
from oxegg.rules import all_rules
from oxegg.rules.pattern import Apply, Constant, Pattern, Rule, Variable
from oxegg.rules.wellformed import check_row

RULES, RECORDS, EMITTED = 28, 12, 8
SWAPS = {"add": "sub", "sub": "add", "min": "max", "max": "min", "and": "or", "or": "xor",
         "lt": "le", "le": "lt", "eq": "ne", "ne": "eq", "shl": "shr", "shr": "shl",
         "fma": "fms", "fms": "fnma", "fnma": "fma", "mul": "add", "minnum": "maxnum",
         "maxnum": "minnum", "xor": "and"}  # fmt: skip


def mutated(pattern: Pattern, rng: random.Random) -> Pattern:
    """One fault somewhere in a pattern: an operation, the order of operands, a constant, a sign."""
    if isinstance(pattern, Constant):
        return replace(pattern, value=pattern.value + 1) if pattern.value < 100 else pattern
    if not isinstance(pattern, Apply):
        return pattern
    inner = [i for i, c in enumerate(pattern.children) if not isinstance(c, Variable)]
    if inner and rng.random() < 0.5:
        place = rng.choice(inner)
        children = list(pattern.children)
        children[place] = mutated(children[place], rng)
        return replace(pattern, children=tuple(children))
    name = pattern.operator
    if name in SWAPS and rng.random() < 0.6:
        return replace(pattern, operator=SWAPS[name])
    row = OPERATIONS.get(name)
    if row is not None and row.arity >= 2 and not row.commutative:
        *first, a, b = pattern.children
        return replace(pattern, children=(*first, b, a))
    if row is not None and row.types == "same" and row.domain == "number":
        return Apply("neg", (pattern,), pattern.operand_type)
    return pattern


def rule_faults() -> list[tuple[Rule, str]]:
    rng = random.Random(1)
    rows = [r for r in all_rules() if r.kind != "approx" and not r.error_ulps]
    faults: list[tuple[Rule, str]] = []
    while len(faults) < RULES:
        rule = rng.choice(rows)
        if rule.when and rng.random() < 0.7:
            faults.append((replace(rule, when=()), "a dropped condition"))
            continue
        right = mutated(rule.right, rng)
        if right != rule.right:
            faults.append((replace(rule, right=right), "a changed right side"))
    return faults


def caught(rule: Rule) -> bool:
    """Malformed, refuted by a test, or not proved: in no case would it be taken for right."""
    try:
        check_row(rule)
    except OxeggError:
        return True
    type_ = rule.types[0]
    if check(rule, type_, points=2000).failure is not None:
        return True
    return prove(rule, type_, seconds=3)[0] == "refuted"


@pytest.mark.slow
def test_faults_in_rules() -> None:
    missed = [f"{rule.name}: {what}: {rule.right}"[:200] for rule, what in rule_faults()
              if not caught(rule)]  # fmt: skip
    # What is missed must be no fault: a change that leaves the rule true, and is proved.
    rows = {r.name: r for r in all_rules()}
    for text in list(missed):
        name = text.split(":")[0]
        rule = next(r for r, _ in rule_faults() if r.name == name and not caught(r))
        assert rule.right != rows[name].right or rule.when != rows[name].when
        if all(prove(rule, t, seconds=5)[0] == "proved" for t in rule.types[:2]):
            missed.remove(text)
    assert len(missed) <= 1, missed


TEXT_SWAPS = ((" + ", " - "), (" - ", " + "), ("s(vs2)", "vs2"), ("min(", "max("), ("max(", "min("),
              (" & ", " | "), (" << ", " >> "), ("fadd", "fsub"), ("fmul", "fadd"), (" < ", " <= "),
              ("fneg(vd)", "vd"), ("widen(vs2)", "vs2"), ("f_to_s", "f_to_u"),
              ("fsub(vs2, vs1)", "fsub(vs1, vs2)"), (" == ", " != "))  # fmt: skip


@pytest.mark.slow
def test_faults_in_records(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(2)
    rows = [o for o in obligations() if o.row.kind == "exact" and o.row.form.type.bits <= 32]
    missed: list[str] = []
    seeded = 0
    while seeded < RECORDS:
        row: Obligation = rng.choice(rows)
        record = TABLE[row.encoding.instruction]
        possible = [(a, b) for a, b in TEXT_SWAPS if a in record.semantics]
        if not possible:
            continue
        old, new = rng.choice(possible)
        wrong = replace(record, semantics=record.semantics.replace(old, new, 1))
        seeded += 1
        with monkeypatch.context() as patch:
            patch.setattr(selection_proof, "TABLE", {**TABLE, record.name: wrong})
            users = [o for o in rows if o.encoding.instruction == record.name][:6]
            if not any(_refuted(lambda o=o: prove_selection(o, seconds=3)) for o in users):
                missed.append(record.name)
    # Narrowing shifts are selected with a shift of 0. Their mask is seen by the written manual, and
    # by QEMU and Spike in tests/sim/test_differential.py.
    assert missed == ["vnsrl.wi"]


# Not here: divu and srl, which on zero-extended registers are what div and sra are.
CODE_SWAPS = {"addw": "add", "subw": "sub", "mulw": "mul", "srai": "srli", "srli": "srai",
              "slt": "sltu", "sltu": "slt", "sra": "srl", "min": "minu", "max": "min",
              "xor": "or", "and": "or", "sll": "srl", "fadd.s": "fsub.s",
              "fmadd.s": "fmsub.s", "xori": "ori"}  # fmt: skip


@pytest.mark.slow
def test_faults_in_the_scalar_emitter(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(3)
    rows = [o for o in scalar_obligations() if o.of.bits <= 32 and o.of.name != "bf16"]
    original = Emitter.emit
    missed: list[str] = []
    names = rng.sample(sorted(CODE_SWAPS), EMITTED)
    for name in names:

        def wrong(self: Emitter, op: str, *operands: Any, name: str = name, **more: Any) -> None:
            original(self, CODE_SWAPS[name] if op == name else op, *operands, **more)

        users = [o for o in rows if any(i.name == name for i in _code(o))]
        with monkeypatch.context() as patch:
            patch.setattr(Emitter, "emit", wrong)
            if not any(_refuted(lambda o=o: prove_scalar(o, seconds=3)) for o in users):
                missed.append(name)
    assert not missed


def _code(row: ScalarObligation) -> list[Any]:
    return row.code()[0]


def _refuted(ask: Callable[[], Any]) -> bool:
    """Not proved, as it is without the fault; or not even of the right widths."""
    try:
        return ask().answer != "proved"
    except Exception:  # z3 refuses formulas of different widths
        return True
