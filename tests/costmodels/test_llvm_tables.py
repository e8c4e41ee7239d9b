"""Vector times against llvm-mca's tables, for every instruction that LLVM prices by vtype.

Occupancies and latencies, and which of the X390's two arithmetic pipes execute what.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from oxegg.costmodels import load_machine, timing
from oxegg.isa import TABLE, Instruction

MCA = "llvm-mca-22"
REGISTERS = {
    "v": {"vd": "v8", "vs3": "v8", "vs2": "v16", "vs1": "v24"},
    "x": {"rd": "a2", "rs1": "a0", "rs2": "a1"},
    "f": {"rd": "fa1", "rs1": "fa0"},
    "v0": {"v0": "v0"},
}
# LLVM prices accesses of segments and by index, and bf16, without a look at vtype; that of vlm is
# a load of no latency.
LEFT_OUT = re.compile(r".*seg|.*ei\d+\.v$|.*bf16|vlm")
Case = tuple[Instruction, int, int]

pytestmark = pytest.mark.skipif(shutil.which(MCA) is None, reason=f"{MCA} is not installed")


def assembly(record: Instruction) -> str:
    """The instruction with registers that suit every LMUL, unmasked."""
    kinds = {operand.name: operand.kind for operand in record.operands}
    parts: list[str] = []
    for part in (part.strip() for part in record.syntax.split(",")):
        name = part.strip("()")
        if kinds[name] != "mask":
            parts.append(part.replace(name, REGISTERS.get(kinds[name], {}).get(name, "1")))
    return f"{record.name} {', '.join(parts)}"


def cases() -> Iterator[Case]:
    """Instructions with the SEW and LMUL under which they are legal."""
    for record in TABLE.values():
        if not record.is_vector or record.is_custom or record.name.startswith("vset"):
            continue
        if LEFT_OUT.match(record.name):
            continue
        vectors = [operand for operand in record.operands if operand.kind == "v"]
        for sew in (8, 16, 32, 64):
            for lmul in (1, 2, 4, 8):
                legal = all(operand.element_width(sew) <= 64 for operand in vectors)
                widths = [o.element_width(sew) for o in vectors if o.registers is None]
                fits = all(width * lmul <= 8 * sew for width in widths)
                same = record.memory is None or all(width == sew for width in widths)
                if legal and fits and same and not (record.is_float and sew == 8):
                    yield record, sew, lmul


def tables(core: str, found: list[Case]) -> tuple[list[tuple[str, str]], list[list[str]]]:
    """What llvm-mca prints of instructions: latency and occupancy, and what they take of units."""
    text = "".join(
        f"# LLVM-MCA-RISCV-LMUL M{lmul}\n# LLVM-MCA-RISCV-SEW E{sew}\n{assembly(record)}\n"
        for record, sew, lmul in found
    )
    command = [MCA, "-mtriple=riscv64", f"-mcpu={core}", "-mattr=+v,+zvfh", "-instruction-tables"]
    run = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    times, _, units = run.stdout.partition("Resources:")
    rows = re.findall(r"^ +\d+ +(\d+) +([\d.]+) .*\t", times, re.MULTILINE)
    taken = units.partition("by instruction:")[2].splitlines()
    pressure = [line.partition("\t")[0].split() for line in taken if "\t" in line]
    assert len(rows) == len(pressure) == len(found) > 3000
    return rows, pressure


@pytest.mark.parametrize(
    ("name", "core"),
    [("x60", "spacemit-x60"), ("x280", "sifive-x280"), ("x390", "sifive-x390")],
)
def test_times_are_those_of_llvm(name: str, core: str) -> None:
    machine = load_machine(name)
    # Memory behind the SiFive cores' vector units is this project's own.
    found = [case for case in cases() if name == "x60" or case[0].memory is None]
    rows, _ = tables(core, found)
    wrong: list[str] = []
    for (record, sew, lmul), (latency, occupancy) in zip(found, rows, strict=True):
        cost = timing(machine, record.name, vl=machine.vlmax(sew, lmul), sew=sew, lmul=lmul)
        # Nobody waits for the latency of a store.
        delay = cost.latency if record.memory != "store" else int(latency)
        if (cost.occupancy, delay) != (float(occupancy), int(latency)):
            wrong.append(f"{record.name} e{sew} m{lmul}: {cost}, LLVM {occupancy} {latency}")
    assert wrong == []


def test_the_x390_has_the_pipes_of_llvm() -> None:
    machine = load_machine("x390")
    found = [case for case in cases() if case[0].memory is None]
    first, second = 4, 5
    _, pressure = tables("sifive-x390", found)
    wrong: list[str] = []
    for (record, sew, lmul), taken in zip(found, pressure, strict=True):
        cost = timing(machine, record.name, vl=machine.vlmax(sew, lmul), sew=sew, lmul=lmul)
        if (cost.pipes == 2) != (taken[second] == "-"):
            wrong.append(f"{record.name} e{sew} m{lmul}: {cost}, LLVM {taken[first : second + 1]}")
    assert wrong == []
