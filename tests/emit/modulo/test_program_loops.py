"""Software pipelines of random programs with loops compute what the programs say."""

from pathlib import Path

import pytest

from oxegg.costmodels import load_machine
from oxegg.emit.backend import MachineCode, generate_pipelined
from oxegg.emit.executable import executable
from oxegg.emit.modulo.synthesize import Effort
from oxegg.emit.program import loops, operations
from oxegg.emit.spill import is_added
from tests.emit.backend.execution import exit_code, sample_arguments
from tests.emit.backend.random_programs import Recipe, sample

MACHINES = [load_machine(name) for name in ("ox-card", "ox-edge")]


FEW, MANY = (4, 1, 0, 0), (26, 1, 2, 0)
"""Vector registers of one, two, four and eight that a program keeps alive."""


def pipelined(seed: int, vectors: tuple[int, int, int, int], directory: Path) -> MachineCode | None:
    """One random program with its loops pipelined, after its results were compared."""
    machine = MACHINES[seed % len(MACHINES)]
    recipe = Recipe(vectors, seed % 2, 5, 3, 8 + seed % 30, 1 + seed % 2, seed)
    one = sample(recipe, machine.vlen)
    code = generate_pipelined(one.program, machine, Effort())
    if code is not None:
        elf = executable(code.code, sample_arguments(one, machine.vlen, seed))
        assert exit_code(elf, machine, directory) == 0, f"{one.program}\n{code.assembly}"
    return code


def check(seed: int, directory: Path) -> int:
    """Loops of overlapping iterations in one random program."""
    code = pipelined(seed, FEW, directory)
    reports = code.loops if code else ()
    return sum(loop.schedule is not None and loop.schedule.stages > 1 for loop in reports)


def test_pipelined_programs_agree_with_the_interpreter(tmp_path: Path) -> None:
    assert sum(check(seed, tmp_path) for seed in range(24)) >= 3


@pytest.mark.parametrize("seed", [48, 81, 224, 297])
def test_spill_code_stays_outside_of_pipelines(seed: int, tmp_path: Path) -> None:
    code = pipelined(seed, MANY, tmp_path)
    assert code is not None
    assert code.statistics.spills
    planned = {loop.label for loop in code.loops if loop.schedule}
    bodies = [loop.body for loop in loops(code.program.body) if loop.label in planned]
    assert bodies
    assert not any(is_added(op) for body in bodies for op in operations(body))


@pytest.mark.slow
@pytest.mark.parametrize("hundred", range(20))
def test_two_thousand_programs(hundred: int, tmp_path: Path) -> None:
    for seed in range(100 * hundred, 100 * hundred + 100):
        check(seed, tmp_path)
        pipelined(seed, MANY, tmp_path)
