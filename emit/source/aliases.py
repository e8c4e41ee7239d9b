"""Pseudo instructions of RISC-V assembly that stand for one instruction.

Source: "RISC-V Assembly Programmer's Manual" and the vector specification's pseudo instructions.
"""

from collections.abc import Mapping, Sequence

# Operands of the instruction behind: {0}, {1} ... are those of the alias.
_ROWS: Mapping[tuple[str, int], str] = {
    ("nop", 0): "addi zero, zero, 0",
    ("mv", 2): "addi {0}, {1}, 0",
    ("move", 2): "addi {0}, {1}, 0",
    ("not", 2): "xori {0}, {1}, -1",
    ("neg", 2): "sub {0}, zero, {1}",
    ("negw", 2): "subw {0}, zero, {1}",
    ("sext.w", 2): "addiw {0}, {1}, 0",
    ("zext.b", 2): "andi {0}, {1}, 255",
    ("zext.w", 2): "add.uw {0}, {1}, zero",
    ("seqz", 2): "sltiu {0}, {1}, 1",
    ("snez", 2): "sltu {0}, zero, {1}",
    ("sltz", 2): "slt {0}, {1}, zero",
    ("sgtz", 2): "slt {0}, zero, {1}",
    ("sgt", 3): "slt {0}, {2}, {1}",
    ("sgtu", 3): "sltu {0}, {2}, {1}",
    ("beqz", 2): "beq {0}, zero, {1}",
    ("bnez", 2): "bne {0}, zero, {1}",
    ("blez", 2): "bge zero, {0}, {1}",
    ("bgez", 2): "bge {0}, zero, {1}",
    ("bltz", 2): "blt {0}, zero, {1}",
    ("bgtz", 2): "blt zero, {0}, {1}",
    ("bgt", 3): "blt {1}, {0}, {2}",
    ("ble", 3): "bge {1}, {0}, {2}",
    ("bgtu", 3): "bltu {1}, {0}, {2}",
    ("bleu", 3): "bgeu {1}, {0}, {2}",
    ("j", 1): "jal zero, {0}",
    ("jal", 1): "jal ra, {0}",
    ("jr", 1): "jalr zero, 0({0})",
    ("ret", 0): "jalr zero, 0(ra)",
    ("csrr", 2): "csrrs {0}, {1}, zero",
    ("csrw", 2): "csrrw zero, {0}, {1}",
    ("csrs", 2): "csrrs zero, {0}, {1}",
    ("csrc", 2): "csrrc zero, {0}, {1}",
    ("csrwi", 2): "csrrwi zero, {0}, {1}",
    ("csrsi", 2): "csrrsi zero, {0}, {1}",
    ("csrci", 2): "csrrci zero, {0}, {1}",
    **{
        (f"{alias}.{form}", 2): f"{name}.{form} {{0}}, {{1}}, {{1}}"
        for form in ("h", "s", "d")
        for alias, name in (("fmv", "fsgnj"), ("fneg", "fsgnjn"), ("fabs", "fsgnjx"))
    },
    **{
        (f"{alias}.{form}", 3): f"{name}.{form} {{0}}, {{2}}, {{1}}"
        for form in ("h", "s", "d")
        for alias, name in (("fgt", "flt"), ("fge", "fle"))
    },
    ("fmv.x.s", 2): "fmv.x.w {0}, {1}",
    ("fmv.s.x", 2): "fmv.w.x {0}, {1}",
    ("vneg.v", 2): "vrsub.vx {0}, {1}, zero",
    ("vnot.v", 2): "vxor.vi {0}, {1}, -1",
    ("vfneg.v", 2): "vfsgnjn.vv {0}, {1}, {1}",
    ("vfabs.v", 2): "vfsgnjx.vv {0}, {1}, {1}",
    ("vwcvt.x.x.v", 2): "vwadd.vx {0}, {1}, zero",
    ("vwcvtu.x.x.v", 2): "vwaddu.vx {0}, {1}, zero",
    ("vncvt.x.x.w", 2): "vnsrl.wx {0}, {1}, zero",
    ("vmmv.m", 2): "vmand.mm {0}, {1}, {1}",
    ("vmcpy.m", 2): "vmand.mm {0}, {1}, {1}",
    ("vmclr.m", 1): "vmxor.mm {0}, {0}, {0}",
    ("vmset.m", 1): "vmxnor.mm {0}, {0}, {0}",
    ("vmnot.m", 2): "vmnand.mm {0}, {1}, {1}",
    ("vl1r.v", 2): "vl1re8.v {0}, {1}",
    ("vl2r.v", 2): "vl2re8.v {0}, {1}",
    ("vl4r.v", 2): "vl4re8.v {0}, {1}",
    ("vl8r.v", 2): "vl8re8.v {0}, {1}",
    ("vle1.v", 2): "vlm.v {0}, {1}",
    ("vse1.v", 2): "vsm.v {0}, {1}",
    ("vpopc.m", 2): "vcpop.m {0}, {1}",
    **{
        (f"{alias}.{form}", count): f"{name}.{form} {{0}}, {{2}}, {{1}}{mask}"
        for count, mask in ((3, ""), (4, ", {3}"))
        for alias, name, form in (
            ("vmsgt", "vmslt", "vv"),
            ("vmsgtu", "vmsltu", "vv"),
            ("vmsge", "vmsle", "vv"),
            ("vmsgeu", "vmsleu", "vv"),
            ("vmfgt", "vmflt", "vv"),
            ("vmfge", "vmfle", "vv"),
        )
    },
}
_OLD_NAMES = {"vfredsum.vs": "vfredusum.vs", "vmandnot.mm": "vmandn.mm", "vmornot.mm": "vmorn.mm"}

# The assembler takes a constant where the register form is written.
_WITH_CONSTANT = {
    "add": "addi", "addw": "addiw", "and": "andi", "or": "ori", "xor": "xori", "slt": "slti",
    "sltu": "sltiu", "sll": "slli", "srl": "srli", "sra": "srai", "sllw": "slliw",
    "srlw": "srliw", "sraw": "sraiw", "ror": "rori", "rorw": "roriw",
}  # fmt: skip


def expanded(name: str, operands: Sequence[str], *, constant: bool) -> tuple[str, tuple[str, ...]]:
    """The instruction behind an alias; anything else as it is.

    ``constant``: whether the last operand is a constant.
    """
    name = _OLD_NAMES.get(name, name)
    masked = len(operands) > 1 and operands[-1].replace(" ", "") == "v0.t"
    key = (name, len(operands))
    if key not in _ROWS and masked and (name, len(operands) - 1) in _ROWS:
        inner, texts = expanded(name, operands[:-1], constant=False)
        return inner, (*texts, operands[-1])
    if key in _ROWS:
        new, _, rest = _ROWS[key].partition(" ")
        texts = rest.format(*operands).split(", ") if rest else []
        return new, tuple(texts)
    if constant and len(operands) == 3:
        return _WITH_CONSTANT.get(name, name), tuple(operands)
    return name, tuple(operands)
