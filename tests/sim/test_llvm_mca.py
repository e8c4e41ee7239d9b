"""llvm-mca as referee of loop times: its block throughput below, its in-order total above.

llvm-mca's in-order cores have no queue before the vector unit, so its total is an upper bound for a
core that has one; no core is faster than the throughput of the busiest unit.
"""

import re
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import pytest

from oxegg.costmodels import Machine, load_machine
from oxegg.errors import OxeggError
from oxegg.frontend.suite import SuiteRow, load_suite
from oxegg.isa import VType, decode_vtype
from oxegg.search.api import compile_kernel
from oxegg.search.driver import timing_inputs
from oxegg.sim import Decoded, disassemble
from oxegg.sim.blocks import Block
from oxegg.sim.issue import issue
from oxegg.sim.plans import TICKS, Plan, block_plans, costs
from oxegg.sim.scoreboard import Scoreboard
from oxegg.sim.state import VectorConfig

MCA = "llvm-mca-22"
CORES = {"x280": "sifive-x280", "x390": "sifive-x390", "x60": "spacemit-x60"}
ROUNDS = 100
# Reasons: docs/machines.md, "Instruction times".
OUTSIDE = {
    ("mandel64_256", "x390"): "after a wait two pipes start one instruction each; here half apart",
    ("transposeu8_64", "x390"): "a segment store reads its registers to its end, not at issue",
}
SCRATCHPAD = 1 << 25

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which(MCA) is None, reason=f"{MCA} is not installed"),
]


def hot_loop(
    code: list[Decoded], executed: Mapping[int, int], spent: Mapping[int, float]
) -> list[Decoded] | None:
    """The innermost loop of one block that takes most cycles."""
    places = {decoded.pc: number for number, decoded in enumerate(code)}
    best: tuple[float, list[Decoded]] | None = None
    for number, last in enumerate(code):
        if not last.record.is_branch or last.operands.get("offset12", 0) >= 0:
            continue
        body = code[places[last.pc + last.operands["offset12"]] : number + 1]
        if executed.get(last.pc, 0) < 4 or any(d.record.is_branch for d in body[:-1]):
            continue
        total = sum(spent.get(d.pc, 0.0) for d in body)
        if best is None or total > best[0]:
            best = total, body
    return best[1] if best else None


def vector_states(code: list[Decoded], body: list[Decoded]) -> list[VType | None]:
    """The vtype that each instruction of a loop runs under."""
    before = [d for d in code if d.pc < body[0].pc and d.record.timing == "vset"]
    states: list[VType | None] = []
    for decoded in [*before[-1:], *body]:
        if decoded.record.timing == "vset":
            operands = decoded.operands
            states.append(decode_vtype(operands.get("vtypei", operands.get("vtypei10", 0))))
        else:
            states.append(states[-1] if states else None)
    return states[-len(body) :]


def access_state(decoded: Decoded, state: VType | None) -> VType | None:
    """The state that llvm-mca must be told: for most accesses it looks the instruction up as if
    vtype had the width of its data, whatever vtype is."""
    record = decoded.record
    if state is None or record.memory is None or "indexed" in record.timing:
        return state
    data = next((operand for operand in record.operands if operand.kind == "v"), None)
    if data is None or data.width is None or data.registers is not None:
        return state
    return replace(state, sew=data.width, lmul=state.lmul * data.width / state.sew)


def mca(core: str, body: list[Decoded], states: list[VType | None]) -> tuple[float, float]:
    """Block throughput, and what one more round adds to the total, in cycles."""
    lines: list[str] = []
    for decoded, state in zip(body, states, strict=True):
        state = access_state(decoded, state)
        if state is not None:
            lmul = f"M{state.lmul}" if state.lmul >= 1 else f"MF{state.lmul.denominator}"
            lines += [f"# LLVM-MCA-RISCV-LMUL {lmul}", f"# LLVM-MCA-RISCV-SEW E{state.sew}"]
        lines.append(str(decoded))
    lines[-1] = re.sub(r"[^ ,]+$", ".-64", lines[-1])
    text = "\n".join(lines) + "\n"
    totals: list[int] = []
    throughput = 0.0
    for rounds in (ROUNDS, 2 * ROUNDS):
        command = [MCA, "-mtriple=riscv64", f"-mcpu={core}", f"-iterations={rounds}"]
        run = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
        found = {
            name: float(value)
            for name, value in re.findall(r"^(Total Cycles|Block RThroughput):\s+([\d.]+)",
                                          run.stdout, re.MULTILINE)
        }  # fmt: skip
        totals.append(int(found["Total Cycles"]))
        throughput = found["Block RThroughput"]
    return throughput, (totals[1] - totals[0]) / ROUNDS


def ours(machine: Machine, body: list[Decoded], states: list[VType | None]) -> float:
    """Cycles that one more round adds on the scoreboard."""
    plans: list[Plan] = []
    for decoded, state in zip(body, states, strict=True):
        vl = state.vlmax(machine.vlen) if state else 0
        plans += block_plans(machine, Block((decoded,)), VectorConfig(vl, state, 0, 0, 0))
    board = Scoreboard(costs(machine))
    ends: list[int] = []
    for _ in range(2):
        for _ in range(ROUNDS):
            for plan in plans:
                issue(board, plan, None)
            board.branch(taken=True, backward=True)
        ends.append(board.finish())
    return (ends[1] - ends[0]) / TICKS / ROUNDS


def roomy(name: str) -> Machine:
    """The machine with a scratchpad that holds every kernel's arrays."""
    machine = load_machine(name)
    return replace(machine, spm=replace(machine.spm, bytes=SCRATCHPAD))


@pytest.mark.parametrize("name", CORES)
@pytest.mark.parametrize("row", load_suite(), ids=lambda row: row.name)
def test_hot_loop_of_a_suite_kernel(
    row: SuiteRow, name: str, request: pytest.FixtureRequest
) -> None:
    if (row.name, name) in OUTSIDE:
        # Another schedule of the same loop may lie inside.
        request.applymarker(pytest.mark.xfail(reason=OUTSIDE[row.name, name], strict=False))
    compiled = compile_kernel(row.lower(), machine=roomy(name), place="spm", peers=())
    runner = compiled.search.best.runner
    result = runner.call(timing_inputs(compiled.kernel), timing=True)
    code: list[Decoded] = []
    with suppress(OxeggError):  # constants may lie behind the code
        for decoded in disassemble(runner.code):
            code.append(decoded)
    found = hot_loop(code, result.executed, result.cycles_by_pc)
    if found is None:
        pytest.skip("no loop of a single block")
    states = vector_states(code, found)
    throughput, total = mca(CORES[name], found, states)
    cycles = ours(load_machine(name), found, states)
    # Both are averages over rounds: a part of a cycle is the difference of their ends.
    assert throughput - 0.1 <= cycles <= total + 0.1, "\n".join(map(str, found))
