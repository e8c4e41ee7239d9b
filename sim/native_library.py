"""Compiled regions, kept for later runs of the same code in this process."""

from collections import OrderedDict
from dataclasses import dataclass

from oxegg.sim.memory import Memory
from oxegg.sim.native_llvm import GOOD, QUICK, Function, compile_function
from oxegg.sim.region import FUNCTION, Config, Region, RegionCode, Target

KEPT = 2048
"""Nodes to remember the regions of; a region's code takes some ten kilobytes."""
Key = tuple[Target, int, Config]


@dataclass
class Compiled:
    """A region with its code, and the guest code that it was made from."""

    region: Region
    code: RegionCode
    function: Function
    images: tuple[tuple[int, bytes], ...]
    level: int = QUICK

    def improve(self) -> None:
        """Compile once more, with care; the code so far stays valid while it is in use."""
        self.level = GOOD
        self.function = compile_function(self.code.text, FUNCTION, GOOD)

    def matches(self, memory: Memory) -> bool:
        """Whether memory still holds the code that the region was made from."""
        return all(memory.read(start, len(image)) == image for start, image in self.images)


_known: OrderedDict[Key, Compiled] = OrderedDict()


def compile_region(region: Region, code: RegionCode, memory: Memory) -> Compiled:
    """Compile a region and remember it under each of its nodes; the latest wins."""
    function = compile_function(code.text, FUNCTION, QUICK)
    images = tuple(
        (node.block.start, memory.read(node.block.start, node.block.end - node.block.start))
        for node in region.nodes
    )
    compiled = Compiled(region, code, function, images)
    for node in region.nodes:
        key = region.target, node.block.start, region.configs[node.config]
        _known[key] = compiled
        _known.move_to_end(key)
    while len(_known) > KEPT:
        _known.popitem(last=False)
    return compiled


def find_compiled(target: Target, pc: int, config: Config, memory: Memory) -> Compiled | None:
    """A region that has a node for the block at ``pc`` as memory holds it."""
    found = _known.get((target, pc, config))
    return found if found is not None and found.matches(memory) else None
