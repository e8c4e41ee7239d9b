"""Random programs compute the same before and after scheduling, allocation and spilling."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oxegg.costmodels import load_machine
from oxegg.emit.backend import generate
from tests.emit.backend.execution import agrees
from tests.emit.backend.random_programs import Recipe, sample

MACHINES = ("ox-tiny", "ox-edge", "ox-card")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


def recipes(operations: int, *, crowded: bool) -> st.SearchStrategy[Recipe]:
    """``crowded``: more registers than the files hold."""
    most = (30, 12, 6, 3) if crowded else (8, 4, 2, 1)
    return st.builds(
        Recipe,
        st.tuples(*(st.integers(0, limit) for limit in most)),
        st.integers(0, 4),
        st.integers(0, 34 if crowded else 12),
        st.integers(0, 36 if crowded else 6),
        st.integers(1, operations),
        st.integers(0, 3),
        st.integers(0, 2**32),
    )


@settings(max_examples=40)
@given(recipes(40, crowded=False), st.sampled_from(MACHINES), st.booleans())
def test_programs(directory: Path, recipe: Recipe, name: str, scheduling: bool):
    machine = load_machine(name)
    agrees(sample(recipe, machine.vlen), machine, directory, scheduling=scheduling)


@settings(max_examples=12)
@given(recipes(30, crowded=True), st.sampled_from(MACHINES))
def test_programs_that_spill(directory: Path, recipe: Recipe, name: str):
    machine = load_machine(name)
    agrees(sample(recipe, machine.vlen), machine, directory)


@pytest.mark.slow
@settings(max_examples=1000)
@given(recipes(150, crowded=True), st.sampled_from(MACHINES), st.booleans())
def test_many_programs(directory: Path, recipe: Recipe, name: str, scheduling: bool):
    machine = load_machine(name)
    agrees(sample(recipe, machine.vlen), machine, directory, scheduling=scheduling)


def test_the_crowded_recipes_do_spill():
    machine = load_machine("ox-tiny")
    recipe = Recipe((20, 10, 4, 2), 3, 34, 36, 30, 2, 7)
    statistics = generate(sample(recipe, machine.vlen).program, machine).statistics
    assert statistics.spills > 10
    assert statistics.reloads > 10
