"""Zba, Zbb, Zbs and Zicond: address arithmetic, bit manipulation, conditional zero."""

from oxegg.isa.record import Instruction, instruction
from oxegg.isa.rv64i import register_form

# extension, name, opcode, funct3, funct7, semantics
REGISTER = (
    ("Zba", "add.uw", 0x3B, 0, 0x04, "rd = low(rs1, 32) + rs2"),
    ("Zba", "sh1add", 0x33, 2, 0x10, "rd = (rs1 << 1) + rs2"),
    ("Zba", "sh2add", 0x33, 4, 0x10, "rd = (rs1 << 2) + rs2"),
    ("Zba", "sh3add", 0x33, 6, 0x10, "rd = (rs1 << 3) + rs2"),
    ("Zba", "sh1add.uw", 0x3B, 2, 0x10, "rd = (low(rs1, 32) << 1) + rs2"),
    ("Zba", "sh2add.uw", 0x3B, 4, 0x10, "rd = (low(rs1, 32) << 2) + rs2"),
    ("Zba", "sh3add.uw", 0x3B, 6, 0x10, "rd = (low(rs1, 32) << 3) + rs2"),
    ("Zbb", "andn", 0x33, 7, 0x20, "rd = rs1 & ~rs2"),
    ("Zbb", "orn", 0x33, 6, 0x20, "rd = rs1 | ~rs2"),
    ("Zbb", "xnor", 0x33, 4, 0x20, "rd = ~(rs1 ^ rs2)"),
    ("Zbb", "min", 0x33, 4, 0x05, "rd = min(s(rs1), s(rs2))"),
    ("Zbb", "minu", 0x33, 5, 0x05, "rd = min(rs1, rs2)"),
    ("Zbb", "max", 0x33, 6, 0x05, "rd = max(s(rs1), s(rs2))"),
    ("Zbb", "maxu", 0x33, 7, 0x05, "rd = max(rs1, rs2)"),
    ("Zbb", "rol", 0x33, 1, 0x30, "rd = (rs1 << (rs2 & 63)) | (rs1 >> (-rs2 & 63))"),
    ("Zbb", "ror", 0x33, 5, 0x30, "rd = (rs1 >> (rs2 & 63)) | (rs1 << (-rs2 & 63))"),
    ("Zbb", "rolw", 0x3B, 1, 0x30,
     "rd = sext((rs1 << (rs2 & 31)) | (low(rs1, 32) >> (-rs2 & 31)), 32)"),
    ("Zbb", "rorw", 0x3B, 5, 0x30,
     "rd = sext((low(rs1, 32) >> (rs2 & 31)) | (rs1 << (-rs2 & 31)), 32)"),
    ("Zbs", "bclr", 0x33, 1, 0x24, "rd = rs1 & ~(1 << (rs2 & 63))"),
    ("Zbs", "bext", 0x33, 5, 0x24, "rd = (rs1 >> (rs2 & 63)) & 1"),
    ("Zbs", "binv", 0x33, 1, 0x34, "rd = rs1 ^ (1 << (rs2 & 63))"),
    ("Zbs", "bset", 0x33, 1, 0x14, "rd = rs1 | (1 << (rs2 & 63))"),
    ("Zicond", "czero.eqz", 0x33, 5, 0x07, "rd = 0 if rs2 == 0 else rs1"),
    ("Zicond", "czero.nez", 0x33, 7, 0x07, "rd = rs1 if rs2 == 0 else 0"),
)  # fmt: skip

# extension, name, opcode, funct3, funct6, semantics
SHIFT = (
    ("Zba", "slli.uw", 0x1B, 1, 0x02, "rd = low(rs1, 32) << shamt"),
    ("Zbb", "rori", 0x13, 5, 0x18, "rd = (rs1 >> shamt) | (rs1 << (-shamt & 63))"),
    ("Zbs", "bclri", 0x13, 1, 0x12, "rd = rs1 & ~(1 << shamt)"),
    ("Zbs", "bexti", 0x13, 5, 0x12, "rd = (rs1 >> shamt) & 1"),
    ("Zbs", "binvi", 0x13, 1, 0x1A, "rd = rs1 ^ (1 << shamt)"),
    ("Zbs", "bseti", 0x13, 1, 0x0A, "rd = rs1 | (1 << shamt)"),
)

# name, opcode, funct3, bits 31..20, semantics
UNARY = (
    ("clz", 0x13, 1, 0x600, "rd = clz(rs1, 64)"),
    ("ctz", 0x13, 1, 0x601, "rd = ctz(rs1, 64)"),
    ("cpop", 0x13, 1, 0x602, "rd = popcount(rs1, 64)"),
    ("clzw", 0x1B, 1, 0x600, "rd = clz(rs1, 32)"),
    ("ctzw", 0x1B, 1, 0x601, "rd = ctz(rs1, 32)"),
    ("cpopw", 0x1B, 1, 0x602, "rd = popcount(rs1, 32)"),
    ("sext.b", 0x13, 1, 0x604, "rd = sext(rs1, 8)"),
    ("sext.h", 0x13, 1, 0x605, "rd = sext(rs1, 16)"),
    ("zext.h", 0x3B, 4, 0x080, "rd = low(rs1, 16)"),
    ("rev8", 0x13, 5, 0x6B8, "rd = byte_reverse(rs1)"),
    ("orc.b", 0x13, 5, 0x287, "rd = byte_or(rs1)"),
)

INSTRUCTIONS: tuple[Instruction, ...] = (
    *(
        instruction(name, ext, register_form(op, f3, f7), "rd, rs1, rs2", semantics, "alu")
        for ext, name, op, f3, f7, semantics in REGISTER
    ),
    *(
        instruction(
            name, ext, f"31..26={f6} shamt rs1 14..12={f3} rd 6..0={op}", "rd, rs1, shamt",
            semantics, "alu",
        )
        for ext, name, op, f3, f6, semantics in SHIFT
    ),
    *(
        instruction(
            name, "Zbb", f"31..20={top} rs1 14..12={f3} rd 6..0={op}", "rd, rs1", semantics, "alu"
        )
        for name, op, f3, top, semantics in UNARY
    ),
    instruction(
        "roriw", "Zbb", "31..25=0x30 shamtw rs1 14..12=5 rd 6..0=0x1b", "rd, rs1, shamtw",
        "rd = sext((low(rs1, 32) >> shamtw) | (rs1 << (-shamtw & 31)), 32)", "alu",
    ),
)  # fmt: skip
