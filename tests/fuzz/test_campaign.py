"""The campaign itself: it runs, it finds what is planted, it makes failures small."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from oxegg.cli import main
from oxegg.fuzz.campaign import (
    Tally,
    Trial,
    attempt,
    campaign,
    reduced,
    trial,
    write_regressions,
)
from oxegg.fuzz.programs import Sample
from oxegg.fuzz.rule_kernels import RuleSample, rule_sample
from oxegg.ir import check as check_kernel

TRIALS = (1, 4, 9)


def test_trials_are_reproducible() -> None:
    assert [trial(n) for n in range(20)] == [trial(n) for n in range(20)]
    kinds = {type(trial(n).sample) for n in range(20)}
    assert kinds == {Sample, RuleSample}


@pytest.mark.parametrize("number", range(40))
def test_kernels_around_rules_are_well_formed(number: int) -> None:
    check_kernel(rule_sample(number).kernel())


@pytest.mark.parametrize("number", TRIALS)
def test_nothing_disagrees(number: int) -> None:
    assert attempt(trial(number, "algebra.factor"), Tally()) is None


def test_equivalents_agree() -> None:
    tally = Tally()
    assert attempt(trial(2, "reductions.sum-neg", metamorphic=True), tally) is None
    assert tally.runs > 3


def test_a_failure_is_made_small() -> None:
    """Whatever has a step that divides fails: what remains is that step."""
    tried = next(t for n in range(500) if isinstance((t := trial(n)).sample, Sample)
                 and len(t.sample.steps) > 4)  # fmt: skip
    assert isinstance(tried.sample, Sample)
    culprit = tried.sample.steps[2][0]

    def fails(other: Trial) -> str | None:
        assert isinstance(other.sample, Sample)
        return "wrong" if any(step[0] == culprit for step in other.sample.steps) else None

    small, what = reduced(tried, "wrong", fails)
    assert what == "wrong"
    assert isinstance(small.sample, Sample)
    assert small.sample.steps == ((culprit, 0, 0, 0),)
    assert max(small.sample.sizes) == 1


def test_a_failure_around_a_rule_is_made_small() -> None:
    tried = trial(7, "algebra.factor")
    first, _ = reduced(tried, "wrong", lambda other: "wrong")
    assert isinstance(first.sample, RuleSample)
    assert (first.sample.rule, first.sample.type) == (tried.sample.rule, tried.sample.type)  # type: ignore[union-attr]
    kernels = [chosen.kernel() for chosen in (first.sample, tried.sample)]
    sizes = [sum(term.size for term in kernel.inputs) for kernel in kernels]
    assert sizes[0] < sizes[1]


def test_failures_become_tests(tmp_path: Path) -> None:
    tried = trial(3, "algebra.factor")
    (file,) = write_regressions([(tried, "out[0]: got 1, expected 2")], tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", str(file)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fuzz", "--seconds", "0.1", "--rule", "integers.mul-4", "-o", str(tmp_path)]
    assert main(words) == 0
    assert "0 disagreements" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("metamorphic", [False, True])
def test_campaign(metamorphic: bool) -> None:
    tally = campaign(seconds=1800, seed=10_000, metamorphic=metamorphic)
    assert not tally.failures
