"""The engines beside the scalar and the vector unit: their state, as far as a machine has them."""

from dataclasses import dataclass

from oxegg.costmodels import Machine
from oxegg.sim.dma import DmaEngine
from oxegg.sim.domain import Domain
from oxegg.sim.lanes import BY_NUMBER
from oxegg.sim.memory import Memory
from oxegg.sim.near_memory import NearMemoryUnits
from oxegg.sim.simt import SimtCore
from oxegg.sim.tile import Tiles


@dataclass(frozen=True)
class Accelerators:
    """Engine states of one core; ``None`` for what the machine doesn't have."""

    tiles: Tiles | None = None
    near_memory: NearMemoryUnits | None = None
    dma: DmaEngine | None = None
    simt: SimtCore | None = None


NO_ACCELERATORS = Accelerators()


def accelerators(machine: Machine, memory: Memory, domain: Domain | None = None) -> Accelerators:
    """The engines of ``machine`` in their initial state; floats are elements of ``domain``."""
    near = machine.near_memory
    kinds = BY_NUMBER
    if domain is not None:
        # Ordinary runs start without the domains.
        from oxegg.sim.domains import lanes_over

        kinds = lanes_over(domain)
    return Accelerators(
        dma=DmaEngine(machine.dma, memory) if machine.dma else None,
        simt=SimtCore(machine.simt) if machine.simt else None,
        tiles=Tiles(machine.tensor.rows) if machine.tensor else None,
        near_memory=(
            NearMemoryUnits(near, machine.near_memory_channels, memory, kinds) if near else None
        ),
    )
