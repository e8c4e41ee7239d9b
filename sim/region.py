"""Regions: hot blocks and the branches between them, which become one native function.

A block appears once for every vector configuration that it was executed under, so that vl and
vtype are constants in its code.
"""

from dataclasses import dataclass, field

from oxegg.isa import VType
from oxegg.sim.blocks import Block

FUNCTION = "region"
"""Name of the native function."""
CONTINUE, REDO, UNTIMED = range(3)
"""Ways out: go on at pc; execute the instruction at the place again; the clock has no such step."""


@dataclass(frozen=True)
class Config:
    """A vector configuration under round to nearest even, with vstart 0."""

    vl: int
    vtype: VType | None
    vxrm: int


@dataclass(frozen=True)
class Node:
    """A block under one of the region's configurations."""

    block: Block
    config: int


@dataclass(frozen=True)
class Target:
    """What code is made for, besides the region itself."""

    timed: bool
    vlen: int
    fill_agnostic: bool
    float_off: bool = False
    vector_off: bool = False


@dataclass(frozen=True)
class Region:
    """Nodes (at most 64 blocks' worth of code) and the configurations that they refer to."""

    nodes: tuple[Node, ...]
    configs: tuple[Config, ...]
    target: Target


@dataclass(frozen=True)
class EventField:
    """Where the events of an instruction lie in the key of the transition table."""

    index: int
    word: int
    position: int
    width: int


@dataclass
class RegionCode:
    """IR of a region, and what its caller must know.

    ``calls`` are the vector instructions that native code has the Python tier execute; ``events``
    the event fields by node; ``complete`` says for each node whether all of it is native.
    """

    text: str
    calls: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    events: list[tuple[EventField, ...]] = field(default_factory=list[tuple[EventField, ...]])
    complete: list[bool] = field(default_factory=list[bool])
