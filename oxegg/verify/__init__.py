"""Checking compiled kernels: error bounds from the actual inputs, input sets, the verdict."""

from oxegg.verify.bounds import Bounds, analyse
from oxegg.verify.check import Failure, Mode, Verdict, check
from oxegg.verify.field import FIELD_CHECK, FieldVerdict, field_check
from oxegg.verify.inputs import InputSet, input_sets

__all__ = [
    "FIELD_CHECK",
    "Bounds",
    "Failure",
    "FieldVerdict",
    "InputSet",
    "Mode",
    "Verdict",
    "analyse",
    "check",
    "field_check",
    "input_sets",
]
