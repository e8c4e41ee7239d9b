"""Random kernels, compiled at random for random machines, compute what NumPy's algebra says."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st

from oxegg.costmodels import load_machine
from oxegg.errors import LoweringError
from oxegg.fuzz.programs import LONG, SHAPES, SHORT, TYPES, Sample, sample
from oxegg.fuzz.variants import variants
from oxegg.ir import elementary
from oxegg.verify import check, input_sets

MACHINES = ("ox-tiny", "ox-edge", "ox-card", "ox-dc", "x60", "x280")
MODES = ("exact", "real", "real", "approx")
VARIANTS = 2
INPUT_SETS = 3
# What the compiler may refuse, in mode exact and in any mode, and how many of all kernels at most.
_FUNCTIONS = rf"({'|'.join(elementary.FUNCTIONS)}) \(\w+\)"
_ALONG_AXES = r"(reduce|scan) add \(bf16\)|scan (max|min) \(\w+\)"
REFUSED_EXACTLY = re.compile(rf"no instructions compute ({_FUNCTIONS}|{_ALONG_AXES}|, )+")
REFUSED = re.compile(r"a step of oxegg\.fori (reads other elements|needs a sum) .*")
MOST_REFUSED = 0.1

CHUNKS, KERNELS_PER_CHUNK = 21, 10  # 210 kernels in the fast run
SLOW_CHUNKS, KERNELS_PER_SLOW_CHUNK = 100, 50  # 5000 in the campaign

numbers = st.integers(0, 63)
samples = st.builds(
    Sample,
    st.tuples(*2 * [st.tuples(st.sampled_from(TYPES), st.sampled_from(SHAPES))]),
    st.tuples(*map(st.sampled_from, (LONG, SHORT, SHORT, SHORT[:5]))),
    st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=1, max_size=6).map(tuple),
    st.integers(1, 2),
)


def outcome(kernel_sample: Sample, number: int) -> str:
    """Compile and check in ``VARIANTS`` ways: "correct", or why the compiler refuses."""
    rng = random.Random(number)
    machine, mode = load_machine(rng.choice(MACHINES)), rng.choice(MODES)
    kernel = kernel_sample.kernel()
    sets = input_sets(kernel, seed=number, nonfinite=mode == "exact")[:INPUT_SETS]
    roundoffs = [o.value.type.unit_roundoff for o in kernel.outputs if o.value.type.is_float]
    eps = 16 * max(roundoffs, default=0.0) if mode == "approx" else 0.0
    try:
        for variant in variants(kernel, machine, mode, rng, VARIANTS):
            verdict = check(kernel, variant.runner, mode=mode, eps=eps, sets=sets)
            place = f"{kernel_sample} for {machine.name}, mode {mode}, {variant}"
            assert not verdict.failures, f"{place}: {verdict.failures[0]}"
    except LoweringError as error:
        exact = mode == "exact" and REFUSED_EXACTLY.fullmatch(error.message)
        if not exact and not REFUSED.fullmatch(error.message):
            raise
        return "refused"
    return "correct"


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_kernels(chunk: int) -> None:
    outcomes: Counter[str] = Counter()

    @seed(chunk)
    @settings(
        max_examples=KERNELS_PER_CHUNK,
        derandomize=False,
        phases=(Phase.generate, Phase.shrink),
    )
    @given(samples, st.integers(0, 1 << 30))
    def run(kernel_sample: Sample, number: int) -> None:
        outcomes[outcome(kernel_sample, number)] += 1

    run()
    assert outcomes["correct"] >= (1 - 2 * MOST_REFUSED) * outcomes.total(), outcomes


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(SLOW_CHUNKS))
def test_campaign(chunk: int) -> None:
    """By our own generator, which makes larger programs than hypothesis; nothing shrinks here."""
    first = chunk * KERNELS_PER_SLOW_CHUNK
    outcomes = Counter(
        outcome(sample(number), number) for number in range(first, first + KERNELS_PER_SLOW_CHUNK)
    )
    assert outcomes["correct"] >= (1 - MOST_REFUSED) * outcomes.total(), outcomes
