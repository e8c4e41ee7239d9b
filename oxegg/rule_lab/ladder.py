"""The evidence ladder: what is shown about one instance of a rule, from tests to proofs.

1. well-formed, 2. not vacuous (:mod:`oxegg.rules.wellformed`), 3. every input of small formats,
4. corner and random values at the real widths, 5. the solver at every width, 6. tensor rules at
every shape up to 4 per axis with symbolic elements, and their axes at any size. The seventh rung,
whole kernels on the simulator, is ``oxegg fuzz`` and the verifier.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.ir import Term
from oxegg.ir.types import BOOL, ElementType
from oxegg.rule_lab.accuracy import accuracy, states_accuracy
from oxegg.rule_lab.axis_algebra import loose_axes
from oxegg.rule_lab.instances import (
    POINTS,
    Sides,
    axes_of,
    both_sides,
    instantiate,
    random_inputs,
    same,
)
from oxegg.rules.evidence import Evidence, digest
from oxegg.rules.pattern import Rule

Array = npt.NDArray[Any]
SHAPES = range(1, 5)  # sizes of each reduced axis that proofs go through
TESTED_SIZES = {"k": 5, "j": 3}
MOST_BITS = 16  # inputs of that many bits altogether are all tried
_ALGEBRA = ("smt", "reals", "symbolic", "proof")
FORMULAS: dict[str, tuple[str, ...]] = {
    "rule": _ALGEBRA,
    "vector": (*_ALGEBRA, "isa_smt", "selection_proof"),
    "scalar": (*_ALGEBRA, "isa_smt", "scalar_proof"),
}
"""The modules that make the solver's formulas, by what is proved."""
_TOLERANCE = 40  # roundings by which two ways to one real value may differ


@dataclass(frozen=True)
class Counterexample:
    """Inputs on which the sides differ: values by input name, and what each side gives."""

    inputs: dict[str, Any]
    left: Any
    right: Any
    points: int  # how many of the tried inputs differ


@dataclass(frozen=True)
class Tested:
    """Tests of one instance: how many inputs, whether all there are, and the first that failed."""

    samples: int
    exhaustive: bool
    failure: Counterexample | None = None


@dataclass(frozen=True)
class Judgement:
    """The evidence for an instance, with the counterexample of a refuted one."""

    evidence: Evidence
    counterexample: Counterexample | None = None


def judge(
    rule: Rule, type_: ElementType, *, prover: str, seconds: float, points: int = 5200
) -> Judgement:
    """Climb the ladder as far as it goes; ``prover`` is :func:`prover_digest`.

    ``seconds`` limits each call of the solver.
    """
    key = digest(rule, type_)
    tested = check(rule, type_, points=points)
    if tested.failure is not None:
        return Judgement(Evidence(key, "refuted", "a test", tested.samples), tested.failure)
    if tested.exhaustive:
        return Judgement(Evidence(key, "exhaustive", "every input", tested.samples))
    answer, how, found = prove(rule, type_, seconds=seconds)
    if answer == "proved":
        return Judgement(Evidence(key, "proved", how, tested.samples, prover))
    if answer == "vacuous":
        return Judgement(Evidence(key, "refuted", how, tested.samples, prover))
    # A row that states an error is no identity. In an exact row the solver tells NaNs apart that
    # count as one: its example then shows no difference.
    if answer == "refuted" and not rule.error_ulps and (found or rule.kind != "exact"):
        return Judgement(Evidence(key, "refuted", how, tested.samples, prover), found)
    return Judgement(Evidence(key, "tested", f"{_method(rule)}; {how}", tested.samples, prover))


def _method(rule: Rule) -> str:
    return "error in ulps over the domain" if states_accuracy(rule) else "corner and random values"


# ------------------------------------------------------------------ tests


@np.errstate(all="ignore")  # signalling NaNs are among the inputs
def check(rule: Rule, type_: ElementType, *, points: int) -> Tested:
    """Rungs 3 and 4: every input where there are few, else corner and random values."""
    if states_accuracy(rule):
        return _check_accuracy(rule, type_, 2 * points)
    sizes = {name: TESTED_SIZES.get(name, 3) for name in axes_of(rule)}
    if rule.kind == "exact" and not sizes:
        sides = instantiate(rule, type_, {POINTS: 1})
        if sum(term.type.bits for term in sides.inputs) <= MOST_BITS:
            return _check_everything(rule, type_)
    sides = instantiate(rule, type_, {**sizes, POINTS: points})
    failures = (
        differing(rule, type_, sides, random_inputs(sides, seed, special=flag, positive=not seed))
        for seed, flag in enumerate((rule.kind == "exact", False))
    )
    return Tested(2 * points, False, next((f for f in failures if f is not None), None))


def _check_everything(rule: Rule, type_: ElementType) -> Tested:
    arrays: dict[str, Array] = {}
    names = instantiate(rule, type_, {POINTS: 1}).inputs
    count = 1 << sum(term.type.bits for term in names)
    sides = instantiate(rule, type_, {POINTS: count})
    counter, shift = np.arange(count, dtype=np.uint32), 0
    for term in sides.inputs:
        pattern = (counter >> shift) & ((1 << term.type.bits) - 1)
        shift += term.type.bits
        if term.type is BOOL:
            arrays[term.attributes[0]] = pattern.astype(np.bool_)
        else:
            raw = pattern.astype(f"u{term.type.bytes}")
            arrays[term.attributes[0]] = raw.view(term.type.numpy)
    return Tested(count, True, _exactly(sides, arrays))


def _check_accuracy(rule: Rule, type_: ElementType, samples: int) -> Tested:
    found = accuracy(rule, type_, samples)
    failure = None
    if found.ulps > rule.error_ulps:
        failure = Counterexample(
            {"x": found.at}, f"{rule.error_ulps:g} ulps stated", f"{found.ulps:.3g} ulps off", 1
        )
    return Tested(found.samples, found.exhaustive, failure)


def differing(
    rule: Rule, type_: ElementType, sides: Sides, arrays: Mapping[str, Array]
) -> Counterexample | None:
    """Where the sides differ: in any bit for kind "exact", else by more than rounding."""
    return _exactly(sides, arrays) if rule.kind == "exact" else _nearly(rule, type_, sides, arrays)


def _exactly(sides: Sides, arrays: Mapping[str, Array]) -> Counterexample | None:
    left, right = both_sides(sides, arrays)
    return _first(sides, arrays, ~same(left, right), left, right)


def _nearly(
    rule: Rule, type_: ElementType, sides: Sides, arrays: Mapping[str, Array]
) -> Counterexample | None:
    """Equal over the reals: what rounding changes is small against the operands."""
    left, right = both_sides(sides, arrays)
    wide = [v.astype(np.float64) for v in (left, right)]
    roundings = _TOLERANCE + 4 * rule.error_ulps
    with np.errstate(invalid="ignore"):
        scale = np.maximum(np.abs(wide[0]), _operands(sides, arrays) ** 2)
        wrong = np.abs(wide[0] - wide[1]) > roundings * type_.unit_roundoff * scale
        wrong |= np.isnan(wide[0]) != np.isnan(wide[1])
    return _first(sides, arrays, wrong & np.isfinite(wide[0]), left, right)


def _operands(sides: Sides, arrays: Mapping[str, Array]) -> Array:
    """The largest operand of each point (at least 1), in the layout of the results."""
    magnitudes = [np.abs(array.astype(np.float64)) for array in arrays.values()]
    largest = [m.max(axis=tuple(range(m.ndim - 1)), initial=1) for m in magnitudes]
    axes = sorted({*sides.left.axes, *sides.right.axes}, key=lambda a: a.name)
    return np.max(largest, axis=0).reshape([-1 if a.name == POINTS else 1 for a in axes])


def _first(
    sides: Sides, arrays: Mapping[str, Array], wrong: Array, left: Array, right: Array
) -> Counterexample | None:
    """The counterexample that reads best: the one with the smallest numbers."""
    if not wrong.any():
        return None
    places = np.argwhere(wrong)[:500]
    axes = sorted({*sides.left.axes, *sides.right.axes}, key=lambda a: a.name)
    at_point = [a.name for a in axes].index(POINTS)

    def size(place: Array) -> float:
        numbers = [a[..., place[at_point]].astype(np.float64) for a in arrays.values()]
        plain = [float(np.nan_to_num(np.abs(n), nan=1e300, posinf=1e300).max()) for n in numbers]
        return sum(plain)

    best = tuple(min(places, key=size))
    inputs = {name: a[..., best[at_point]] for name, a in arrays.items()}
    return Counterexample(inputs, left[best], right[best], int(wrong.sum()))


# ------------------------------------------------------------------ proofs


def shapes(rule: Rule) -> Iterator[dict[str, int]]:
    """Every shape that a rule is proved at; elements off the reduced axes don't meet."""
    names = axes_of(rule)
    for sizes in itertools.product(SHAPES, repeat=len(names)):
        yield {**dict(zip(names, sizes, strict=True)), POINTS: 1}


def prove(
    rule: Rule, type_: ElementType, *, seconds: float
) -> tuple[str, str, Counterexample | None]:
    """Rungs 5 and 6: the solver's answer at every shape, how it was reached, and what refutes it.

    The solver's example is run by the reference; None where that sees no difference.
    """
    from oxegg.rule_lab.proof import prove_sides

    loose = loose_axes(rule)
    if loose:
        variable, axis = loose[0]
        return "refuted", f"only one side depends on {axis} by way of {variable}", None
    world = "to the bit" if rule.kind == "exact" else "over the reals"
    for sizes in shapes(rule):
        sides = instantiate(rule, type_, sizes)
        limit = seconds * math.prod(sizes.values())  # larger shapes, longer formulas
        found = prove_sides(sides, rule.kind, seconds=limit, both=rule.both)
        if found.answer != "proved":
            reason = {
                "unknown": f"solver undecided after {limit:g} s",
                "no semantics": "the solver has no formula for it",
                "refuted": f"not an identity {world}",
                "vacuous": "no input gives the left side a meaning",
            }[found.answer]
            model = found.counterexample
            return found.answer, reason, _replayed(sides, model) if model is not None else None
    where = "every shape up to 4 per axis, symbolic elements, " if axes_of(rule) else ""
    return "proved", f"z3, {where}{world}", None


@np.errstate(all="ignore")
def _replayed(sides: Sides, model: Mapping[str, int]) -> Counterexample | None:
    """The solver's example, if the reference gives different bits on it, too."""
    arrays = {term.attributes[0]: _from_model(term, model) for term in sides.inputs}
    return _exactly(sides, arrays)


def _from_model(term: Term, model: Mapping[str, int]) -> Array:
    name, layout = term.attributes[:2]
    shape = [axis.size for axis in layout]
    stored = np.dtype(np.bool_) if term.type is BOOL else np.dtype(f"u{term.type.bytes}")
    bits = np.zeros(shape, stored)
    for place in np.ndindex(*shape):
        bits[place] = model.get(name + "".join(f".{i}" for i in place), 0)
    return bits.view(term.type.numpy)


@cache
def prover_digest(kind: str = "rule") -> str:
    """Changes when the solver or a formula does: proofs made with the old one are made again."""
    here = Path(__file__).parent
    text = "".join((here / f"{name}.py").read_text() for name in FORMULAS[kind])
    return f"z3 {version('z3-solver')} {hashlib.sha256(text.encode()).hexdigest()[:12]}"
