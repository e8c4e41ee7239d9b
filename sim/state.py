"""Architectural state: registers, control registers, and the vector unit's configuration."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from oxegg.isa import VType, decode_vtype
from oxegg.isa.registers import CSR_NUMBERS
from oxegg.sim.accelerators import NO_ACCELERATORS, Accelerators
from oxegg.sim.domain import Domain
from oxegg.sim.ieee import Flags
from oxegg.sim.memory import Memory
from oxegg.sim.simt import SimtCore
from oxegg.sim.tile import Tiles

U64 = (1 << 64) - 1
BOX = 0xFFFF_FFFF_0000_0000
VILL = 1 << 63

Bytes = npt.NDArray[np.uint8]
VectorOperation = Callable[..., Any]


@dataclass(frozen=True)
class VectorConfig:
    """All that a vector instruction's meaning depends on besides register contents."""

    vl: int
    vtype: VType | None
    vstart: int
    vxrm: int
    frm: int


class Mode(NamedTuple):
    """What translated code depends on besides the instructions."""

    frm: int = 0
    vstart: bool = False
    """Whether vstart isn't 0: the next vector instruction starts in the middle."""
    float_off: bool = False
    vector_off: bool = False
    bytewise: bool = False
    """Whether one scalar access may be misaligned or go to a device."""
    space: int = 0
    """Number of the virtual spaces of code and data, 0 if both are physical."""


class Operations(dict[int, VectorOperation]):
    """Compiled vector instructions of one configuration, by site; missing ones are compiled."""

    def __init__(
        self, config: VectorConfig, number: int, compile_site: Callable[[int, VectorConfig], Any]
    ) -> None:
        super().__init__()
        self.config = config
        self.number = number
        self._compile = compile_site

    def __missing__(self, site: int) -> VectorOperation:
        operation = self[site] = self._compile(site, self.config)
        return operation


class State:
    """Registers of one hart. ``x`` and the views of ``f`` and ``v`` are shared with all code.

    ``track_flags``: whether float instructions accrue IEEE exceptions in ``flags``. That never
    changes other results, but takes time; see ``oxegg.sim.flags.FlagsObserved``.
    ``fill_agnostic``: whether agnostic elements become ones, so that nobody relies on them, or stay
    undisturbed. ``domain``: the numbers that floats stand for, IEEE's own by default; see
    ``oxegg.sim.domains``.
    """

    def __init__(
        self,
        memory: Memory,
        vlen: int,
        accelerators: Accelerators = NO_ACCELERATORS,
        *,
        track_flags: bool = False,
        fill_agnostic: bool = True,
        domain: Domain | None = None,
    ) -> None:
        self.memory = memory
        self.accelerators = accelerators
        self.vlen = vlen
        self.vlenb = vlen // 8
        self.x = [0] * 32
        f = bytearray(32 * 8)
        self.f_u64 = memoryview(f).cast("Q")
        self.f_f64 = memoryview(f).cast("d")
        self.f_u32 = memoryview(f).cast("I")
        self.f_f32 = memoryview(f).cast("f")
        self.v: Bytes = np.zeros(32 * self.vlenb, np.uint8)
        self.vl = 0
        self.vtype: VType | None = None
        self.vstart = 0
        self.vxrm = 0
        self.vxsat = 0
        self.frm = 0
        self.flags = Flags()
        self.domain = domain
        # Only host floats are fast, and they are no elements of another domain.
        self.track_flags = track_flags or domain is not None
        self.fill_agnostic = fill_agnostic
        self.float_off = False
        self.vector_off = False
        self.bytewise_next = False
        self.space = 0
        self.reservation: int | None = None
        self.instructions = 0
        self.cycles = 0
        self._configs: dict[tuple[int, ...], Operations] = {}
        self._vtypes: dict[int, tuple[VType | None, int]] = {}
        self.compile_site: Callable[[int, VectorConfig], Any] = _no_compiler
        self.present = self.refresh()

    def refresh(self) -> Operations:
        """Look up the vector instructions of the configuration after it may have changed."""
        # A vtype object lives as long as this state: its identity is a cheap key.
        key = (self.vl, id(self.vtype), self.vstart, self.vxrm, self.frm)
        found = self._configs.get(key)
        if found is None:
            config = VectorConfig(self.vl, self.vtype, self.vstart, self.vxrm, self.frm)
            found = Operations(config, len(self._configs), self._compile)
            self._configs[key] = found
        self.present = found
        return found

    @property
    def mode(self) -> Mode:
        """The mode that code has to be translated for."""
        return Mode(
            self.frm, self.vstart != 0, self.float_off, self.vector_off, self.bytewise_next,
            self.space,
        )  # fmt: skip

    def clear_vstart(self) -> None:
        """What each vector instruction does in the end."""
        self.vstart = 0
        self.refresh()

    def _compile(self, site: int, config: VectorConfig) -> VectorOperation:
        return self.compile_site(site, config)

    def set_vl(self, requested: int | None, vtype: int) -> int:
        """vsetvl: the new vl, for ``requested`` elements (None keeps vl); sets vill if reserved."""
        known = self._vtypes.get(vtype)
        if known is None:
            decoded = decode_vtype(vtype)
            known = self._vtypes[vtype] = decoded, decoded.vlmax(self.vlen) if decoded else 0
        self.vtype, limit = known
        self.vstart = 0
        self.vl = min(self.vl if requested is None else requested, limit)
        return self.vl

    def read_csr(self, number: int) -> int:
        """Value of a control register; raises ``KeyError`` for an unknown one."""
        return _READ[number](self)

    def write_csr(self, number: int, value: int) -> None:
        """Set a control register; raises ``KeyError`` for an unknown or read-only one."""
        _WRITE[number](self, value)


def _no_compiler(site: int, config: VectorConfig) -> VectorOperation:
    raise KeyError(site, config)


def _tiles(state: State) -> Tiles:
    tiles = state.accelerators.tiles
    if tiles is None:
        raise KeyError("no tensor engine")
    return tiles


def _simt(state: State) -> SimtCore:
    core = state.accelerators.simt
    if core is None:
        raise KeyError("no SIMT mode")
    return core


def _write_fcsr(state: State, value: int) -> None:
    _write_fflags(state, value)
    state.frm = value >> 5 & 7


def _write_fflags(state: State, value: int) -> None:
    state.flags.raised = value & 31


def _write_vcsr(state: State, value: int) -> None:
    state.vxsat, state.vxrm = value & 1, value >> 1 & 3


def _setter(name: str, mask: int) -> Callable[[State, int], None]:
    return lambda state, value: setattr(state, name, value & mask)


_READ_BY_NAME: dict[str, Callable[[State], int]] = {
    "fflags": lambda state: state.flags.raised,
    "frm": lambda state: state.frm,
    "fcsr": lambda state: state.flags.raised | state.frm << 5,
    "vstart": lambda state: state.vstart,
    "vxsat": lambda state: state.vxsat,
    "vxrm": lambda state: state.vxrm,
    "vcsr": lambda state: state.vxsat | state.vxrm << 1,
    # Without a clock an instruction counts as a cycle: programs that wait for time go on.
    "cycle": lambda state: state.cycles or state.instructions,
    "time": lambda state: state.cycles or state.instructions,
    "instret": lambda state: state.instructions,
    "vl": lambda state: state.vl,
    "vtype": lambda state: VILL if state.vtype is None else state.vtype.encode(),
    "vlenb": lambda state: state.vlenb,
    "tm": lambda state: _tiles(state).m,
    "tn": lambda state: _tiles(state).n,
    "tk": lambda state: _tiles(state).k,
    "thread_id": lambda state: _simt(state).thread,
    "warp_id": lambda state: _simt(state).current,
    "core_id": lambda state: _simt(state) and 0,
    "active_warps": lambda state: _simt(state).active_warps,
    "active_threads": lambda state: _simt(state).warp.mask,
    "num_threads": lambda state: _simt(state).machine.threads,
    "num_warps": lambda state: _simt(state).machine.warps,
    "num_cores": lambda state: _simt(state) and 1,
}
_WRITE_BY_NAME: dict[str, Callable[[State, int], None]] = {
    "fflags": _write_fflags,
    "frm": _setter("frm", 7),
    "fcsr": _write_fcsr,
    # The largest index that a vector can have: VLMAX at SEW 8 and LMUL 8, less one.
    "vstart": lambda state, value: setattr(state, "vstart", value & (state.vlen - 1)),
    "vxsat": _setter("vxsat", 1),
    "vxrm": _setter("vxrm", 3),
    "vcsr": _write_vcsr,
}
_READ = {CSR_NUMBERS[name]: read for name, read in _READ_BY_NAME.items()}
_WRITE = {CSR_NUMBERS[name]: write for name, write in _WRITE_BY_NAME.items()}
