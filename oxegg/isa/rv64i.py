"""RV64I and Zifencei: the base integer instructions."""

from oxegg.isa.record import Instruction, instruction

# name, funct3, funct7, semantics
REGISTER = (
    ("add", 0, 0x00, "rd = rs1 + rs2"),
    ("sub", 0, 0x20, "rd = rs1 - rs2"),
    ("sll", 1, 0x00, "rd = rs1 << (rs2 & 63)"),
    ("slt", 2, 0x00, "rd = s(rs1) < s(rs2)"),
    ("sltu", 3, 0x00, "rd = rs1 < rs2"),
    ("xor", 4, 0x00, "rd = rs1 ^ rs2"),
    ("srl", 5, 0x00, "rd = rs1 >> (rs2 & 63)"),
    ("sra", 5, 0x20, "rd = s(rs1) >> (rs2 & 63)"),
    ("or", 6, 0x00, "rd = rs1 | rs2"),
    ("and", 7, 0x00, "rd = rs1 & rs2"),
)
REGISTER_WORD = (
    ("addw", 0, 0x00, "rd = sext(rs1 + rs2, 32)"),
    ("subw", 0, 0x20, "rd = sext(rs1 - rs2, 32)"),
    ("sllw", 1, 0x00, "rd = sext(rs1 << (rs2 & 31), 32)"),
    ("srlw", 5, 0x00, "rd = sext(low(rs1, 32) >> (rs2 & 31), 32)"),
    ("sraw", 5, 0x20, "rd = sext(rs1, 32) >> (rs2 & 31)"),
)
# name, funct3, semantics
IMMEDIATE = (
    ("addi", 0, "rd = rs1 + imm12"),
    ("slti", 2, "rd = s(rs1) < imm12"),
    ("sltiu", 3, "rd = rs1 < low(imm12, 64)"),
    ("xori", 4, "rd = rs1 ^ imm12"),
    ("ori", 6, "rd = rs1 | imm12"),
    ("andi", 7, "rd = rs1 & imm12"),
)
# name, funct3, funct6, semantics
SHIFT = (
    ("slli", 1, 0x00, "rd = rs1 << shamt"),
    ("srli", 5, 0x00, "rd = rs1 >> shamt"),
    ("srai", 5, 0x10, "rd = s(rs1) >> shamt"),
)
SHIFT_WORD = (
    ("slliw", 1, 0x00, "rd = sext(rs1 << shamtw, 32)"),
    ("srliw", 5, 0x00, "rd = sext(low(rs1, 32) >> shamtw, 32)"),
    ("sraiw", 5, 0x20, "rd = sext(rs1, 32) >> shamtw"),
)
BRANCH = (
    ("beq", 0, "branch(rs1 == rs2, pc + offset12)"),
    ("bne", 1, "branch(rs1 != rs2, pc + offset12)"),
    ("blt", 4, "branch(s(rs1) < s(rs2), pc + offset12)"),
    ("bge", 5, "branch(s(rs1) >= s(rs2), pc + offset12)"),
    ("bltu", 6, "branch(rs1 < rs2, pc + offset12)"),
    ("bgeu", 7, "branch(rs1 >= rs2, pc + offset12)"),
)
LOAD = (
    ("lb", 0, "rd = sext(load(rs1 + imm12, 8), 8)"),
    ("lh", 1, "rd = sext(load(rs1 + imm12, 16), 16)"),
    ("lw", 2, "rd = sext(load(rs1 + imm12, 32), 32)"),
    ("ld", 3, "rd = load(rs1 + imm12, 64)"),
    ("lbu", 4, "rd = load(rs1 + imm12, 8)"),
    ("lhu", 5, "rd = load(rs1 + imm12, 16)"),
    ("lwu", 6, "rd = load(rs1 + imm12, 32)"),
)
STORE = (
    ("sb", 0, "store(rs1 + store12, rs2, 8)"),
    ("sh", 1, "store(rs1 + store12, rs2, 16)"),
    ("sw", 2, "store(rs1 + store12, rs2, 32)"),
    ("sd", 3, "store(rs1 + store12, rs2, 64)"),
)
# name, encoding, syntax, semantics, timing
OTHER = (
    ("lui", "imm20 rd 6..0=0x37", "rd, imm20", "rd = sext(imm20 << 12, 32)", "alu"),
    ("auipc", "imm20 rd 6..0=0x17", "rd, imm20", "rd = pc + sext(imm20 << 12, 32)", "alu"),
    ("jal", "offset20 rd 6..0=0x6f", "rd, offset20", "rd = next; jump(pc + offset20)", "jump"),
    ("jalr", "imm12 rs1 14..12=0 rd 6..0=0x67", "rd, imm12(rs1)",
     "rd = next; jump((rs1 + imm12) & -2)", "jump"),
    ("addiw", "imm12 rs1 14..12=0 rd 6..0=0x1b", "rd, rs1, imm12",
     "rd = sext(rs1 + imm12, 32)", "alu"),
    ("fence", "31..28=0 pred succ 19..15=0 14..12=0 11..7=0 6..0=0x0f", "pred, succ",
     "fence()", "fence"),
    ("fence.tso", "31..20=0x833 19..15=0 14..12=0 11..7=0 6..0=0x0f", "", "fence()", "fence"),
    ("fence.i", "31..20=0 19..15=0 14..12=1 11..7=0 6..0=0x0f", "", "fence_i()", "fence"),
    ("ecall", "31..20=0 19..7=0 6..0=0x73", "", "system_call()", "system"),
    ("ebreak", "31..20=1 19..7=0 6..0=0x73", "", "breakpoint()", "system"),
)  # fmt: skip


def register_form(opcode: int, funct3: int, funct7: int) -> str:
    """Encoding of an R-type instruction."""
    return f"31..25={funct7} rs2 rs1 14..12={funct3} rd 6..0={opcode}"


def _immediate(opcode: int, funct3: int) -> str:
    return f"imm12 rs1 14..12={funct3} rd 6..0={opcode}"


INSTRUCTIONS: tuple[Instruction, ...] = (
    *(instruction(n, "I", register_form(0x33, f3, f7), "rd, rs1, rs2", sem, "alu")
      for n, f3, f7, sem in REGISTER),
    *(instruction(n, "I", register_form(0x3B, f3, f7), "rd, rs1, rs2", sem, "alu")
      for n, f3, f7, sem in REGISTER_WORD),
    *(instruction(n, "I", _immediate(0x13, f3), "rd, rs1, imm12", sem, "alu")
      for n, f3, sem in IMMEDIATE),
    *(instruction(n, "I", f"31..26={f6} shamt rs1 14..12={f3} rd 6..0=0x13", "rd, rs1, shamt",
                  sem, "alu") for n, f3, f6, sem in SHIFT),
    *(instruction(n, "I", f"31..25={f7} shamtw rs1 14..12={f3} rd 6..0=0x1b", "rd, rs1, shamtw",
                  sem, "alu") for n, f3, f7, sem in SHIFT_WORD),
    *(instruction(n, "I", f"offset12 rs2 rs1 14..12={f3} 6..0=0x63", "rs1, rs2, offset12",
                  sem, "branch") for n, f3, sem in BRANCH),
    *(instruction(n, "I", _immediate(0x03, f3), "rd, imm12(rs1)", sem, "load", "load")
      for n, f3, sem in LOAD),
    *(instruction(n, "I", f"store12 rs2 rs1 14..12={f3} 6..0=0x23", "rs2, store12(rs1)",
                  sem, "store", "store") for n, f3, sem in STORE),
    *(instruction(n, "I", encoding, syntax, sem, timing)
      for n, encoding, syntax, sem, timing in OTHER),
)  # fmt: skip
