"""V: vl and vtype."""

from oxegg.isa.record import Instruction, instruction

INSTRUCTIONS: tuple[Instruction, ...] = (
    instruction(
        "vsetvli", "V", "31=0 vtypei rs1 14..12=7 rd 6..0=0x57", "rd, rs1, vtypei",
        "rd = set_vl(rs1, vtypei)", "vset",
    ),
    instruction(
        "vsetivli", "V", "31..30=3 vtypei10 zimm 14..12=7 rd 6..0=0x57", "rd, zimm, vtypei10",
        "rd = set_vl_immediate(zimm, vtypei10)", "vset",
    ),
    instruction(
        "vsetvl", "V", "31..25=0x40 rs2 rs1 14..12=7 rd 6..0=0x57", "rd, rs1, rs2",
        "rd = set_vl_register(rs1, rs2)", "vset",
    ),
)  # fmt: skip
