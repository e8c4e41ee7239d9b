"""The named-axis tensor algebra: element types, terms, and what they mean."""

from oxegg.ir.affine import Affine, Axis
from oxegg.ir.check import check
from oxegg.ir.evaluate import evaluate, exact, run_kernel
from oxegg.ir.parse import parse
from oxegg.ir.term import (
    Kernel,
    Output,
    Term,
    at,
    concat,
    const,
    fold,
    gather,
    input_,
    iota,
    pointwise,
    reduce,
    scan,
    state,
    topological,
)
from oxegg.ir.text import to_text
from oxegg.ir.types import TYPES, ElementType

__all__ = [
    "TYPES",
    "Affine",
    "Axis",
    "ElementType",
    "Kernel",
    "Output",
    "Term",
    "at",
    "check",
    "concat",
    "const",
    "evaluate",
    "exact",
    "fold",
    "gather",
    "input_",
    "iota",
    "parse",
    "pointwise",
    "reduce",
    "run_kernel",
    "scan",
    "state",
    "to_text",
    "topological",
]
