"""What fusing saves: the nine composites of suite ``ai`` beside one operation at a time.

    python docs/benchmarks/composites.py [--machine ox-card]

Every operation is compiled by itself, too, with the same compiler for the same machine. Bytes moved
are those of the arrays that a call reads and writes, and of buffers of its own, in and out.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import geometric_mean, mean
from typing import Any

import numpy as np
from jaxtyping import Int8, Int32

import oxegg
from oxegg.emit.physical import Buffer
from oxegg.frontend.suite import load_suite
from oxegg.search import CompiledKernel

Bytes = Int8[np.ndarray, "n=16 n=16"]
Words = Int32[np.ndarray, "n=16 n=16"]


def product(a: Bytes, b: Bytes) -> Any:
    return a.astype(np.int32) @ b.astype(np.int32)


def add_bytes(a: Bytes, b: Bytes) -> Any:
    return a.astype(np.int32) + b


def add_byte(a: Words, b: Bytes) -> Any:
    return a + b


def add_words(a: Words, b: Words) -> Any:
    return a + b


def narrowed(a: Words) -> Any:
    return np.clip(a, -128, 127).astype(np.int8)


OPERATIONS = (product, add_bytes, add_byte, add_words, narrowed)
TWO_PRODUCTS = ("product", "narrowed", "product")
THREE_PRODUCTS = (*TWO_PRODUCTS, "narrowed", "product")
STEPS: dict[str, Sequence[str]] = {
    "abc_sum_16": ("add_bytes", "add_byte"),
    "abcd_sum_16": ("add_bytes", "add_byte", "add_byte"),
    "ab_ac_16": ("product", "product", "add_words"),
    "ab_c_d_16": ("product", "add_byte", "add_byte"),
    "abc_16": TWO_PRODUCTS,
    "abc_a_16": (*TWO_PRODUCTS, "add_byte"),
    "abc_d_16": (*TWO_PRODUCTS, "add_byte"),
    "abca_16": THREE_PRODUCTS,
    "abcd_16": THREE_PRODUCTS,
}
"""Rows of the suite, and what computes them one operation at a time."""


@dataclass(frozen=True)
class Cost:
    """Simulated cycles, and bytes moved."""

    cycles: int
    bytes: int


def cost(compiled: CompiledKernel) -> Cost:
    """Of one call; raises ``AssertionError`` for a wrong result."""
    assert compiled.report["correct"], compiled.report["kernel"]
    program = compiled.search.best.runner.program
    arrays = [b for b in (*program.inputs, *program.outputs) if isinstance(b, Buffer)]
    moved = sum(b.bytes for b in arrays) + 2 * sum(b.bytes for b in program.scratch)
    return Cost(compiled.report["cycles"], moved)


def measure(machine: str, names: Sequence[str] = tuple(STEPS)) -> dict[str, tuple[Cost, Cost]]:
    """(fused, one operation at a time) for each row."""
    used = {step for name in names for step in STEPS[name]}
    single = {
        operation.__name__: cost(oxegg.compile(operation, machine=machine, peers=()))
        for operation in OPERATIONS
        if operation.__name__ in used
    }
    found: dict[str, tuple[Cost, Cost]] = {}
    for row in load_suite("ai"):
        if row.name in names:
            fused = cost(oxegg.compile(row.lower(), machine=machine, peers=()))
            steps = [single[step] for step in STEPS[row.name]]
            apart = Cost(sum(s.cycles for s in steps), sum(s.bytes for s in steps))
            found[row.name] = fused, apart
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="What fusing saves.")
    parser.add_argument("--machine", default="ox-card")
    measured = measure(parser.parse_args().machine)
    print("| composite | cycles | apart | ratio | bytes moved | apart | saved |")
    print("| --- | --: | --: | --: | --: | --: | --: |")
    for name, (fused, apart) in measured.items():
        print(
            f"| {name} | {fused.cycles} | {apart.cycles} | {apart.cycles / fused.cycles:.2f} "
            f"| {fused.bytes} | {apart.bytes} | {1 - fused.bytes / apart.bytes:.0%} |"
        )
    ratio = geometric_mean(apart.cycles / fused.cycles for fused, apart in measured.values())
    saved = mean(1 - fused.bytes / apart.bytes for fused, apart in measured.values())
    print(f"\nGeometric mean of the ratio {ratio:.2f}; bytes saved on average {saved:.0%}.")


if __name__ == "__main__":
    main()
