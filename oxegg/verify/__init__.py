"""Checking compiled kernels: error bounds from the actual inputs, input sets, the verdict."""

from oxegg.verify.bounds import Bounds, analyse
from oxegg.verify.check import Failure, Mode, Verdict, check
from oxegg.verify.inputs import InputSet, input_sets

__all__ = ["Bounds", "Failure", "InputSet", "Mode", "Verdict", "analyse", "check", "input_sets"]
