"""Zicsr: control and status registers."""

from oxegg.isa.record import Instruction, instruction

# name, funct3, operation; the i forms take a 5-bit constant instead of rs1
ROWS = (
    ("csrrw", 1, "csr_swap", "rs1"),
    ("csrrs", 2, "csr_set", "rs1"),
    ("csrrc", 3, "csr_clear", "rs1"),
    ("csrrwi", 5, "csr_swap", "zimm"),
    ("csrrsi", 6, "csr_set", "zimm"),
    ("csrrci", 7, "csr_clear", "zimm"),
)

INSTRUCTIONS: tuple[Instruction, ...] = tuple(
    instruction(
        name, "Zicsr", f"csr {source} 14..12={funct3} rd 6..0=0x73", f"rd, csr, {source}",
        f"rd = {operation}(csr, {source})", "csr",
    )
    for name, funct3, operation, source in ROWS
)  # fmt: skip
