"""V on floating point, Zvfh (the same at SEW 16), Zvfbfmin and Zvfbfwma."""

from oxegg.isa.record import Instruction, instruction
from oxegg.isa.vector_forms import families, family, unary

ARITHMETIC = (
    ("vfadd", 0x00, "v f", "vd = fadd(vs2, rhs)", "vfma"),
    ("vfsub", 0x02, "v f", "vd = fsub(vs2, rhs)", "vfma"),
    ("vfrsub", 0x27, "f", "vd = fsub(rhs, vs2)", "vfma"),
    ("vfmul", 0x24, "v f", "vd = fmul(vs2, rhs)", "vfma"),
    ("vfdiv", 0x20, "v f", "vd = fdiv(vs2, rhs)", "vfdiv"),
    ("vfrdiv", 0x21, "f", "vd = fdiv(rhs, vs2)", "vfdiv"),
    ("vfmin", 0x04, "v f", "vd = fmin(vs2, rhs)", "vfminmax"),
    ("vfmax", 0x06, "v f", "vd = fmax(vs2, rhs)", "vfminmax"),
    ("vfsgnj", 0x08, "v f", "vd = fsgnj(vs2, rhs)", "vfmove"),
    ("vfsgnjn", 0x09, "v f", "vd = fsgnjn(vs2, rhs)", "vfmove"),
    ("vfsgnjx", 0x0A, "v f", "vd = fsgnjx(vs2, rhs)", "vfmove"),
)
MULTIPLY_ADD = (
    ("vfmacc", 0x2C, "v f", "vd = fma(rhs, vs2, vd)", "vfma"),
    ("vfnmacc", 0x2D, "v f", "vd = fma(fneg(rhs), vs2, fneg(vd))", "vfma"),
    ("vfmsac", 0x2E, "v f", "vd = fma(rhs, vs2, fneg(vd))", "vfma"),
    ("vfnmsac", 0x2F, "v f", "vd = fma(fneg(rhs), vs2, vd)", "vfma"),
    ("vfmadd", 0x28, "v f", "vd = fma(rhs, vd, vs2)", "vfma"),
    ("vfnmadd", 0x29, "v f", "vd = fma(fneg(rhs), vd, fneg(vs2))", "vfma"),
    ("vfmsub", 0x2A, "v f", "vd = fma(rhs, vd, fneg(vs2))", "vfma"),
    ("vfnmsub", 0x2B, "v f", "vd = fma(fneg(rhs), vd, vs2)", "vfma"),
)
COMPARE = (
    ("vmfeq", 0x18, "v f", "vd = feq(vs2, rhs)", "vcompare"),
    ("vmfle", 0x19, "v f", "vd = fle(vs2, rhs)", "vcompare"),
    ("vmflt", 0x1B, "v f", "vd = flt(vs2, rhs)", "vcompare"),
    ("vmfne", 0x1C, "v f", "vd = feq(vs2, rhs) ^ 1", "vcompare"),
    ("vmfgt", 0x1D, "f", "vd = flt(rhs, vs2)", "vcompare"),
    ("vmfge", 0x1F, "f", "vd = fle(rhs, vs2)", "vcompare"),
)
WIDE = (
    ("vfwadd", 0x30, "v f", "vd = fadd(widen(vs2), widen(rhs))", "vfma"),
    ("vfwsub", 0x32, "v f", "vd = fsub(widen(vs2), widen(rhs))", "vfma"),
    ("vfwmul", 0x38, "v f", "vd = fmul(widen(vs2), widen(rhs))", "vfma"),
)
WIDE_SOURCE = (
    ("vfwadd", 0x34, "v f", "vd = fadd(vs2, widen(rhs))", "vfma"),
    ("vfwsub", 0x36, "v f", "vd = fsub(vs2, widen(rhs))", "vfma"),
)
WIDE_MULTIPLY_ADD = (
    ("vfwmacc", 0x3C, "v f", "vd = fma(widen(rhs), widen(vs2), vd)", "vfma"),
    ("vfwnmacc", 0x3D, "v f", "vd = fma(fneg(widen(rhs)), widen(vs2), fneg(vd))", "vfma"),
    ("vfwmsac", 0x3E, "v f", "vd = fma(widen(rhs), widen(vs2), fneg(vd))", "vfma"),
    ("vfwnmsac", 0x3F, "v f", "vd = fma(fneg(widen(rhs)), widen(vs2), vd)", "vfma"),
)
BFLOAT_MULTIPLY_ADD = (
    "vfwmaccbf16", 0x3B, "v f", "vd = fma(bf16_widen(rhs), bf16_widen(vs2), vd)", "vfma",
)  # fmt: skip

# name, vs1 field, semantics
CONVERT = (
    ("vfcvt.xu.f.v", 0x00, "vd = f_to_u(vs2, sew)"),
    ("vfcvt.x.f.v", 0x01, "vd = f_to_s(vs2, sew)"),
    ("vfcvt.f.xu.v", 0x02, "vd = u_to_f(vs2)"),
    ("vfcvt.f.x.v", 0x03, "vd = s_to_f(s(vs2))"),
    ("vfcvt.rtz.xu.f.v", 0x06, "vd = f_to_u_rtz(vs2, sew)"),
    ("vfcvt.rtz.x.f.v", 0x07, "vd = f_to_s_rtz(vs2, sew)"),
)
CONVERT_WIDE = (
    ("vfwcvt.xu.f.v", 0x08, "vd = f_to_u(vs2, 2 * sew)"),
    ("vfwcvt.x.f.v", 0x09, "vd = f_to_s(vs2, 2 * sew)"),
    ("vfwcvt.f.xu.v", 0x0A, "vd = u_to_f(vs2)"),
    ("vfwcvt.f.x.v", 0x0B, "vd = s_to_f(s(vs2))"),
    ("vfwcvt.f.f.v", 0x0C, "vd = widen(vs2)"),
    ("vfwcvt.rtz.xu.f.v", 0x0E, "vd = f_to_u_rtz(vs2, 2 * sew)"),
    ("vfwcvt.rtz.x.f.v", 0x0F, "vd = f_to_s_rtz(vs2, 2 * sew)"),
)
CONVERT_NARROW = (
    ("vfncvt.xu.f.w", 0x10, "vd = f_to_u(vs2, sew)"),
    ("vfncvt.x.f.w", 0x11, "vd = f_to_s(vs2, sew)"),
    ("vfncvt.f.xu.w", 0x12, "vd = u_to_f(vs2)"),
    ("vfncvt.f.x.w", 0x13, "vd = s_to_f(s(vs2))"),
    ("vfncvt.f.f.w", 0x14, "vd = fcvt(vs2)"),
    ("vfncvt.rod.f.f.w", 0x15, "vd = fcvt_odd(vs2)"),
    ("vfncvt.rtz.xu.f.w", 0x16, "vd = f_to_u_rtz(vs2, sew)"),
    ("vfncvt.rtz.x.f.w", 0x17, "vd = f_to_s_rtz(vs2, sew)"),
)
UNARY = (
    ("vfsqrt.v", 0x00, "vd = fsqrt(vs2)", "vfsqrt"),
    ("vfrsqrt7.v", 0x04, "vd = frsqrt7(vs2)", "vfminmax"),
    ("vfrec7.v", 0x05, "vd = frec7(vs2)", "vfminmax"),
    ("vfclass.v", 0x10, "vd = fclass(vs2)", "vfmove"),
)

INSTRUCTIONS: tuple[Instruction, ...] = (
    *families("V", "F", "plain", ARITHMETIC),
    *families("V", "F", "accumulate", MULTIPLY_ADD),
    *families("V", "F", "compare", COMPARE),
    *families("V", "F", "wide", WIDE),
    *families("V", "F", "wide_source", WIDE_SOURCE),
    *families("V", "F", "wide_accumulate", WIDE_MULTIPLY_ADD),
    *family("Zvfbfwma", "F", "wide_accumulate", *BFLOAT_MULTIPLY_ADD),
    *(unary("V", "F", name, 0x12, vs1, syntax, semantics, "vfcvt")
      for syntax, rows in (
          ("vd, vs2, vm", CONVERT),
          ("vd*2, vs2, vm", CONVERT_WIDE),
          ("vd, vs2*2, vm", CONVERT_NARROW),
      )
      for name, vs1, semantics in rows),
    unary("Zvfbfmin", "F", "vfwcvtbf16.f.f.v", 0x12, 0x0D, "vd*2, vs2, vm",
          "vd = bf16_widen(vs2)", "vfcvt"),
    unary("Zvfbfmin", "F", "vfncvtbf16.f.f.w", 0x12, 0x1D, "vd, vs2*2, vm",
          "vd = bf16_narrow(vs2)", "vfcvt"),
    *(unary("V", "F", name, 0x13, vs1, "vd, vs2, vm", semantics, timing)
      for name, vs1, semantics, timing in UNARY),
    instruction("vfmerge.vfm", "V", "31..26=0x17 25=0 vs2 rs1 14..12=5 vd 6..0=0x57",
                "vd, vs2, rs1:f, v0", "vd = rs1 if v0 else vs2", "vfmove"),
    instruction("vfmv.v.f", "V", "31..26=0x17 25=1 24..20=0 rs1 14..12=5 vd 6..0=0x57",
                "vd, rs1:f", "vd = rs1", "vfmove"),
)  # fmt: skip
