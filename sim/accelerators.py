"""The engines beside the scalar and the vector unit: their state, as far as a machine has them."""

from dataclasses import dataclass

from oxegg.costmodels import Machine
from oxegg.sim.tile import Tiles


class StateFault(Exception):
    """An instruction that an engine refuses in its present state; stops the run with a report."""


NO_ENGINE = "this machine has no {}"


@dataclass(frozen=True)
class Accelerators:
    """Engine states of one core; ``None`` for what the machine doesn't have."""

    tiles: Tiles | None = None


NO_ACCELERATORS = Accelerators()


def accelerators(machine: Machine) -> Accelerators:
    """The engines of ``machine`` in their initial state."""
    return Accelerators(tiles=Tiles(machine.tensor.rows) if machine.tensor else None)
