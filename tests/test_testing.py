"""The strategies that oxegg gives its users, used as the documentation shows."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings

from oxegg import testing
from oxegg.costmodels import Machine
from oxegg.ir import Axis, Kernel, Term
from oxegg.ir import check as check_kernel
from oxegg.ir.types import I32, I64
from oxegg.rules.pattern import Family, apply, constant, variables

DOCUMENT = Path(__file__).parents[1] / "docs" / "rule-lab.md"


@given(testing.rule_instances())
@settings(max_examples=150)
def test_rules_hold(instance: testing.RuleInstance) -> None:
    testing.holds(instance)


def test_a_wrong_rule_does_not() -> None:
    (x,) = variables("x")
    wrong = Family("wrong")
    wrong.rule("r", apply("quotient", x, constant(4)), x >> constant(2), kind="exact",
               types=(I32, I64), doc="only for x >= 0")  # fmt: skip

    @given(testing.rule_instances(wrong.rules))
    @settings(max_examples=10)
    def run(instance: testing.RuleInstance) -> None:
        testing.holds(instance)

    with pytest.raises(AssertionError, match="is not"):
        run()


@given(testing.terms(), testing.shapes(), testing.machines())
@settings(max_examples=30)
def test_terms_shapes_machines(term: Term, shape: tuple[Axis, ...], machine: Machine) -> None:
    assert term.size >= 1
    assert len({axis.name for axis in shape}) == len(shape)
    assert machine.vlen >= 64


@given(testing.kernels())
@settings(max_examples=30)
def test_kernels_are_well_formed(kernel: Kernel) -> None:
    check_kernel(kernel)


@given(testing.ill_conditioned(64, np.float64))
@settings(max_examples=50)
def test_sums_cancel(pair: tuple[npt.NDArray[Any], npt.NDArray[Any]]) -> None:
    x, y = pair
    products = [float(a) * float(b) for a, b in zip(x, y, strict=True)]
    total = abs(math.fsum(products))
    assert total <= 4 * math.fsum(map(abs, products))


def test_the_example_of_the_documentation_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = DOCUMENT.read_text().split("```python\n")[1:]
    rules, test = (block.split("```")[0] for block in blocks[:2])
    monkeypatch.chdir(tmp_path)
    Path("my_rules.py").write_text(rules)
    names: dict[str, Any] = {}
    exec(compile(test, "test_my_rules.py", "exec"), names)
    ran = [function for name, function in names.items() if name.startswith("test_")]
    assert ran
    for function in ran:
        function()
