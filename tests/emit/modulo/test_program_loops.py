"""Software pipelines of random programs with loops compute what the programs say."""

from pathlib import Path

import pytest

from oxegg.costmodels import load_machine
from oxegg.emit.backend import generate_pipelined
from oxegg.emit.executable import executable
from oxegg.emit.modulo.synthesize import Effort
from tests.emit.backend.execution import exit_code, sample_arguments
from tests.emit.backend.random_programs import Recipe, sample

MACHINES = [load_machine(name) for name in ("ox-card", "ox-edge")]


def check(seed: int, directory: Path) -> int:
    """Pipelined loops of one random program, after its results were compared."""
    machine = MACHINES[seed % len(MACHINES)]
    recipe = Recipe((4, 1, 0, 0), seed % 2, 5, 3, 8 + seed % 30, 1 + seed % 2, seed)
    one = sample(recipe, machine.vlen)
    code = generate_pipelined(one.program, machine, Effort())
    if code is None:
        return 0
    elf = executable(code.code, sample_arguments(one, machine.vlen, seed))
    assert exit_code(elf, machine, directory) == 0, f"{one.program}\n{code.assembly}"
    return sum(loop.schedule is not None and loop.schedule.stages > 1 for loop in code.loops)


def test_pipelined_programs_agree_with_the_interpreter(tmp_path: Path) -> None:
    assert sum(check(seed, tmp_path) for seed in range(24)) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("hundred", range(20))
def test_two_thousand_programs(hundred: int, tmp_path: Path) -> None:
    for seed in range(100 * hundred, 100 * hundred + 100):
        check(seed, tmp_path)
