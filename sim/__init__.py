"""Simulator: run OXM-1 machine code, bit-exact, with or without a clock."""

from oxegg.sim.call import Buffer, CallResult, call

__all__ = ["Buffer", "CallResult", "call"]
