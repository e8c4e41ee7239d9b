"""What programs cost: machine files, instruction timing, rooflines and loop-level cycles."""

from oxegg.costmodels.levels import Level, LevelCycles, Recurrence, level_cycles, nest_cycles
from oxegg.costmodels.load import load_machine, machine_names
from oxegg.costmodels.machine import Machine
from oxegg.costmodels.quantities import TileShape
from oxegg.costmodels.roofline import KernelWork, Roofline, Traffic, roofline
from oxegg.costmodels.timing import Timing, timing, timing_class, unit_copies
from oxegg.costmodels.timing_classes import ARITHMETIC_UNITS, FIRST_PIPE, VECTOR_UNITS
from oxegg.costmodels.transfers import dma_cycles, row_cycles

__all__ = [
    "ARITHMETIC_UNITS",
    "FIRST_PIPE",
    "VECTOR_UNITS",
    "KernelWork",
    "Level",
    "LevelCycles",
    "Machine",
    "Recurrence",
    "Roofline",
    "TileShape",
    "Timing",
    "Traffic",
    "dma_cycles",
    "level_cycles",
    "load_machine",
    "machine_names",
    "nest_cycles",
    "roofline",
    "row_cycles",
    "timing",
    "timing_class",
    "unit_copies",
]
