"""Our assembly text means the same word to LLVM's assembler."""

import random
import re
import shutil
import subprocess

import pytest

from oxegg.isa import TABLE, Instruction, assembly, encode
from oxegg.isa.vtype import decode_vtype
from tests.isa.operands import random_operands

LLVM_MC = shutil.which("llvm-mc-22") or shutil.which("llvm-mc")
FEATURES = "m a f d c v zba zbb zbs zicond zfh zvfh zvfbfmin zvfbfwma zicsr zifencei"


def _assemble(lines: list[str]) -> list[int]:
    """Words that LLVM gives for the lines, in order."""
    attributes = ",".join(f"+{feature}" for feature in FEATURES.split())
    result = subprocess.run(
        [str(LLVM_MC), "-triple=riscv64", f"-mattr={attributes}", "-show-encoding"],
        input=".option norvc\n" + "\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[:3000]
    encodings = re.findall(r"encoding: \[([^\]]*)\]", result.stdout)
    return [int.from_bytes(bytes.fromhex(e.replace("0x", "").replace(",", "")), "little")
            for e in encodings]  # fmt: skip


def _assemblable(record: Instruction, operands: tuple[int | bool, ...]) -> bool:
    """Assemblers refuse what a processor would take as reserved."""
    values = {o.name: int(v) for o, v in zip(record.operands, operands, strict=True)}
    for name in ("vtypei", "vtypei10"):
        if name in values and decode_vtype(values[name]) is None:
            return False
    if "imm20" in values or "pred" in values:
        return values.get("pred", 1) != 0 and values.get("succ", 1) != 0
    masked = any(o.kind in ("mask", "v0") and v
                 for o, v in zip(record.operands, operands, strict=True))  # fmt: skip
    mask_overlap = masked and any(
        o.kind == "v" and o.writes and v == 0
        for o, v in zip(record.operands, operands, strict=True)
    )
    groups = {
        o.name: range(v, v + (o.registers or 1) * o.fields)
        for o, v in zip(record.operands, operands, strict=True)
        if o.kind == "v"
    }
    aligned = all(values[o.name] % o.registers == 0 for o in record.operands
                  if o.kind == "v" and o.registers)  # fmt: skip
    in_file = all(group.stop <= 32 for group in groups.values())
    destination = next((o.name for o in record.operands if o.kind == "v" and o.writes), None)
    overlap = any(name != destination and destination and set(groups[destination]) & set(group)
                  for name, group in groups.items())  # fmt: skip
    return not mask_overlap and aligned and in_file and not overlap


@pytest.mark.skipif(LLVM_MC is None, reason="llvm-mc is not installed")
def test_llvm_assembles_every_instruction_to_our_word():
    rng = random.Random(3)
    cases: list[tuple[str, int]] = []
    for name, record in TABLE.items():
        wanted = 4
        for _ in range(400):
            operands = random_operands(record, rng)
            if wanted and _assemblable(record, operands):
                wanted -= 1
                cases.append((assembly(name, operands), encode(name, operands)))
        assert wanted < 4, name
    words = _assemble([text for text, _ in cases])
    assert len(words) == len(cases)
    wrong = [
        (text, f"{ours:#010x}", f"{theirs:#010x}")
        for (text, ours), theirs in zip(cases, words, strict=True)
        if ours != theirs
    ]
    assert wrong == []
