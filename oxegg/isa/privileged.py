"""Machine and supervisor mode: returns from traps, waiting, address-translation fences."""

from oxegg.isa.record import Instruction, instruction

# name, bits 31..20, semantics
ROWS = (
    ("sret", 0x102, "trap_return(1)"),
    ("mret", 0x302, "trap_return(3)"),
    ("wfi", 0x105, "wait_for_interrupt()"),
)

INSTRUCTIONS: tuple[Instruction, ...] = (
    *(
        instruction(name, "Privileged", f"31..20={code} 19..7=0 6..0=0x73", "", semantics, "system")
        for name, code, semantics in ROWS
    ),
    instruction(
        "sfence.vma", "Privileged", "31..25=0x09 rs2 rs1 14..7=0 6..0=0x73", "rs1, rs2",
        "translation_fence(rs1, rs2)", "system",
    ),
)  # fmt: skip
