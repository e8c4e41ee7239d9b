"""The privileged state of a hart: modes M, S and U, traps, and the control registers around them.

As "The RISC-V Instruction Set Manual, Volume II" has it, with what a small machine may leave out:
no interrupt sources besides software's own bits in mip, and float and vector state that is always
dirty when it is on. Virtual memory (Sv39) is in ``oxegg.sim.paging``, physical memory protection in
``oxegg.sim.protection``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from oxegg.isa.registers import CSR_NUMBERS
from oxegg.sim.faults import Cause, IllegalInstruction
from oxegg.sim.paging import NUMBER_BITS, Space
from oxegg.sim.protection import (
    ADDRESS_BITS,
    ADDRESSES,
    CONFIGS,
    Protection,
    address_is_locked,
    protection,
    written_config,
)
from oxegg.sim.state import State

U64 = (1 << 64) - 1
USER, SUPERVISOR, MACHINE = 0, 1, 3
INTERRUPT = 1 << 63

# Fields of mstatus: lowest bit; FS, VS and MPP have two bits.
SIE, MIE, SPIE, MPIE, SPP, VS, MPP, FS = 1, 3, 5, 7, 8, 9, 11, 13
MPRV, SUM, MXR, TVM, TW, TSR, UXL, SXL, SD = 17, 18, 19, 20, 21, 22, 32, 34, 63
WRITABLE_STATUS = (
    sum(1 << bit for bit in (SIE, MIE, SPIE, MPIE, SPP, MPRV, SUM, MXR, TVM, TW, TSR))
    | 3 << VS | 3 << MPP | 3 << FS
)  # fmt: skip
FIXED_STATUS = 2 << UXL | 2 << SXL
SUPERVISOR_STATUS = (
    sum(1 << bit for bit in (SIE, SPIE, SPP, SUM, MXR)) | 3 << VS | 3 << FS | 3 << UXL | 1 << SD
)
# Software, timer and external interrupts of supervisor mode.
SUPERVISOR_INTERRUPTS = 1 << 1 | 1 << 5 | 1 << 9
ALL_INTERRUPTS = SUPERVISOR_INTERRUPTS | SUPERVISOR_INTERRUPTS << 2
INTERRUPT_PRIORITY = (11, 3, 7, 9, 1, 5)
# Every exception but an ecall from machine mode.
DELEGABLE = 0xB3FF
MISA = 2 << 62 | sum(1 << ord(letter) - ord("A") for letter in "ABCDFIMSUV")
EVEN = U64 - 1
"""Addresses in mepc and sepc: with C, instructions lie on even ones."""

# Plain registers and the bits of them that can be written.
WRITABLE: Mapping[str, int] = {
    "mscratch": U64, "mepc": EVEN, "mcause": U64, "mtval": U64, "medeleg": DELEGABLE,
    "mideleg": SUPERVISOR_INTERRUPTS, "mie": ALL_INTERRUPTS, "mip": SUPERVISOR_INTERRUPTS,
    "mtvec": U64 - 2, "mcounteren": 7, "menvcfg": 1, "mcountinhibit": 0,
    "sscratch": U64, "sepc": EVEN, "scause": U64, "stval": U64, "stvec": U64 - 2,
    "scounteren": 7, "senvcfg": 1, "satp": 15 << 60 | (1 << NUMBER_BITS) - 1, "misa": 0,
    **dict.fromkeys(CONFIGS, U64), **dict.fromkeys(ADDRESSES, (1 << ADDRESS_BITS) - 1),
    "tselect": 0, "tdata1": 0, "tdata2": 0, "tdata3": 0,
    **{f"mhpmcounter{i}": 0 for i in range(3, 32)}, **{f"mhpmevent{i}": 0 for i in range(3, 32)},
    "mvendorid": 0, "marchid": 0, "mimpid": 0, "mhartid": 0, "mconfigptr": 0,
}  # fmt: skip
NAMES = {number: name for name, number in CSR_NUMBERS.items()}
# Parts of machine-mode registers that supervisor mode sees under a name of its own.
SHADOWS = {"sie": "mie", "sip": "mip"}
COUNTERS = {"mcycle": "cycle", "minstret": "instret"}
COUNTER_BITS = {"cycle": 0, "time": 1, "instret": 2}
BARE, SV39 = 0, 8
"""Modes of satp."""
FLOAT_STATE = frozenset({"fflags", "frm", "fcsr"})
VECTOR_STATE = frozenset({"vstart", "vxsat", "vxrm", "vcsr", "vl", "vtype", "vlenb"})


@dataclass
class Hart:
    """Privilege mode and control registers beside ``state``, whose user-level ones it guards."""

    state: State
    privilege: int = MACHINE
    status: int = 0
    registers: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WRITABLE, 0))
    _counter_offsets: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))
    _protections: dict[bool, Protection | None] = field(default_factory=dict[bool, Any])
    """Of machine mode (True) and of the others."""

    def __post_init__(self) -> None:
        self.registers["misa"] = MISA
        self._set_protection()
        self._set_status(0)

    # Control registers

    def read_csr(self, number: int) -> int:
        """Value of a control register; raises ``IllegalInstruction`` where it can't be read."""
        name = self._guard(number)
        read = self._special_reads.get(name)
        if read is not None:
            return read() & U64
        return self.registers[name] if name in self.registers else self.state.read_csr(number)

    def write_csr(self, number: int, value: int) -> None:
        """Set what is writable in a register; raises ``IllegalInstruction`` if it is read-only."""
        name = self._guard(number)
        if number >> 10 == 3:
            raise IllegalInstruction(f"CSR {name} is read-only")
        write = self._special_writes.get(name)
        if write is not None:
            write(value)
        elif name in self.registers:
            mask = WRITABLE[name]
            self.registers[name] = self.registers[name] & ~mask | value & mask
        else:
            self.state.write_csr(number, value)

    def _guard(self, number: int) -> str:
        """The register's name, if the present mode may access it."""
        name = NAMES.get(number)
        if name is None or number >> 8 & 3 > self.privilege:
            raise IllegalInstruction(f"CSR {name or hex(number)} can't be accessed")
        if name in FLOAT_STATE and self.state.float_off:
            raise IllegalInstruction(f"CSR {name}: the float unit is off (mstatus.FS)")
        if name in VECTOR_STATE and self.state.vector_off:
            raise IllegalInstruction(f"CSR {name}: the vector unit is off (mstatus.VS)")
        if name == "satp" and self.privilege == SUPERVISOR and self._bit(TVM):
            raise IllegalInstruction("CSR satp is trapped (mstatus.TVM)")
        if name in COUNTER_BITS and not self._counter_enabled(COUNTER_BITS[name]):
            raise IllegalInstruction(f"CSR {name} is not enabled for this mode")
        return name

    def _counter_enabled(self, bit: int) -> bool:
        enables = {MACHINE: 1 << bit, SUPERVISOR: self.registers["mcounteren"]}
        both = self.registers["mcounteren"] & self.registers["scounteren"]
        return bool(enables.get(self.privilege, both) >> bit & 1)

    @cached_property
    def _special_reads(self) -> Mapping[str, Callable[[], int]]:
        """Registers whose value is computed."""
        return {
            "mstatus": lambda: self.status,
            "sstatus": lambda: self.status & SUPERVISOR_STATUS,
            **{name: lambda name=name: self._counter(name) for name in COUNTERS},
            **{user: lambda name=name: self._counter(name) for name, user in COUNTERS.items()},
            **{
                name: lambda of=of: self.registers[of] & self.registers["mideleg"]
                for name, of in SHADOWS.items()
            },
        }

    @cached_property
    def _special_writes(self) -> Mapping[str, Callable[[int], None]]:
        """Registers whose writes do more than to keep the value."""
        return {
            "mstatus": self._set_status,
            "satp": self._set_satp,
            **{name: lambda value, name=name: self._set_config(name, value) for name in CONFIGS},
            **{
                name: lambda value, number=number: self._set_address(number, value)
                for number, name in enumerate(ADDRESSES)
            },
            "sstatus": lambda value: self._set_status(
                self.status & ~SUPERVISOR_STATUS | value & SUPERVISOR_STATUS
            ),
            **{name: lambda value, name=name: self._set_counter(name, value) for name in COUNTERS},
            "sie": lambda value: self._write_delegated("mie", value, SUPERVISOR_INTERRUPTS),
            # Of its pending interrupts supervisor mode writes only the software interrupt.
            "sip": lambda value: self._write_delegated("mip", value, 1 << 1),
        }

    def _write_delegated(self, name: str, value: int, writable: int) -> None:
        mask = self.registers["mideleg"] & writable
        self.registers[name] = self.registers[name] & ~mask | value & mask

    def _counter(self, name: str) -> int:
        return self.state.read_csr(CSR_NUMBERS[COUNTERS[name]]) + self._counter_offsets[name]

    def _set_counter(self, name: str, value: int) -> None:
        # The following instruction sees the value itself: this one no longer counts. With a clock
        # it may read mcycle in the same cycle.
        itself = 0 if name == "mcycle" and self.state.cycles else 1
        self._counter_offsets[name] += value - self._counter(name) - itself

    def _set_satp(self, value: int) -> None:
        # A mode that doesn't exist leaves the whole register as it is.
        if value >> 60 in (BARE, SV39):
            self.registers["satp"] = value & WRITABLE["satp"]
            self._set_space()

    def _set_status(self, value: int) -> None:
        mode = value >> MPP & 3
        if mode == 2:  # there is no such mode: the field keeps its value
            value = value & ~(3 << MPP) | self.status & 3 << MPP
        value &= WRITABLE_STATUS
        for unit in (FS, VS):
            if value >> unit & 3:
                value |= 3 << unit
        dirty = bool(value & (3 << FS | 3 << VS))
        self.status = value | FIXED_STATUS | dirty << SD
        self.state.float_off = not value >> FS & 3
        self.state.vector_off = not value >> VS & 3
        self._set_space()

    def _bit(self, field: int) -> int:
        return self.status >> field & 1

    # Virtual memory

    def code_space(self) -> Space | None:
        """The address space of instructions; None for physical addresses."""
        return self._space(self.privilege)

    def data_space(self) -> Space | None:
        """The address space of loads and stores, which may be another mode's (MPRV)."""
        machine = self.privilege == MACHINE
        return self._space(
            self.status >> MPP & 3 if machine and self._bit(MPRV) else self.privilege
        )

    def _space(self, privilege: int) -> Space | None:
        satp, protected = self.registers["satp"], self._protections[privilege == MACHINE]
        physical = privilege == MACHINE or satp >> 60 == BARE
        if physical and protected is None:
            return None
        root = None if physical else satp & (1 << NUMBER_BITS) - 1
        user = privilege == USER
        return Space(root, user, bool(self._bit(SUM)), bool(self._bit(MXR)), protected)

    def _set_space(self) -> None:
        """Number the present spaces by what translated code depends on."""
        mode = 0 if self.code_space() is None else 1 + self.privilege
        self.state.space = mode | (self.data_space() is not None) << 3

    # Physical memory protection

    def _set_config(self, name: str, value: int) -> None:
        self.registers[name] = written_config(self.registers[name], value)
        self._set_protection()

    def _set_address(self, number: int, value: int) -> None:
        if not address_is_locked(self.registers, number):
            self.registers[ADDRESSES[number]] = value & WRITABLE[ADDRESSES[number]]
        self._set_protection()

    def _set_protection(self) -> None:
        self._protections = {
            machine: protection(self.registers, machine=machine) for machine in (False, True)
        }
        self._set_space()

    # Traps

    def trap(self, cause: int, value: int, pc: int) -> int:
        """Enter the handler of an exception at ``pc`` or an interrupt before it: its address."""
        interrupt, code = bool(cause & INTERRUPT), cause & 63
        if cause == Cause.ECALL_FROM_U:
            code = cause = cause + self.privilege
        delegated = self.registers["mideleg" if interrupt else "medeleg"] >> code & 1
        to_supervisor = delegated and self.privilege <= SUPERVISOR
        letter = "s" if to_supervisor else "m"
        enable, previous_enable = (SIE, SPIE) if to_supervisor else (MIE, MPIE)
        previous, width = (SPP, 1) if to_supervisor else (MPP, 3)
        status = self.status & ~(1 << previous_enable | 1 << enable | width << previous)
        status |= self._bit(enable) << previous_enable | self.privilege << previous
        self._set_status(status)
        self.privilege = SUPERVISOR if to_supervisor else MACHINE
        self._set_space()
        self.registers |= {f"{letter}epc": pc, f"{letter}cause": cause, f"{letter}tval": value}
        base = self.registers[f"{letter}tvec"]
        vectored = interrupt and base & 1
        return (base & ~3) + (4 * code if vectored else 0)

    def trap_return(self, level: int) -> int:
        """mret (level 3) or sret (1): back to the mode before the trap; gives the pc there."""
        trapped = level == SUPERVISOR and self.privilege == SUPERVISOR and self._bit(TSR)
        if self.privilege < level or trapped:
            raise IllegalInstruction("a return from a trap in a less privileged mode")
        supervisor = level == SUPERVISOR
        enable, previous_enable = (SIE, SPIE) if supervisor else (MIE, MPIE)
        previous, width = (SPP, 1) if supervisor else (MPP, 3)
        mode = self.status >> previous & width
        status = self.status & ~(1 << enable | width << previous)
        status |= self._bit(previous_enable) << enable | 1 << previous_enable
        if mode != MACHINE:
            status &= ~(1 << MPRV)
        self._set_status(status)
        self.privilege = mode
        self._set_space()
        return self.registers["sepc" if supervisor else "mepc"]

    def wait_for_interrupt(self) -> None:
        """wfi: waits for nothing, as a hint may; raises ``IllegalInstruction`` where it is off."""
        if self.privilege == USER or (self.privilege == SUPERVISOR and self._bit(TW)):
            raise IllegalInstruction("wfi is off in this mode")

    def translation_fence(self) -> None:
        """sfence.vma, for which the run loop drops translated code."""
        if self.privilege == USER or (self.privilege == SUPERVISOR and self._bit(TVM)):
            raise IllegalInstruction("sfence.vma is off in this mode")

    def interrupt(self, pc: int) -> int:
        """The handler's address if an interrupt is taken before ``pc``, else ``pc``."""
        pending = self.registers["mip"] & self.registers["mie"]
        delegated = pending & self.registers["mideleg"]
        to_machine = self.privilege < MACHINE or self._bit(MIE)
        to_supervisor = self.privilege < SUPERVISOR or (
            self.privilege == SUPERVISOR and self._bit(SIE)
        )
        for taken in (pending & ~delegated if to_machine else 0, delegated if to_supervisor else 0):
            for code in INTERRUPT_PRIORITY:
                if taken >> code & 1:
                    return self.trap(INTERRUPT | code, 0, pc)
        return pc
