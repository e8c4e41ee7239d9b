"""What programs cost: machine files, instruction timing, rooflines and loop-level cycles."""

from oxegg.costmodels.load import load_machine, machine_names
from oxegg.costmodels.machine import Machine
from oxegg.costmodels.quantities import TileShape
from oxegg.costmodels.timing import Timing, timing

__all__ = ["Machine", "TileShape", "Timing", "load_machine", "machine_names", "timing"]
