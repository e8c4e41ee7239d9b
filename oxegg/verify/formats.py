"""Changes of format: roundings, and the step from floats to integers where errors end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.ir import Term
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.types import BOOL
from oxegg.verify.enclosure import Accuracy, Enclosure, discrete, leaf, seal
from oxegg.verify.ring import underflows

Array = npt.NDArray[Any]


def convert(term: Term, operands: Sequence[Enclosure], accuracy: Accuracy) -> Enclosure:
    """From a float format to any type, as numpy.astype."""
    (x,) = operands
    if term.type.is_float:
        return _round_to_format(term, x, accuracy)
    if term.type is BOOL:
        reach = x.error
        return discrete(x.value != 0, x.defined & ((reach == 0) | (np.abs(x.value) > reach)))
    return _whole(term, x, np.trunc, saturating=False)


def _round_to_format(term: Term, x: Enclosure, accuracy: Accuracy) -> Enclosure:
    """One more rounding, in the new format; none when the new format holds the old one."""
    old, new = term.children[0].type, term.type
    unit = accuracy.unit(term)
    settled = x.settled()
    fits = old.precision <= new.precision and old.max_exponent <= new.max_exponent
    raw = Enclosure(x.value, x.magnitude, settled.carried, x.defined, unit, 0 if fits else 1)
    return raw if fits else replace(raw, carried=raw.carried + underflows(term, x.magnitude))


def to_integer(term: Term, operands: Sequence[Enclosure], accuracy: Accuracy) -> Enclosure:
    """Nearest integer, ties to even, saturating."""
    del accuracy
    return _whole(term, operands[0], np.rint, saturating=True)


def _whole(
    term: Term, x: Enclosure, function: Callable[[Array], Array], *, saturating: bool
) -> Enclosure:
    """Undecided where the reachable interval holds two integers or leaves the format."""
    least, above = float(term.type.minimum), float(term.type.maximum + 1)  # exact: powers of two
    low, high = function(x.value - x.error), function(x.value + x.error)
    inside = (low == high) & (low >= least) & (high < above)
    value = np.where(inside, low, 0).astype(term.type.numpy)
    if saturating:
        value = np.where(low >= above, value.dtype.type(term.type.maximum), value)
        value = np.where(high < least, value.dtype.type(term.type.minimum), value)
        inside = inside | (low >= above) | (high < least)
    return discrete(value, x.defined & inside)


def bitcast(term: Term, operands: Sequence[Enclosure], accuracy: Accuracy) -> Enclosure:
    """Bits of a float are known only where it has no error."""
    (x,) = operands
    own = x.value.astype(term.children[0].type.numpy)
    bits = OPERATIONS["bitcast"].evaluate(own, term.type.numpy)
    defined = x.defined & (x.error == 0)
    if not term.type.is_float:
        return discrete(bits, defined)
    exact = leaf(term.type, bits.astype(accuracy.wide), accuracy.unit(term))
    return replace(exact, defined=exact.defined & defined)


def float_from_integer(
    term: Term, source: Array, value: Array, defined: Array, accuracy: Accuracy
) -> Enclosure:
    """``value`` is ``source`` (integers or truth values) in the term's type."""
    if not term.type.is_float:
        return discrete(value, defined)
    if term.operator == "bitcast":
        exact = leaf(term.type, value.astype(accuracy.wide), accuracy.unit(term))
        return replace(exact, defined=exact.defined & defined)
    wide = source.astype(accuracy.wide)
    # longdouble and float64 both hold what the comparison needs: was the conversion exact?
    inexact = value.astype(accuracy.wide) != wide
    magnitude = np.abs(wide).astype(np.float64)
    unit = accuracy.unit(term)
    error = np.where(inexact, unit * magnitude, 0.0)
    return seal(term.type, Enclosure(wide, magnitude, error, defined, unit))
