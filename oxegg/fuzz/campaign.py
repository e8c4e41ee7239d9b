"""The campaign: kernel after kernel, compiled in several ways, each run against the reference."""

from __future__ import annotations

import hashlib
import random
import re
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import which

from oxegg.costmodels import Machine, load_machine
from oxegg.errors import EmitError, LoweringError
from oxegg.fuzz.equivalents import equivalents
from oxegg.fuzz.programs import Sample, sample
from oxegg.fuzz.rule_kernels import RuleSample, rule_sample
from oxegg.fuzz.variants import variants
from oxegg.ir import Kernel, topological
from oxegg.search import compile as compile_kernel
from oxegg.verify import check, field_check, input_sets

AnySample = Sample | RuleSample
MACHINES = ("ox-tiny", "ox-edge", "ox-card", "ox-dc", "x60", "x280")
VECTOR_ONLY = ("x60", "x280")  # what QEMU can run, too
MODES = ("exact", "real", "real", "approx")
WAYS, INPUT_SETS, QEMU_EVERY = 2, 3, 8
MOST_SURROUNDINGS = 24  # of a rule, that a reduction looks at
QEMU = "qemu-riscv64"
_ONES = "rvv_ta_all_1s=true,rvv_ma_all_1s=true"
# QEMU 7.2 dies of an assertion on these unless an instruction with dynamic rounding comes first,
# and it has no half precision.
_FATAL_TO_QEMU = re.compile(r"\bvf[wn]?cvt\.rtz\.")
_NO_QEMU = ("f16", "bf16")


@dataclass(frozen=True)
class Trial:
    """What to compile and how: everything a regression test needs."""

    sample: AnySample
    machine: str
    mode: str
    number: int
    metamorphic: bool = False

    def __str__(self) -> str:
        ways = "equivalents" if self.metamorphic else "variants"
        return f"{self.sample} for {self.machine}, mode {self.mode}, {ways} {self.number}"


@dataclass
class Tally:
    """What a campaign did.

    ``undecided``: trials with a program whose bits differ where nothing else can be compared:
    rounding errors decide all results (the root of a difference that should be 0), or something
    overflows on the way to all of them. None of these disagrees over finite fields.
    """

    programs: int = 0
    runs: int = 0
    instructions: int = 0
    refused: int = 0
    under_qemu: int = 0
    over_fields: int = 0
    undecided: set[Trial] = field(default_factory=set[Trial])
    rules: set[str] = field(default_factory=set[str])
    failures: list[tuple[Trial, str]] = field(default_factory=list[tuple[Trial, str]])
    reasons: Counter[str] = field(default_factory=Counter[str])


def trial(number: int, rule: str | None = None, *, metamorphic: bool = False) -> Trial:
    """Number ``number`` of the campaign: half are NumPy programs, half are built around rules."""
    rng = random.Random(number)
    around_rule = rule is not None or rng.random() < 0.5
    chosen = rule_sample(number, rule) if around_rule else sample(number)
    return Trial(chosen, rng.choice(MACHINES), rng.choice(MODES), number, metamorphic)


def attempt(tried: Trial, tally: Tally) -> str | None:
    """Compile and run in several ways; the first disagreement as text, None where there is none."""
    kernel = tried.sample.kernel()
    machine, mode = load_machine(tried.machine), tried.mode
    sets = input_sets(kernel, seed=tried.number, nonfinite=mode == "exact")[:INPUT_SETS]
    roundoffs = [o.value.type.unit_roundoff for o in kernel.outputs if o.value.type.is_float]
    eps = 16 * max(roundoffs, default=0.0) if mode == "approx" else 0.0
    ways = (
        equivalents(kernel, machine, mode, 2 * WAYS)
        if tried.metamorphic
        else variants(kernel, machine, mode, random.Random(tried.number), WAYS)
    )
    for variant in ways:
        verdict = check(kernel, variant.runner, mode=mode, eps=eps, sets=sets)  # type: ignore[arg-type]
        tally.runs += len(sets)
        tally.instructions += len(variant.runner.code) // 4
        run, computed = variant.runner.over, variant.computed
        exactly = field_check(kernel, run, computed, mode=mode, seed=tried.number)
        tally.over_fields += exactly.agrees is not None
        if exactly.agrees is False:
            return f"{variant}: {exactly}"
        if verdict.failures and verdict.bounded:
            return f"{variant}: {verdict.failures[0]}"
        if verdict.failures:
            tally.undecided.add(tried)
    if tried.machine in VECTOR_ONLY and tried.number % QEMU_EVERY == 0 and which(QEMU):
        return _under_qemu(kernel, machine, mode, tally)
    return None


def _under_qemu(kernel: Kernel, machine: Machine, mode: str, tally: Tally) -> str | None:
    """The self-checking program under QEMU, which knows nothing of our simulator."""
    terms = topological([*kernel.inputs, *(o.value for o in kernel.outputs)])
    if any(term.type.name in _NO_QEMU for term in terms):
        return None
    compiled = compile_kernel(kernel, machine=machine, mode=mode, seconds=2.0, peers=())
    if _FATAL_TO_QEMU.search(compiled.assembly):
        return None
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "kernel.elf"
        program.write_bytes(compiled.elf_bytes)
        program.chmod(0o755)
        cpu = f"rv64,v=true,vlen={machine.vlen},vext_spec=v1.0,{_ONES}"
        done = subprocess.run([QEMU, "-cpu", cpu, str(program)], check=False, timeout=120)
    tally.under_qemu += 1
    return None if done.returncode == 0 else f"QEMU: the program's exit code is {done.returncode}"


def guarded(tried: Trial, tally: Tally) -> str | None:
    """As :func:`attempt`; a refusal is no failure, any other exception is one."""
    try:
        return attempt(tried, tally)
    except (LoweringError, EmitError) as error:
        tally.refused += 1
        tally.reasons[error.message[:70]] += 1
        return None
    except Exception as error:  # whatever a random kernel provokes is a bug
        return f"{type(error).__name__}: {error}"


def campaign(
    *,
    seconds: float,
    seed: int = 0,
    rule: str | None = None,
    metamorphic: bool = False,
    most: int | None = None,
    tick: Callable[[Tally], None] = lambda tally: None,
) -> Tally:
    """Trials from number ``seed`` upwards until the time is up; each failure is reduced."""
    tally = Tally()
    started, number = time.monotonic(), seed
    while time.monotonic() - started < seconds and most != tally.programs:
        tried = trial(number, rule, metamorphic=metamorphic)
        failure = guarded(tried, tally)
        tally.programs += 1
        if isinstance(tried.sample, RuleSample):
            tally.rules.add(tried.sample.rule)
        if failure is not None:
            tally.failures.append(reduced(tried, failure))
        number += 1
        tick(tally)
    return tally


# ------------------------------------------------------------------ reduction


def reduced(
    tried: Trial, failure: str, fails: Callable[[Trial], str | None] | None = None
) -> tuple[Trial, str]:
    """A smaller trial that fails, too: steps dropped, sizes and numbers made smaller.

    Around a rule: other sizes and surroundings, as long as the kernel gets smaller.
    """

    def default(smaller: Trial) -> str | None:
        return guarded(smaller, Tally())

    judge = fails or default
    while True:
        for smaller in _smaller(tried):
            found = judge(smaller)
            if found is not None:
                tried, failure = smaller, found
                break
        else:
            return tried, failure


def _smaller(tried: Trial) -> Iterator[Trial]:
    chosen = tried.sample
    if isinstance(chosen, RuleSample):
        others = [replace(chosen, seed=seed) for seed in range(MOST_SURROUNDINGS)]
        for other in sorted((o for o in others if _work(o) < _work(chosen)), key=_work):
            yield replace(tried, sample=other)
        return
    steps = chosen.steps
    for length in (len(steps) // 2, 1):
        for start in range(0, len(steps), max(length, 1)):
            fewer = steps[:start] + steps[start + length :]
            if length and fewer:
                yield replace(tried, sample=replace(chosen, steps=fewer))
    if chosen.results > 1:
        yield replace(tried, sample=replace(chosen, results=1))
    for place, size in enumerate(chosen.sizes):
        for other in {1, 2, size // 2} - {0}:
            if other < size:
                sizes = (*chosen.sizes[:place], other, *chosen.sizes[place + 1 :])
                yield replace(tried, sample=replace(chosen, sizes=sizes))
    for place, step in enumerate(steps):
        for field_ in range(1, 4):
            if step[field_]:
                zeroed = (*step[:field_], 0, *step[field_ + 1 :])
                changed = (*steps[:place], zeroed, *steps[place + 1 :])
                yield replace(tried, sample=replace(chosen, steps=changed))


def _work(chosen: RuleSample) -> int:
    """Elements that a kernel computes."""
    kernel = chosen.kernel()
    return sum(term.size for term in topological([out.value for out in kernel.outputs]))


# ------------------------------------------------------------------ regression tests

_TEST = '''"""Found by `oxegg fuzz`: {failure}"""

from oxegg.fuzz.campaign import Tally, Trial, attempt
from oxegg.fuzz.programs import Sample
from oxegg.fuzz.rule_kernels import RuleSample

TRIAL = {trial!r}
_ = Sample, RuleSample


def test_regression_{name}() -> None:
    assert attempt(TRIAL, Tally()) is None
'''


def write_regressions(failures: Sequence[tuple[Trial, str]], folder: Path) -> list[Path]:
    """One test file per failure, named by what fails."""
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    for tried, failure in failures:
        name = hashlib.sha256(repr(tried).encode()).hexdigest()[:8]
        file = folder / f"test_fuzz_{name}.py"
        first = failure.splitlines()[0].replace('"', "'")[:80]
        file.write_text(_TEST.format(failure=first, trial=tried, name=name))
        files.append(file)
    return files
