"""V: integer and fixed-point arithmetic, comparisons, moves."""

from oxegg.isa.record import Instruction, instruction
from oxegg.isa.vector_forms import FIELD, FUNCT3, SECOND, families, unary

ARITHMETIC = (
    ("vadd", 0x00, "v x i", "vd = vs2 + rhs", "vint"),
    ("vsub", 0x02, "v x", "vd = vs2 - rhs", "vint"),
    ("vrsub", 0x03, "x i", "vd = rhs - vs2", "vint"),
    ("vminu", 0x04, "v x", "vd = min(vs2, rhs)", "vint"),
    ("vmin", 0x05, "v x", "vd = min(s(vs2), s(rhs))", "vint"),
    ("vmaxu", 0x06, "v x", "vd = max(vs2, rhs)", "vint"),
    ("vmax", 0x07, "v x", "vd = max(s(vs2), s(rhs))", "vint"),
    ("vand", 0x09, "v x i", "vd = vs2 & rhs", "vint"),
    ("vor", 0x0A, "v x i", "vd = vs2 | rhs", "vint"),
    ("vxor", 0x0B, "v x i", "vd = vs2 ^ rhs", "vint"),
    ("vsll", 0x25, "v x u", "vd = vs2 << (rhs & (sew - 1))", "vint"),
    ("vsrl", 0x28, "v x u", "vd = vs2 >> (rhs & (sew - 1))", "vint"),
    ("vsra", 0x29, "v x u", "vd = s(vs2) >> (rhs & (sew - 1))", "vint"),
    ("vsaddu", 0x20, "v x i", "vd = sat_u(vs2 + rhs)", "vint"),
    ("vsadd", 0x21, "v x i", "vd = sat_s(s(vs2) + s(rhs))", "vint"),
    ("vssubu", 0x22, "v x", "vd = sat_u(vs2 - rhs)", "vint"),
    ("vssub", 0x23, "v x", "vd = sat_s(s(vs2) - s(rhs))", "vint"),
    ("vsmul", 0x27, "v x", "vd = sat_s(round_shift(s(vs2) * s(rhs), sew - 1))", "vmul"),
    ("vssrl", 0x2A, "v x u", "vd = round_shift(vs2, rhs & (sew - 1))", "vint"),
    ("vssra", 0x2B, "v x u", "vd = round_shift(s(vs2), rhs & (sew - 1))", "vint"),
)
NARROW = (
    ("vnsrl", 0x2C, "v x u", "vd = vs2 >> (rhs & (2 * sew - 1))", "vint"),
    ("vnsra", 0x2D, "v x u", "vd = s(vs2) >> (rhs & (2 * sew - 1))", "vint"),
    ("vnclipu", 0x2E, "v x u", "vd = sat_u(round_shift(vs2, rhs & (2 * sew - 1)))", "vint"),
    ("vnclip", 0x2F, "v x u", "vd = sat_s(round_shift(s(vs2), rhs & (2 * sew - 1)))", "vint"),
)
COMPARE = (
    ("vmseq", 0x18, "v x i", "vd = vs2 == rhs", "vcompare"),
    ("vmsne", 0x19, "v x i", "vd = vs2 != rhs", "vcompare"),
    ("vmsltu", 0x1A, "v x", "vd = vs2 < rhs", "vcompare"),
    ("vmslt", 0x1B, "v x", "vd = s(vs2) < s(rhs)", "vcompare"),
    ("vmsleu", 0x1C, "v x i", "vd = vs2 <= rhs", "vcompare"),
    ("vmsle", 0x1D, "v x i", "vd = s(vs2) <= s(rhs)", "vcompare"),
    ("vmsgtu", 0x1E, "x i", "vd = vs2 > rhs", "vcompare"),
    ("vmsgt", 0x1F, "x i", "vd = s(vs2) > s(rhs)", "vcompare"),
)
CARRY = (
    ("vadc", 0x10, "v x i", "vd = vs2 + rhs + v0", "vint"),
    ("vsbc", 0x12, "v x", "vd = vs2 - rhs - v0", "vint"),
    ("vmerge", 0x17, "v x i", "vd = rhs if v0 else vs2", "vint"),
)
CARRY_OUT = (
    ("vmadc", 0x11, "v x i", "vd = (vs2 + rhs + v0) >> sew", "vcompare"),
    ("vmsbc", 0x13, "v x", "vd = vs2 < rhs + v0", "vcompare"),
)
CARRY_OUT_PLAIN = (
    ("vmadc", 0x11, "v x i", "vd = (vs2 + rhs) >> sew", "vcompare"),
    ("vmsbc", 0x13, "v x", "vd = vs2 < rhs", "vcompare"),
)
MULTIPLY = (
    ("vmul", 0x25, "v x", "vd = vs2 * rhs", "vmul"),
    ("vmulh", 0x27, "v x", "vd = (s(vs2) * s(rhs)) >> sew", "vmul"),
    ("vmulhu", 0x24, "v x", "vd = (vs2 * rhs) >> sew", "vmul"),
    ("vmulhsu", 0x26, "v x", "vd = (s(vs2) * rhs) >> sew", "vmul"),
    ("vdivu", 0x20, "v x", "vd = div(vs2, rhs) if rhs != 0 else -1", "vdiv"),
    ("vdiv", 0x21, "v x", "vd = div(s(vs2), s(rhs)) if rhs != 0 else -1", "vdiv"),
    ("vremu", 0x22, "v x", "vd = rem(vs2, rhs) if rhs != 0 else vs2", "vdiv"),
    ("vrem", 0x23, "v x", "vd = rem(s(vs2), s(rhs)) if rhs != 0 else vs2", "vdiv"),
    ("vaaddu", 0x08, "v x", "vd = round_shift(vs2 + rhs, 1)", "vint"),
    ("vaadd", 0x09, "v x", "vd = round_shift(s(vs2) + s(rhs), 1)", "vint"),
    ("vasubu", 0x0A, "v x", "vd = round_shift(vs2 - rhs, 1)", "vint"),
    ("vasub", 0x0B, "v x", "vd = round_shift(s(vs2) - s(rhs), 1)", "vint"),
)
MULTIPLY_ADD = (
    ("vmacc", 0x2D, "v x", "vd = vd + rhs * vs2", "vmul"),
    ("vnmsac", 0x2F, "v x", "vd = vd - rhs * vs2", "vmul"),
    ("vmadd", 0x29, "v x", "vd = vd * rhs + vs2", "vmul"),
    ("vnmsub", 0x2B, "v x", "vd = vs2 - vd * rhs", "vmul"),
)
WIDE = (
    ("vwaddu", 0x30, "v x", "vd = vs2 + rhs", "vint"),
    ("vwadd", 0x31, "v x", "vd = s(vs2) + s(rhs)", "vint"),
    ("vwsubu", 0x32, "v x", "vd = vs2 - rhs", "vint"),
    ("vwsub", 0x33, "v x", "vd = s(vs2) - s(rhs)", "vint"),
    ("vwmulu", 0x38, "v x", "vd = vs2 * rhs", "vmul"),
    ("vwmulsu", 0x3A, "v x", "vd = s(vs2) * rhs", "vmul"),
    ("vwmul", 0x3B, "v x", "vd = s(vs2) * s(rhs)", "vmul"),
)
WIDE_SOURCE = (
    ("vwaddu", 0x34, "v x", "vd = vs2 + rhs", "vint"),
    ("vwadd", 0x35, "v x", "vd = vs2 + s(rhs)", "vint"),
    ("vwsubu", 0x36, "v x", "vd = vs2 - rhs", "vint"),
    ("vwsub", 0x37, "v x", "vd = vs2 - s(rhs)", "vint"),
)
WIDE_MULTIPLY_ADD = (
    ("vwmaccu", 0x3C, "v x", "vd = vd + rhs * vs2", "vmul"),
    ("vwmacc", 0x3D, "v x", "vd = vd + s(rhs) * s(vs2)", "vmul"),
    ("vwmaccus", 0x3E, "x", "vd = vd + rhs * s(vs2)", "vmul"),
    ("vwmaccsu", 0x3F, "v x", "vd = vd + s(rhs) * vs2", "vmul"),
)
EXTEND = tuple(
    (f"v{sign}ext.vf{factor}", code + bit, f"vd, vs2/{factor}, vm", f"vd = {source}")
    for factor, code in ((8, 2), (4, 4), (2, 6))
    for sign, bit, source in (("z", 0, "vs2"), ("s", 1, "s(vs2)"))
)

INSTRUCTIONS: tuple[Instruction, ...] = (
    *families("V", "I", "plain", ARITHMETIC),
    *families("V", "I", "narrow", NARROW),
    *families("V", "I", "compare", COMPARE),
    *families("V", "I", "carry", CARRY),
    *families("V", "I", "carry_out", CARRY_OUT),
    *families("V", "I", "carry_out_plain", CARRY_OUT_PLAIN),
    *families("V", "M", "plain", MULTIPLY),
    *families("V", "M", "accumulate", MULTIPLY_ADD),
    *families("V", "M", "wide", WIDE),
    *families("V", "M", "wide_source", WIDE_SOURCE),
    *families("V", "M", "wide_accumulate", WIDE_MULTIPLY_ADD),
    *(unary("V", "M", name, 0x12, vs1, syntax, semantics, "vint")
      for name, vs1, syntax, semantics in EXTEND),
    *(instruction(
        f"vmv.v.{form}", "V",
        f"31..26=0x17 25=1 24..20=0 {FIELD[form]} 14..12={FUNCT3['I'][form]} vd 6..0=0x57",
        f"vd, {SECOND[form]}", f"vd = {FIELD[form]}", "vint")
      for form in "vxi"),
)  # fmt: skip
