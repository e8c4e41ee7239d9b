"""Hypothesis strategies for tests of rules, instructions and kernels of one's own.

A rule file, tested in a few lines::

    from hypothesis import given
    from oxegg.rules.load import load_rules
    from oxegg.testing import holds, rule_instances

    @given(rule_instances(load_rules("my_rules.py")))
    def test_my_rules(instance):
        holds(instance)

The strategies need hypothesis, which oxegg itself doesn't: install it beside oxegg.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from oxegg.costmodels import Machine, load_machine, machine_names
from oxegg.fuzz.programs import LONG, SHAPES, SHORT, TYPES, Sample
from oxegg.fuzz.rule_kernels import RuleSample
from oxegg.ir import Axis, Kernel, Term, input_, pointwise, reduce
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.types import FLOATS, INTEGERS, ElementType
from oxegg.rule_lab.instances import POINTS, axes_of, both_sides, instantiate, random_inputs, same
from oxegg.rule_lab.ladder import check
from oxegg.rules import all_rules
from oxegg.rules.pattern import Rule
from oxegg.verify import check as verify

Array = npt.NDArray[Any]
__all__ = [
    "RuleInstance",
    "computes",
    "element_types",
    "holds",
    "ill_conditioned",
    "kernels",
    "machines",
    "rule_instances",
    "samples",
    "shapes",
    "terms",
]


def element_types(kinds: str = "float int uint") -> st.SearchStrategy[ElementType]:
    """Element types of some kinds."""
    return st.sampled_from([t for t in (*FLOATS, *INTEGERS) if t.kind in kinds.split()])


def shapes(most: int = 3, largest: int = 40) -> st.SearchStrategy[tuple[Axis, ...]]:
    """Named axes with sizes: 1, odd ones and powers of two among them."""
    sizes = st.one_of(st.integers(1, largest), st.sampled_from([1, 2, 4, 8, 16, 32]))
    return st.lists(sizes, min_size=1, max_size=most).map(
        lambda found: tuple(Axis(name, size) for name, size in zip("ijklmn", found, strict=False))
    )


def machines(names: Sequence[str] | None = None) -> st.SearchStrategy[Machine]:
    """Machines that come with oxegg, or those of ``names``."""
    return st.sampled_from(list(names or machine_names())).map(load_machine)


@st.composite
def terms(draw: st.DrawFn, type_: ElementType | None = None, most: int = 6) -> Term:
    """A term of up to ``most`` operations over two inputs ``x`` and ``y`` of one type."""
    own = type_ or draw(element_types())
    layout = draw(shapes())
    pool: list[Term] = [input_("x", own, layout), input_("y", own, layout[:1])]
    names = [n for n, o in OPERATIONS.items() if o.types == "same" and o.accepts(own)
             and n not in _PARTIAL]  # fmt: skip
    for _ in range(draw(st.integers(1, most))):
        name = draw(st.sampled_from([*names, "sum"]))
        if name == "sum":
            operand = draw(st.sampled_from(pool))
            if operand.axes:
                pool.append(reduce("add", draw(st.sampled_from(operand.axes)), operand))
            continue
        operands = [draw(st.sampled_from(pool)) for _ in range(OPERATIONS[name].arity)]
        pool.append(pointwise(name, *operands))
    return pool[-1]


# Operations that few machines have, or whose reference is slow.
_PARTIAL = ("reciprocal_estimate", "rsqrt_estimate", "gelu", "expm1", "log1p", "mulh")

_numbers = st.integers(0, 63)
samples: st.SearchStrategy[Sample] = st.builds(
    Sample,
    st.tuples(*2 * [st.tuples(st.sampled_from(TYPES), st.sampled_from(SHAPES))]),
    st.tuples(*map(st.sampled_from, (LONG, SHORT, SHORT, SHORT[:5]))),
    st.lists(st.tuples(_numbers, _numbers, _numbers, _numbers), min_size=1, max_size=6).map(tuple),
    st.integers(1, 2),
)
"""NumPy programs: they shrink by dropping steps."""


def kernels(around: Sequence[Rule] = ()) -> st.SearchStrategy[Kernel]:
    """Kernels: NumPy programs, and the left sides of rules with something around them."""
    rules = [r for r in around or all_rules() if r.kind != "approx"]
    rows = [RuleSample(r.name, t.name, 0) for r in rules for t in r.types]

    def around_rule(row: RuleSample, seed: int) -> Kernel:
        return RuleSample(row.rule, row.type, seed).kernel()

    around_rules = st.builds(around_rule, st.sampled_from(rows), st.integers(0, 1 << 20))
    return st.one_of(around_rules, samples.map(Sample.kernel))


@dataclass(frozen=True)
class RuleInstance:
    """A rule at a type, on one draw of inputs."""

    rule: Rule
    type: ElementType
    seed: int

    def __repr__(self) -> str:
        return f"{self.rule.name}@{self.type} (seed {self.seed})"


def rule_instances(rules: Sequence[Rule] = ()) -> st.SearchStrategy[RuleInstance]:
    """Instances of oxegg's rules, or of those given."""
    pairs = [(r, t) for r in rules or all_rules() for t in r.types]

    def instance(pair: tuple[Rule, ElementType], seed: int) -> RuleInstance:
        return RuleInstance(*pair, seed)

    return st.builds(instance, st.sampled_from(pairs), st.integers(0, 1 << 20))


def holds(instance: RuleInstance, points: int = 64) -> None:
    """Assert that both sides are equal: exact rules to the bit on this draw's inputs."""
    rule, type_ = instance.rule, instance.type
    if rule.kind != "exact":
        failure = check(rule, type_, points=points).failure
        assert failure is None, failure
        return
    sizes = {name: 1 + instance.seed % 5 for name in axes_of(rule)}
    sides = instantiate(rule, type_, {**sizes, POINTS: points})
    arrays = random_inputs(sides, instance.seed, special=bool(instance.seed % 2))
    left, right = both_sides(sides, arrays)
    wrong = ~same(left, right)
    assert not wrong.any(), f"{instance}: {left[wrong][0]!r} is not {right[wrong][0]!r}"


def computes(compiled: Any, mode: str = "real", seed: int = 0) -> None:
    """Assert that a compiled kernel's machine code computes what its source says."""
    verdict = verify(compiled.kernel, compiled.search.best.runner, mode=mode, seed=seed)  # type: ignore[arg-type]
    assert verdict.correct, verdict.failures[:1]


@st.composite
def ill_conditioned(
    draw: st.DrawFn, size: int, dtype: npt.DTypeLike = np.float32, worst: float = 1e12
) -> tuple[Array, Array]:
    """Vectors x, y whose sum(x * y) cancels: of condition up to ``worst``, by construction."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    condition = 10.0 ** draw(st.floats(0, float(np.log10(worst))))
    half = size // 2
    scale = np.exp2(rng.uniform(0, np.log2(condition), half))
    x = np.concatenate([rng.standard_normal(half) * scale, np.zeros(size - half)])
    y = np.concatenate([rng.standard_normal(half), np.zeros(size - half)])
    x[half : 2 * half] = -x[:half]
    y[half : 2 * half] = y[:half] * (1 + rng.standard_normal(half) / condition)
    order = rng.permutation(size)
    kind = np.dtype(dtype)
    return x[order].astype(kind), y[order].astype(kind)
