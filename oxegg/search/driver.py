"""The compiler's main loop: saturate once, extract several programs, simulate the best nests."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy.typing as npt

from oxegg.costmodels import Machine
from oxegg.egraph.saturate import Limits
from oxegg.emit.backend import (
    MachineCode,
    generate,
    generate_pipelined,
    measured,
    predicted_cycles,
)
from oxegg.emit.lowering.copies import with_copies
