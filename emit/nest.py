"""A nest: what the e-graph leaves open about a stage of a program."""

from __future__ import annotations

from dataclasses import dataclass

from oxegg.ir.affine import Axis


@dataclass(frozen=True)
class Nest:
    """Loop order (outermost first), copies per iteration, lanes per strip, accumulators.

    ``unroll`` lists the copies of the body per iteration of an axis's loop (for the lane axis:
    strips per iteration; 1 where the axis isn't listed); ``lanes`` elements per strip;
    ``accumulators`` partial results per reduction, so that consecutive updates don't wait for
    each other; ``segments``: strided accesses to neighbouring elements become segment accesses;
    ``ahead``: loops load tiles for their next iteration; ``blocks``: two axes cut into blocks of so
    many elements, outermost first, that DMA brings into the scratchpad and carries out again; a
    third one is the reduced axis, cut into chunks outside of both.
    """

    order: tuple[Axis, ...]
    lanes: int
    unroll: tuple[tuple[Axis, int], ...] = ()
    accumulators: int = 1
    segments: bool = True
    ahead: bool = False
    blocks: tuple[tuple[Axis, int], ...] = ()
    cached: tuple[str, ...] = ()

    def copies(self, axis: Axis) -> int:
        return next((n for a, n in self.unroll if a == axis), 1)

    def __str__(self) -> str:
        loops = " ".join(
            f"{a.name}*{self.copies(a)}" if self.copies(a) > 1 else a.name for a in self.order
        )
        ahead = " ahead" if self.ahead else ""
        if self.blocks:
            ahead += " staged " + " ".join(f"{axis.name}/{size}" for axis, size in self.blocks)
        if self.cached:
            ahead += " cached " + " ".join(self.cached)
        return f"[{loops}] lanes {self.lanes} accumulators {self.accumulators}{ahead}"
