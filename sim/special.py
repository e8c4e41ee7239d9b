"""Instructions that the run loop executes itself: calls, control registers, fences, SIMT mode."""

from collections.abc import Callable
from dataclasses import dataclass

from oxegg.isa.registers import CSR_NUMBERS
from oxegg.isa.semantics import Apply
from oxegg.sim.blocks import SIMT, Decoded
from oxegg.sim.faults import Cause, EnvironmentCall, IllegalInstruction
from oxegg.sim.flags import FLAG_CSRS, FlagsObserved
from oxegg.sim.machine_mode import MACHINE, SUPERVISOR, Hart
from oxegg.sim.protection import ADDRESSES, CONFIGS
from oxegg.sim.state import State

CODE_PLACES = frozenset(CSR_NUMBERS[name] for name in ("satp", *CONFIGS, *ADDRESSES))
"""Registers that decide where code may be fetched from."""


@dataclass(frozen=True)
class SpecialInstructions:
    """Executes them for one hart.

    ``system_call`` and ``hart`` are those of the engine, which also drops its translations when the
    program has changed its code (``forget``) and runs SIMT mode (``simt``).
    """

    state: State
    hart: Hart | None
    system_call: Callable[[State], None] | None
    forget: Callable[[Decoded], None]
    simt: Callable[[Decoded], int]

    def execute(self, decoded: Decoded) -> int:
        """Execute one instruction; gives the address of the next."""
        if decoded.record.timing in SIMT:
            return self.simt(decoded)
        following = decoded.pc + decoded.length
        hart = self.hart
        match decoded.record.name:
            case "ecall" if self.system_call is not None:
                self.system_call(self.state)
            case "ecall":
                raise EnvironmentCall("ecall has no handler here", Cause.ECALL_FROM_U)
            case "ebreak":
                raise EnvironmentCall("ebreak has no handler here", Cause.BREAKPOINT, decoded.pc)
            case "fence.i":
                self.forget(decoded)
            case "mret" | "sret" | "wfi" | "sfence.vma" if hart is None:
                raise IllegalInstruction("there are no privileged modes here")
            case "mret" | "sret" if hart is not None:
                level = SUPERVISOR if decoded.record.name == "sret" else MACHINE
                following = hart.trap_return(level)
            case "wfi" if hart is not None:
                hart.wait_for_interrupt()
            case "sfence.vma" if hart is not None:
                hart.translation_fence()
                self._forget_virtual(decoded)
            case _ if decoded.record.timing == "csr":
                self._csr(decoded)
            case _:  # fences: accesses are in order anyway
                pass
        return hart.interrupt(following) if hart is not None else following

    def _forget_virtual(self, decoded: Decoded) -> None:
        if self.hart is not None and self.hart.registers["satp"]:
            self.forget(decoded)

    def _csr(self, decoded: Decoded) -> None:
        state, operands = self.state, decoded.operands
        value = decoded.record.statements[0].value
        assert isinstance(value, Apply)
        number, rd = operands["csr"], operands["rd"]
        immediate = "zimm" in operands
        source = operands["zimm" if immediate else "rs1"]
        new = source if immediate else state.x[source]
        if rd and number in FLAG_CSRS and not state.track_flags:
            raise FlagsObserved
        registers = self.hart or state
        try:
            old = registers.read_csr(number)
            if value.operation == "csr_swap":
                registers.write_csr(number, new)
            elif source:
                changed = old | new if value.operation == "csr_set" else old & ~new
                registers.write_csr(number, changed)
        except KeyError as error:
            raise IllegalInstruction(f"CSR {number:#x} can't be accessed") from error
        if rd:
            state.x[rd] = old
        if number in CODE_PLACES:
            self.forget(decoded)
        state.refresh()
