"""What programs cost: machine files, instruction timing, rooflines and loop-level cycles."""

from oxegg.costmodels.load import load_machine, machine_names
from oxegg.costmodels.machine import Machine

__all__ = ["Machine", "load_machine", "machine_names"]
