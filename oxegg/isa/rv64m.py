"""M: integer multiplication and division."""

from oxegg.isa.record import Instruction, instruction
from oxegg.isa.rv64i import register_form

# name, funct3, semantics, timing
DOUBLEWORD = (
    ("mul", 0, "rd = rs1 * rs2", "mul"),
    ("mulh", 1, "rd = (s(rs1) * s(rs2)) >> 64", "mul"),
    ("mulhsu", 2, "rd = (s(rs1) * rs2) >> 64", "mul"),
    ("mulhu", 3, "rd = (rs1 * rs2) >> 64", "mul"),
    ("div", 4, "rd = div(s(rs1), s(rs2)) if rs2 != 0 else -1", "div"),
    ("divu", 5, "rd = div(rs1, rs2) if rs2 != 0 else -1", "div"),
    ("rem", 6, "rd = rem(s(rs1), s(rs2)) if rs2 != 0 else rs1", "div"),
    ("remu", 7, "rd = rem(rs1, rs2) if rs2 != 0 else rs1", "div"),
)
WORD = (
    ("mulw", 0, "rd = sext(rs1 * rs2, 32)", "mul"),
    ("divw", 4, "rd = sext(div(sext(rs1, 32), sext(rs2, 32)) if low(rs2, 32) != 0 else -1, 32)",
     "div_w"),
    ("divuw", 5, "rd = sext(div(low(rs1, 32), low(rs2, 32)) if low(rs2, 32) != 0 else -1, 32)",
     "div_w"),
    ("remw", 6, "rd = sext(rem(sext(rs1, 32), sext(rs2, 32)) if low(rs2, 32) != 0 else rs1, 32)",
     "div_w"),
    ("remuw", 7, "rd = sext(rem(low(rs1, 32), low(rs2, 32)) if low(rs2, 32) != 0 else rs1, 32)",
     "div_w"),
)  # fmt: skip

INSTRUCTIONS: tuple[Instruction, ...] = tuple(
    instruction(name, "M", register_form(opcode, funct3, 1), "rd, rs1, rs2", semantics, timing)
    for opcode, rows in ((0x33, DOUBLEWORD), (0x3B, WORD))
    for name, funct3, semantics, timing in rows
)
