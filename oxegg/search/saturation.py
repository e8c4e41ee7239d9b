"""Saturating a kernel once: which rules a mode allows, which demands stand at the roots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from oxegg.egraph.encode import encode
from oxegg.egraph.readout import OUTPUT_LAYOUT, PhysicalGraph, read_out
from oxegg.egraph.saturate import Limits, Saturated, saturate
from oxegg.ir.term import Kernel
from oxegg.rules.pattern import Rule

MODES = ("exact", "real", "approx")
_ALLOWED_KINDS = {
    "exact": ("exact",),
    "real": ("exact", "real"),
    "approx": ("exact", "real", "approx"),
}
# What any back end does to make a kernel executable at all; the rest is optimization.
_LEGALIZATION = (
    "comparisons.minnum", "comparisons.maxnum", "comparisons.reduce-", "comparisons.min-by-number",
    "comparisons.max-by-number", "integers.widen", "integers.narrow-step", "integers.reinterpret",
    "integers.bool", "integers.abs-int", "integers.unsigned-", "integers.signed-",
    "integers.convert",
)  # fmt: skip


@dataclass(frozen=True)
class Prepared:
    """A saturated kernel: what extraction chooses from, and how saturation went."""

    kernel: Kernel
    graph: PhysicalGraph
    saturated: Saturated


def allowed_rules(mode: str, without: Sequence[str] = ()) -> Callable[[Rule], bool]:
    """Rules that a mode permits; ``without`` names families (or rules) that are switched off."""
    kinds = _ALLOWED_KINDS[mode]

    def allowed(rule: Rule) -> bool:
        off = rule.family in without or rule.name in without
        return rule.kind in kinds and (not off or is_legalization(rule))

    return allowed


def is_legalization(rule: Rule) -> bool:
    """Rules without which some kernels could not be compiled at all; the engines' own kinds."""
    executable = rule.phase == "elementary" or rule.family == "engine"
    return executable or rule.name.startswith(_LEGALIZATION)


def generic_rules(mode: str) -> Callable[[Rule], bool]:
    """The baseline compiler's rules: only what makes kernels executable."""
    kinds = _ALLOWED_KINDS[mode]
    return lambda rule: rule.kind in kinds and is_legalization(rule)


def prepare(kernel: Kernel, allowed: Callable[[Rule], bool], limits: Limits) -> Prepared:
    """Encode, saturate in a child process, read the physical half back."""
    encoding = encode(kernel)
    roots = [f"(Mem (Id {n}) {OUTPUT_LAYOUT + i})" for i, n in enumerate(encoding.roots)]
    lanes = [i for i, axis in enumerate(encoding.axes) if axis.size > 1]
    saturated = saturate(encoding, lanes=lanes, allowed=allowed, limits=limits, roots=roots)
    return Prepared(kernel, read_out(encoding, saturated.tables), saturated)
