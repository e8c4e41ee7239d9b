"""The named-axis tensor algebra: element types, terms, and what they mean."""

from oxegg.ir.affine import Affine, Axis
from oxegg.ir.evaluate import evaluate, exact, run_kernel
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
    "concat",
    "const",
    "evaluate",
    "exact",
    "fold",
    "gather",
    "input_",
    "iota",
    "pointwise",
    "reduce",
    "run_kernel",
    "scan",
    "state",
    "topological",
]
