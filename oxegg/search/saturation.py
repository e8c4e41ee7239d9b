"""Saturating a kernel once: which rules a mode allows, which demands stand at the roots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from oxegg.egraph.encode import encode
from oxegg.egraph.readout import OUTPUT_LAYOUT, PhysicalGraph, read_out
from oxegg.egraph.saturate import Limits, Saturated, saturate
from oxegg.errors import LoweringError, RuleError, UsageError
from oxegg.ir.term import Kernel
from oxegg.ir.types import ElementType
from oxegg.rules import FAMILIES, all_rules
from oxegg.rules.evidence import Evidence, current, sufficient
from oxegg.rules.load import load_all
from oxegg.rules.pattern import Rule

VECTOR_ENGINE = "vector-engine"  # switched off like a rule family: scalar programs only
TENSOR_ENGINE = "tensor-engine"
NEAR_MEMORY_ENGINE = "near-memory-engine"
MODES = ("exact", "real", "approx")
MOST_FLOAT_SCALARS = 8  # fa0 to fa7
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
        return rule.kind in kinds and rule.family not in without and rule.name not in without

    return allowed


def check_switches(without: Sequence[str]) -> None:
    """Raise ``UsageError`` for a name that is no rule, no family and no engine."""
    families = {VECTOR_ENGINE, TENSOR_ENGINE, NEAR_MEMORY_ENGINE, *FAMILIES}
    for name in without:
        if name not in families and name not in {rule.name for rule in all_rules()}:
            raise UsageError(
                f"--without {name}: no such rule or family",
                hint=f"families are {', '.join(sorted(families))}",
            )


def is_legalization(rule: Rule) -> bool:
    """Rules without which some kernels could not be compiled at all; the engines' own kinds."""
    executable = rule.phase == "elementary" or rule.family == "engine"
    return executable or rule.name.startswith(_LEGALIZATION)


def generic_rules(mode: str) -> Callable[[Rule], bool]:
    """The baseline compiler's rules: only what makes kernels executable."""
    kinds = _ALLOWED_KINDS[mode]
    return lambda rule: rule.kind in kinds and is_legalization(rule)


Trust = Callable[[Rule, ElementType], bool]


def trusted_rules(mode: str, unproved: bool = False) -> Trust:
    """Instances with evidence at or above what a mode demands; all of them if ``unproved``."""
    return lambda rule, type_: unproved or sufficient(current(rule, type_), mode, rule)


def own_rules(files: Sequence[str | Path], mode: str, unproved: bool) -> tuple[Rule, ...]:
    """The rows of rule files, checked, with evidence that suffices for ``mode``.

    Raises :class:`oxegg.errors.RuleError` for a malformed row, for one that is refuted, and,
    unless ``unproved``, for one without evidence.
    """
    rows = load_all(files)
    for rule in rows:
        for type_ in rule.types:
            evidence = current(rule, type_)
            refuted = evidence is not None and evidence.verdict == "refuted"
            if refuted or not (unproved or sufficient(evidence, mode, rule)):
                raise _insufficient(rule, type_, evidence, mode)
    return tuple(rows)


def _insufficient(
    rule: Rule, type_: ElementType, evidence: Evidence | None, mode: str
) -> RuleError:
    file = (rule.where or "").rpartition(":")[0]
    prove = f"`oxegg rules prove --rules {file}`"
    if evidence is not None and evidence.verdict == "refuted":
        found, hint = "it is refuted", f"{prove} shows where it is wrong"
    elif evidence is not None:
        found = f"the evidence is {evidence}, which mode {mode} doesn't accept"
        hint = "compile in another mode, or with --unproved"
    else:
        found, hint = "there is no evidence", f"run {prove}, or compile with --unproved"
    return RuleError(f"rule {rule.name} at {type_}: {found}", where=rule.where, hint=hint)


def _check_parameters(kernel: Kernel) -> None:
    scalars = sum(1 for term in kernel.inputs if not term.axes and term.type.is_float)
    if scalars > MOST_FLOAT_SCALARS:
        raise LoweringError(
            f"{scalars} floating-point scalar parameters, there are registers for"
            f" {MOST_FLOAT_SCALARS}",
            hint="pass the scalars in an array",
        )


def prepare(
    kernel: Kernel,
    allowed: Callable[[Rule], bool],
    limits: Limits,
    *,
    vector: bool = True,
    tensor: bool = False,
    near_memory: bool = False,
    trusted: Trust | None = None,
    more: Sequence[Rule] = (),
) -> Prepared:
    """Encode, saturate in a child process, read the physical half back.

    ``vector``: whether values may lie across the lanes of vector registers; ``tensor``: in tiles;
    ``near_memory``: in banks.
    ``trusted``: whose evidence suffices (default: for mode "real"); ``more``: rules beside oxegg's
    own.
    """
    _check_parameters(kernel)
    encoding = encode(kernel)
    roots = [f"(Mem (Id {n}) {OUTPUT_LAYOUT + i})" for i, n in enumerate(encoding.roots)]
    lanes = [i for i, axis in enumerate(encoding.axes) if vector and axis.size > 1]
    saturated = saturate(
        encoding,
        lanes=lanes,
        allowed=allowed,
        limits=limits,
        roots=roots,
        tensor=tensor,
        near_memory=near_memory,
        trusted=trusted or trusted_rules("real"),
        more=more,
    )
    return Prepared(kernel, read_out(encoding, saturated.tables), saturated)
