"""What one stage leaves to the next of the tile engine."""

from __future__ import annotations

from dataclasses import dataclass, field

from oxegg.emit.lowering.tile_shapes import UNKNOWN
from oxegg.emit.program import TileShape

INPUT_TILES = range(8)
ACCUMULATORS = range(16, 20)


@dataclass
class TileFile:
    """The shape that is set, and in which order registers should be taken.

    Those that were used least recently come first: what the next stage loads needn't wait for the
    last products of this one.
    """

    shape: TileShape = UNKNOWN
    inputs: list[int] = field(default_factory=lambda: list(INPUT_TILES))
    accumulators: list[int] = field(default_factory=lambda: list(ACCUMULATORS))
