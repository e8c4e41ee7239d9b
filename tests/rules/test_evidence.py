"""Evidence: kept beside the rules, current, and asked for by every compile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from oxegg.errors import RuleError
from oxegg.ir.types import BF16, F32, FLOATS, I8, I32, U8, ElementType
from oxegg.rule_lab.axis_algebra import loose_axes
from oxegg.rule_lab.campaign import engine_subjects, prove_all, rule_subjects
from oxegg.rule_lab.ladder import check, judge, prove, prover_digest
from oxegg.rules import all_rules, evidence
from oxegg.rules.evidence import LEAST_TESTS, Evidence, current, digest, kept, sufficient
from oxegg.rules.load import load_rules
from oxegg.rules.pattern import Family, Rule, apply, constant, independent, reduce, variables
from oxegg.search.saturation import own_rules

x, y = variables("x y")
HEAD = "from oxegg.ir.types import *\nfrom oxegg.rules.pattern import *\nFAMILY = Family('mine')\n"


def rule(left: object, right: object, **more: object) -> Rule:
    family = Family("mine")
    given = {"kind": "exact", "types": (I8,), "doc": "a rule", **more}
    family.rule("r", left, right, **given)  # type: ignore[arg-type]
    return family.rules[0]


def test_every_rule_has_current_evidence() -> None:
    """After a change to a rule or an operation: run `oxegg rules prove`."""
    missing = [f"{r.name}@{t}" for r in all_rules() for t in r.types if current(r, t) is None]
    assert not missing


def test_every_form_of_the_engines_has_current_evidence() -> None:
    """After a change to selection, emission or a record: run `oxegg rules prove`."""
    rows = kept()
    stale = [s.name for s in engine_subjects()
             if s.name not in rows or rows[s.name].digest != s.digest]  # fmt: skip
    assert not stale


def test_verdicts() -> None:
    found = list(kept().values())
    strong = [e for e in found if e.verdict in ("proved", "exhaustive")]
    assert not [e for e in found if e.verdict not in ("proved", "exhaustive", "tested")]
    assert len(strong) >= 0.9 * len(found)
    assert all(e.samples >= LEAST_TESTS for e in found if e.verdict == "tested")


def test_what_a_mode_demands() -> None:
    exact, first = rule(x + y, y + x), rule(x + y, y + x, phase="elementary")
    tested = Evidence("", "tested", "", LEAST_TESTS)
    assert sufficient(Evidence("", "proved", ""), "exact", exact)
    assert sufficient(Evidence("", "exhaustive", ""), "exact", exact)
    assert not sufficient(tested, "exact", exact)
    assert sufficient(tested, "exact", first)
    assert sufficient(tested, "real", exact)
    assert not sufficient(replace(tested, samples=LEAST_TESTS - 1), "real", exact)
    for verdict in ("refuted", "unknown", "no semantics"):
        assert not sufficient(Evidence("", verdict, ""), "approx", exact)
    assert not sufficient(None, "approx", exact)


def test_a_digest_depends_on_sides_class_and_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    row = rule(x + y, y + x)
    before = digest(row, I8)
    assert digest(replace(row, where="elsewhere:1"), I8) == before
    assert digest(replace(row, right=x + x), I8) != before
    assert digest(replace(row, kind="real"), I8) != before
    assert digest(row, U8) != before
    monkeypatch.setattr(evidence, "operation_digest", str.upper)
    assert digest(row, I8) != before


@pytest.mark.parametrize(
    ("left", "right", "more", "answer"),
    [
        ((x + y) * constant(2), x * constant(2) + y * constant(2), {}, "proved"),
        (x + constant(1), x, {}, "refuted"),
        (apply("quotient", x, constant(4)), x >> constant(2), {}, "refuted"),
        (x + constant(0), x, {"types": (F32,)}, "refuted"),  # -0 + 0 is +0
        (x + constant(0), x, {"types": (F32,), "kind": "real"}, "proved"),
        (reduce("add", "k", x * y), x * reduce("add", "k", y), {}, "refuted"),
        (reduce("add", "k", x * y), x * reduce("add", "k", y),
         {"when": (independent(x, "k"),)}, "proved"),
        (apply("max", x, -x), apply("abs", x), {}, "proved"),
        # Over the reals the right side means something wherever the left one does.
        (x + y, x / y * y + y, {"types": (F32,), "kind": "real"}, "refuted"),
        (x / y * y + y, x + y, {"types": (F32,), "kind": "real"}, "proved"),
        (x / (y - y), x, {"types": (F32,), "kind": "real"}, "vacuous"),
    ],
)  # fmt: skip
def test_proofs(left: object, right: object, more: dict[str, object], answer: str) -> None:
    row = rule(left, right, **more)
    assert prove(row, row.types[0], seconds=5)[0] == answer


def test_a_wrong_rule_is_judged_with_a_counterexample() -> None:
    row = rule(apply("quotient", x, constant(4)), x >> constant(2))
    judgement = judge(row, I8, prover=prover_digest(), seconds=1)
    assert judgement.evidence.verdict == "refuted"
    assert judgement.counterexample is not None
    assert int(judgement.counterexample.inputs["x"]) == -1  # the smallest


@pytest.mark.parametrize(
    ("odd", "types", "kind"),
    [(123_456, I32, "exact"), (1234.5, F32, "exact"), (1232, BF16, "real")],
)
def test_what_only_the_solver_finds_is_refuted(
    odd: float, types: ElementType, kind: Literal["exact", "real"]
) -> None:
    """Wrong at one input of 2^32: tests go by, and the verdict isn't "tested"."""
    wrong = apply("select", apply("eq", x, constant(odd)), x, x - y)
    row = rule(x - y, wrong, kind=kind, types=(types,))
    assert check(row, types, points=1000).failure is None
    judgement = judge(row, types, prover=prover_digest(), seconds=5)
    assert judgement.evidence.verdict == "refuted"
    if kind == "exact":  # over the reals, rounding may hide the difference
        assert judgement.counterexample is not None
        assert float(judgement.counterexample.inputs["x"]) == odd


def test_axes_match_at_every_size() -> None:
    assert [rule.name for rule in all_rules() if loose_axes(rule)] == []
    total = reduce("add", "k", x * y)
    assert loose_axes(rule(total, x * reduce("add", "k", y))) == [("x", "k")]
    assert loose_axes(rule(total, x * reduce("add", "k", y), when=(independent(x, "k"),))) == []
    assert loose_axes(rule(x - x, constant(0))) == []  # a number stands for all axes
    assert loose_axes(rule(x * y - y, x + (y - y), both=True)) == []


def test_signs_are_seen_at_every_format() -> None:
    """A tolerance that goes by the largest operand of all points would swallow this at bf16."""
    row = rule(x - y, y - x, kind="real", types=FLOATS)
    assert all(check(row, type_, points=500).failure for type_ in FLOATS)


def test_evidence_for_a_file_of_my_own(tmp_path: Path) -> None:
    file = tmp_path / "my_rules.py"
    file.write_text(HEAD + "x, y = variables('x y')\nFAMILY.rule('absorb', (x | y) & x, x,"
                    " kind='exact', types=(I8, U64), doc='(x | y) & x = x')\n")  # fmt: skip
    with pytest.raises(RuleError, match="no evidence") as caught:
        own_rules([file], "exact", unproved=False)
    assert "oxegg rules prove" in (caught.value.hint or "")
    assert len(own_rules([file], "exact", unproved=True)) == 1
    rules = load_rules(file)
    outcomes = prove_all(list(rule_subjects(rules)), rules, seconds=2)
    assert {o.judgement.evidence.verdict for o in outcomes} == {"exhaustive", "proved"}
    assert (tmp_path / "my_rules.evidence.json").is_file()
    assert len(own_rules([file], "exact", unproved=False)) == 1
    assert all(o.known for o in prove_all(list(rule_subjects(rules)), rules))
