"""Every instruction against other simulators: QEMU (user mode) and Spike (bare machine)."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from oxegg.isa import TABLE, Instruction
from tests.sim.differential import ROUNDS, Program
from tests.sim.oracles import ORACLES
from tests.sim.sites import DIRECTED, INSTRUCTIONS, sites
from tests.sim.toolchain import SOURCES

Wanted = Callable[[Instruction], bool]
GROUPS: dict[str, Wanted] = {
    "scalar": lambda record: not record.is_vector,
    "integer": lambda record: record.is_vector and not record.is_float and not record.memory,
    "float": lambda record: record.is_vector and record.is_float,
    "memory": lambda record: record.is_vector and record.memory is not None,
}
# Oracle, group, VLEN, sites, and whether reserved encodings or a nonzero vstart are among them.
Case = tuple[str, str, int, int, bool, bool]
FAST: list[Case] = [
    ("qemu", "scalar", 128, 230, False, False),
    *(("qemu", "integer", vlen, 45, False, vlen == 256) for vlen in (128, 256, 512, 1024)),
    *(("qemu", "float", vlen, 22, False, vlen == 256) for vlen in (128, 256)),
    *(("qemu", "memory", vlen, 40, False, vlen == 512) for vlen in (128, 512)),
    ("qemu-ones", "integer", 512, 30, False, False),
    ("qemu-ones", "float", 128, 12, False, False),
    ("qemu-ones", "memory", 128, 30, False, False),
    ("spike", "scalar", 128, 60, False, False),
    ("spike", "integer", 256, 40, True, False),
    ("spike", "float", 128, 30, True, False),
    ("spike", "memory", 256, 40, True, True),
]
CAMPAIGN_SITES, CAMPAIGN_SEEDS = 200, 14
CAMPAIGN: list[Case] = [
    (oracle, group, vlen, CAMPAIGN_SITES, oracle == "spike", group == "memory")
    for oracle in ("qemu", "spike")
    for group in GROUPS
    for vlen in (128, 256, 512, 1024)
]  # fmt: skip


def _compare(case: Case, seed: int, folder: Path) -> None:
    name, group, vlen, count, reserved, vstart = case
    oracle = ORACLES[name]
    if not oracle.present:
        pytest.skip(f"{name.partition('-')[0]} is not installed")
    rng = random.Random(f"{case}{seed}")

    def wanted(record: Instruction) -> bool:
        return GROUPS[group](record) and oracle.wanted(record)

    found = sites(rng, count, vlen, wanted, oracle.fits, legal=not reserved, vstart=vstart)
    assert oracle.differences(Program(vlen, seed, list(found)), folder)[:5] == []


@pytest.mark.parametrize("case", FAST, ids=lambda case: "-".join(map(str, case[:3])))
def test_agrees(case: Case, tmp_path: Path):
    _compare(case, 0, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(CAMPAIGN_SEEDS))
@pytest.mark.parametrize("case", CAMPAIGN, ids=lambda case: "-".join(map(str, case[:3])))
def test_agrees_on_a_million_instances(case: Case, seed: int, tmp_path: Path):
    _compare(case, seed, tmp_path)


def test_the_numbers_of_instances():
    fast = [ROUNDS * count for _, _, _, count, _, _ in FAST]
    assert sum(fast) >= 20_000
    assert ROUNDS * CAMPAIGN_SITES * CAMPAIGN_SEEDS * len(CAMPAIGN) >= 1_000_000


def test_instructions_without_an_oracle_have_a_test_of_their_own():
    for record in INSTRUCTIONS:
        assert sum(wanted(record) for wanted in GROUPS.values()) == 1, record.name
    judged = {record.name for record in INSTRUCTIONS}
    for name, record in TABLE.items():
        if name not in judged and not record.is_custom:
            # OXM-1's own instructions have a reference interpreter instead.
            (source,) = {SOURCES / s for start, s in DIRECTED.items() if name.startswith(start)}
            assert name.partition(".")[0] in source.read_text(), name
