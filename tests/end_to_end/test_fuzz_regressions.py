"""What `oxegg fuzz` found: wrong results first, each with the trial that showed it."""

from typing import Any

import numpy as np
import pytest
from jaxtyping import Int32

from oxegg.errors import LoweringError
from oxegg.frontend import lower
from oxegg.fuzz.campaign import Tally, Trial, attempt
from oxegg.fuzz.programs import Sample
from oxegg.ir import topological

TRIALS = {
    # A result repeated along an axis with the name of one that a padding runs over inside.
    "repeated-padding": Trial(
        Sample((("UInt64", "b a"), ("Int8", "b")), (1, 1, 2, 1),
               ((26, 0, 14, 28), (24, 0, 49, 58)), 1), "ox-dc", "real", 600510),
    # Over a field: a result without axes; floats' bits that a scalar program loads as integers.
    "no-axes": Trial(
        Sample((("UInt8", "a b"), ("Float32", "b")), (1, 1, 2, 1), ((28, 10, 28, 0),), 1),
        "x60", "exact", 12599),
    "sign-bits": Trial(
        Sample((("UInt32", "a b"), ("UInt32", "b b")), (1, 2, 2, 1),
               ((43, 0, 0, 0), (56, 19, 0, 0), (31, 0, 63, 0), (33, 4, 1, 15), (47, 46, 27, 0)),
               2), "x280", "real", 10559, metamorphic=True),
    # Over a field: integers wrap around as ever, as results and on the way to floats.
    "wrapping-result": Trial(
        Sample((("UInt8", "n"), ("Float32", "n")), (1, 1, 1, 1), ((0, 47, 0, 0),), 2),
        "ox-tiny", "exact", 1000065),
    "wrapping-operand": Trial(
        Sample((("UInt64", ""), ("UInt64", "a b")), (1, 2, 1, 1),
               ((15, 0, 0, 0), (14, 0, 20, 0)), 1), "ox-edge", "real", 1012172),
    "wrapping-state": Trial(
        Sample((("Int64", "b b"), ("UInt64", "")), (1, 1, 1, 1),
               ((61, 19, 34, 27), (17, 36, 0, 0)), 1), "x280", "real", 1014022),
    # Over a field: floats nothing depends on, floats as truth values, small integers of 16 bits.
    "idle-floats": Trial(
        Sample((("UInt16", "b a"), ("UInt16", "a b")), (1, 1, 1, 1),
               ((8, 0, 0, 0), (43, 58, 0, 11), (6, 1, 17, 0)), 1), "ox-dc", "real", 1017510),
    "truth-of-floats": Trial(
        Sample((("UInt16", "b a"), ("UInt16", "")), (1, 1, 1, 1),
               ((2, 0, 20, 0), (12, 0, 40, 0), (30, 0, 2, 24)), 1), "ox-tiny", "approx", 1011837),
    "sixteen-bits": Trial(
        Sample((("Int8", "a"), ("Float32", "b")), (1, 2, 1, 1),
               ((41, 9, 5, 0), (58, 0, 0, 0), (33, 10, 0, 0)), 1),
        "ox-tiny", "approx", 2008955, metamorphic=True),
    # Native code: a constant shift of the very width of its lanes.
    "constant-shift": Trial(
        Sample((("UInt8", "a b"), ("Float32", "n")), (1, 5, 31, 1),
               ((5, 0, 0, 0), (37, 0, 0, 0), (12, 0, 0, 0), (46, 19, 61, 0), (41, 0, 19, 59),
                (39, 36, 36, 0)), 2), "ox-edge", "real", 2009859, metamorphic=True),
}  # fmt: skip


@pytest.mark.parametrize("name", TRIALS)
def test_trial(name: str) -> None:
    assert attempt(TRIALS[name], Tally()) is None


def test_what_rounding_decides_is_no_failure() -> None:
    """The root of a difference that is 0 or of either sign, by the order of evaluation."""
    steps = ((58, 47, 39, 8), (13, 33, 41, 3))
    sample = Sample((("UInt16", "a b"), ("UInt16", "a b")), (17, 7, 8, 5), steps, 1)
    tried = Trial(sample, "ox-tiny", "real", 10832, metamorphic=True)
    tally = Tally()
    assert attempt(tried, tally) is None
    assert tally.undecided == {tried}
    assert tally.over_fields > 0


def test_what_overflows_on_the_way_to_all_results_is_no_failure() -> None:
    """1 / (1 + e^4e9) is 0, or the reciprocal of the largest number."""
    sample = Sample((("UInt32", "b"), ("UInt32", "a")), (1, 1, 1, 1), ((38, 23, 53, 0),), 1)
    tried = Trial(sample, "x280", "approx", 1009049)
    tally = Tally()
    assert attempt(tried, tally) is None
    assert tally.undecided == {tried}


def test_a_kernel_without_a_program_is_refused_by_both_campaigns() -> None:
    """A loop's step that reads other elements of its state: extraction of equivalents failed."""
    steps = ((57, 7, 59, 0), (61, 0, 0, 46))
    sample = Sample((("UInt8", "c a b"), ("UInt8", "a")), (1, 1, 1, 1), steps, 1)
    for metamorphic in (False, True):
        trial = Trial(sample, "ox-edge", "approx", 70149, metamorphic)
        with pytest.raises(LoweringError, match="other elements of its state"):
            attempt(trial, Tally())


def test_an_axis_of_repetition_is_new() -> None:
    def repeated(y: Int32[np.ndarray, "b=2"]) -> Any:
        return np.broadcast_to(np.pad(y, 1, mode="wrap"), (2, 4))

    kernel = lower(repeated)
    (output,) = kernel.outputs
    inner = {axis for term in topological([output.value]) for axis in term.axes}
    assert set(output.layout) & inner == set(output.value.axes)
