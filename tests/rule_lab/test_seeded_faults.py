"""Do the ordinary checks catch faults in encodings, in timing, and in emitted programs?

With the faults of test_mutations.py they are a hundred.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Any

import pytest

import oxegg
from oxegg.costmodels import timing as price
from oxegg.costmodels import timing_classes
from oxegg.errors import OxeggError
from oxegg.frontend.suite import load_suite
from oxegg.isa import TABLE, Instruction, codec, decode, decode_vtype, encode, manual, text
from oxegg.search import CompiledKernel
from oxegg.verify import check, input_sets
from tests.costmodels import test_timing as golden
from tests.isa import test_llvm, test_manual
from tests.isa.operands import random_operands

costs: Any = import_module("oxegg.costmodels.timing")  # the package has a function of that name
ENCODINGS, LATENCIES = 12, 10
GROUPS, WAITS, INSTRUCTIONS = 10, 4, 16
TOGETHER = 32  # bytes
NOP = encode("addi", (0, 0, 0))

# ------------------------------------------------------------------ encodings


def encoding_faults() -> Iterator[Instruction]:
    """Records with one fixed bit of the encoding flipped."""
    rng = random.Random(11)
    for name in rng.sample(sorted(TABLE), ENCODINGS):
        record = TABLE[name]
        fixed = [m for m in re.finditer(r"(\d+)(?:\.\.(\d+))?=(\w+)", record.encoding)
                 if m[2] != "0"]  # fmt: skip
        chosen = rng.choice(fixed)
        high, low = int(chosen[1]), int(chosen[2] or chosen[1])
        value = int(chosen[3], 0) ^ 1 << rng.randrange(high - low + 1)
        changed = f"{chosen[0].partition('=')[0]}={value:#x}"
        start, end = chosen.span()
        yield replace(record, encoding=record.encoding[:start] + changed + record.encoding[end:])


def encoding_is_caught(wrong: Instruction, patch: pytest.MonkeyPatch) -> bool:
    """By the check for overlaps, by LLVM's assembler, or by the written manual (OXM-1's own)."""
    table = MappingProxyType({**TABLE, wrong.name: wrong})
    for module in (codec, text, manual):
        patch.setattr(module, "TABLE", table)
    codec._by_opcode.cache_clear()  # pyright: ignore[reportPrivateUsage]
    if list(codec.overlaps()):
        return True
    page = f"{wrong.extension}.md"
    if manual.manual()[page] != (test_manual.FOLDER / page).read_text(encoding="utf-8"):
        return True
    operands = random_operands(wrong, random.Random(0))
    word = test_llvm._assemble([text.assembly(wrong.name, operands)])  # pyright: ignore
    return word != [codec.encode(wrong.name, operands)]


def test_wrong_encoding_bits() -> None:
    missed: list[str] = []
    for wrong in encoding_faults():
        with pytest.MonkeyPatch.context() as patch:
            if not encoding_is_caught(wrong, patch):
                missed.append(f"{wrong.name}: {wrong.encoding}")
        codec._by_opcode.cache_clear()  # pyright: ignore[reportPrivateUsage]
    assert not missed


# ------------------------------------------------------------------ timing


def latency_is_caught(name: str, change: dict[str, Any], patch: pytest.MonkeyPatch) -> bool:
    """By the tables of times in tests/costmodels."""
    rows = {**timing_classes.CLASSES, name: replace(timing_classes.CLASSES[name], **change)}
    patch.setattr(costs, "CLASSES", rows)
    costs._timing.cache_clear()
    costs._row.cache_clear()
    tables: list[tuple[Any, Callable[[], Any]]] = [
        *((row[-1], lambda r=row: price(golden.CARD, r[0], vl=r[1], sew=r[2], lmul=r[3]))
          for row in golden.CARD_VECTOR),
        *((row[-1], lambda r=row: price(golden.CARD, r[0])) for row in golden.CARD_OTHER),
    ]  # fmt: skip
    return any(ask() != expected for expected, ask in tables)


def test_wrong_latencies() -> None:
    """One cycle more to the result, or on the unit, or chaining where there is none."""
    rng = random.Random(12)
    priced = {TABLE[row[0]].timing for row in (*golden.CARD_VECTOR, *golden.CARD_OTHER)}
    names = rng.sample(sorted(priced), LATENCIES)
    missed: list[str] = []
    for number, name in enumerate(names):
        row = timing_classes.CLASSES[name]
        change: dict[str, Any] = (
            {"latency": f"({row.latency}) + 1"},
            {"occupancy": f"2 * ({row.occupancy})"},
            {"chains": not row.chains},
        )[number % 3]
        with pytest.MonkeyPatch.context() as patch:
            if not latency_is_caught(name, change, patch):
                missed.append(f"{name}: {change}")
    costs._timing.cache_clear()
    costs._row.cache_clear()
    assert not missed


# ------------------------------------------------------------------ emitted programs


@dataclass(frozen=True)
class Fault:
    """A word of a program replaced, at one place or several."""

    what: str
    kernel: str
    positions: tuple[int, ...]
    word: int


@cache
def compiled(name: str) -> CompiledKernel:
    rows = {row.name: row for row in load_suite()}
    staged = name.startswith("matmul")
    return oxegg.compile(
        rows[name].lower(), machine="ox-card" if staged else "ox-edge", effort="quick", peers=(),
        place="dram" if staged else "spm",
    )  # fmt: skip


def is_caught(fault: Fault) -> bool:
    """By running the program against the kernel, as every compile does."""
    found = compiled(fault.kernel)
    runner = found.search.best.runner
    code = bytearray(runner.code)
    for position in fault.positions:
        code[position : position + 4] = fault.word.to_bytes(4, "little")
    try:
        verdict = check(
            found.kernel, replace(runner, code=bytes(code)), mode="real",
            sets=input_sets(found.kernel)[:3],
        )  # fmt: skip
    except OxeggError:  # a trap, a broken convention, or no end
        return True
    return not verdict.correct


def instructions(name: str) -> list[tuple[int, Instruction, tuple[int | bool, ...]]]:
    code = compiled(name).search.best.runner.code
    found: list[tuple[int, Instruction, tuple[int | bool, ...]]] = []
    for position in range(0, len(code), 4):
        try:
            found.append(
                (position, *decode(int.from_bytes(code[position : position + 4], "little")))
            )
        except OxeggError:  # constants behind the code
            continue
    return found


VECTOR_KERNELS = ("saxpy_1000", "doti8_1024", "layernorm_64", "jacobi_16", "sadu8_1024")
OTHERS = {"vfadd.vv": "vfsub.vv", "vfsub.vv": "vfadd.vv", "vfmacc.vf": "vfnmsac.vf",
          "vfmacc.vv": "vfmsac.vv", "vfmul.vv": "vfadd.vv", "vfmul.vf": "vfadd.vf",
          "vsub.vv": "vadd.vv", "vmaxu.vv": "vminu.vv", "vminu.vv": "vmaxu.vv",
          "vwmacc.vv": "vwmaccu.vv", "vfsub.vf": "vfrsub.vf", "vwmul.vv": "vwmulu.vv",
          "vfadd.vf": "vfrsub.vf", "fadd.s": "fsub.s", "fmul.s": "fadd.s"}  # fmt: skip
NOT_COMMUTATIVE = ("vsub.vv", "vfsub.vv", "vfdiv.vv", "vrsub.vx")


def group_faults() -> list[Fault]:
    """Vector states with half the group or twice the group."""
    found: list[Fault] = []
    for kernel in VECTOR_KERNELS:
        for position, record, values in instructions(kernel):
            if record.name not in ("vsetvli", "vsetivli"):
                continue
            for step in (-1, 1):
                state = int(values[2]) & 7
                other = int(values[2]) & ~7 | (state + step & 7)
                if state + step in range(4) and decode_vtype(other):
                    word = encode(record.name, (*values[:2], other))
                    found.append(
                        Fault(f"LMUL {state} -> {state + step}", kernel, (position,), word)
                    )
    return found


def wait_faults() -> list[Fault]:
    """Waits for the copy engine left out: those that stand together, or all.

    One alone may be of no effect: copies of a queue end in order, so the last wait does it.
    """
    waits = [p for p, record, _ in instructions("matmul_64") if record.name == "ox.dma.wait"]
    groups = [waits[:1]]
    for position in waits[1:]:
        if position - groups[-1][-1] <= TOGETHER:
            groups[-1].append(position)
        else:
            groups.append([position])
    return [Fault("no wait", "matmul_64", tuple(group), NOP) for group in (*groups, waits)]


def instruction_faults() -> list[Fault]:
    """Another operation, or its operands exchanged."""
    found: list[Fault] = []
    for kernel in VECTOR_KERNELS:
        for position, record, values in instructions(kernel):
            if record.name in OTHERS:
                word = encode(OTHERS[record.name], values)
                found.append(
                    Fault(f"{record.name} -> {OTHERS[record.name]}", kernel, (position,), word)
                )
            if record.name in NOT_COMMUTATIVE and values[1] != values[2]:
                word = encode(record.name, (values[0], values[2], values[1], *values[3:]))
                found.append(Fault(f"{record.name} exchanged", kernel, (position,), word))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("faults", "count"),
    [(group_faults, GROUPS), (wait_faults, WAITS), (instruction_faults, INSTRUCTIONS)],
    ids=["groups", "waits", "instructions"],
)
def test_faults_in_programs(faults: Callable[[], list[Fault]], count: int) -> None:
    possible = faults()
    seeded = random.Random(13).sample(possible, min(count, len(possible)))
    assert len(seeded) == count
    missed = [f"{f.what} in {f.kernel} at {f.positions[0]:#x}" for f in seeded if not is_caught(f)]
    assert not missed
