"""What a short simulation doesn't need, it doesn't import."""

import subprocess
import sys

import pytest

from tests.sim.programs import Layout, assemble, constant, write_image

EXIT_CALL = 93
PROBE = """
import sys
from oxegg.cli import main
assert main(["sim", sys.argv[1], "--machine", "ox-card"]) == 0
print(*sys.modules)
"""
UNUSED = (
    "rich", "llvmlite", "ortools", "egglog", "scipy", "importlib.metadata",
    "oxegg.sim.domains", "oxegg.sim.custom", "oxegg.sim.vector", "oxegg.sim.simt_run",
    "oxegg.sim.native_region", "oxegg.frontend", "oxegg.search", "oxegg.rules",
)  # fmt: skip
OWN_MODULES = 100
"""Each costs about a millisecond; numpy and pyelftools together cost as much as all of them."""


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The modules that are loaded after a program has done nothing but exit."""
    program = tmp_path_factory.mktemp("start") / "exit.elf"
    code = assemble([*constant(10, 0), *constant(17, EXIT_CALL), ("ecall",)])
    write_image(program, Layout(), code, b"", 64, {})
    command = [sys.executable, "-c", PROBE, str(program)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_a_scalar_program_starts_without_what_it_does_not_use(modules: set[str]):
    assert modules.isdisjoint(UNUSED)
    assert {"numpy", "elftools", "oxegg.sim.engine"} <= modules


def test_the_number_of_modules_stays_small(modules: set[str]):
    assert len({name for name in modules if name.startswith("oxegg")}) <= OWN_MODULES
