"""Runs without IEEE exception flags, as long as the program doesn't look at them."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from oxegg.isa.registers import CSR_NUMBERS

Result = TypeVar("Result")
FLAG_CSRS = frozenset({CSR_NUMBERS["fflags"], CSR_NUMBERS["fcsr"]})
"""The control registers that show the accrued exceptions."""


class FlagsObserved(Exception):
    """The program is about to read fflags, which were not tracked so far: run it once more.

    Few programs ever read the accrued float exceptions, and tracking them costs all the speed of
    host floats. So the first run goes without. The one way to observe flags is to read fflags or
    fcsr into a register, and a program that gets there is run again from its start with tracking:
    nothing has left the simulator by then, and runs are deterministic, so nobody sees a difference.
    """


def with_flags_if_observed(run: Callable[[bool], Result]) -> Result:
    """``run(track_flags)``, which makes everything anew, without tracking if that suffices."""
    with suppress(FlagsObserved):
        return run(False)
    return run(True)
