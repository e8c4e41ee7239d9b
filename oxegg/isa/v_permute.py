"""V: reductions, mask logic, slides, gathers and moves between register files."""

from oxegg.isa.record import Instruction, instruction
from oxegg.isa.vector_forms import FUNCT3, families, unary

# name, group, funct6, semantics, timing
REDUCE = (
    ("vredsum", "M", 0x00, "vd = reduce_add(vs1, vs2)", "vreduce"),
    ("vredand", "M", 0x01, "vd = reduce_and(vs1, vs2)", "vreduce"),
    ("vredor", "M", 0x02, "vd = reduce_or(vs1, vs2)", "vreduce"),
    ("vredxor", "M", 0x03, "vd = reduce_xor(vs1, vs2)", "vreduce"),
    ("vredminu", "M", 0x04, "vd = reduce_min(vs1, vs2)", "vreduce"),
    ("vredmin", "M", 0x05, "vd = reduce_min(s(vs1), s(vs2))", "vreduce"),
    ("vredmaxu", "M", 0x06, "vd = reduce_max(vs1, vs2)", "vreduce"),
    ("vredmax", "M", 0x07, "vd = reduce_max(s(vs1), s(vs2))", "vreduce"),
    ("vfredusum", "F", 0x01, "vd = reduce_fadd(vs1, vs2)", "vfreduce"),
    ("vfredosum", "F", 0x03, "vd = reduce_fadd_ordered(vs1, vs2)", "vfreduce_ordered"),
    ("vfredmin", "F", 0x05, "vd = reduce_fmin(vs1, vs2)", "vfreduce"),
    ("vfredmax", "F", 0x07, "vd = reduce_fmax(vs1, vs2)", "vfreduce"),
)
REDUCE_WIDE = (
    ("vwredsumu", "I", 0x30, "vd = reduce_add(vs1, vs2)", "vreduce"),
    ("vwredsum", "I", 0x31, "vd = reduce_add(vs1, s(vs2))", "vreduce"),
    ("vfwredusum", "F", 0x31, "vd = reduce_fadd(vs1, widen(vs2))", "vfreduce"),
    ("vfwredosum", "F", 0x33, "vd = reduce_fadd_ordered(vs1, widen(vs2))", "vfreduce_ordered"),
)
MASK_LOGIC = (
    ("vmandn", 0x18, "vd = vs2 & (vs1 ^ 1)"),
    ("vmand", 0x19, "vd = vs2 & vs1"),
    ("vmor", 0x1A, "vd = vs2 | vs1"),
    ("vmxor", 0x1B, "vd = vs2 ^ vs1"),
    ("vmorn", 0x1C, "vd = vs2 | (vs1 ^ 1)"),
    ("vmnand", 0x1D, "vd = (vs2 & vs1) ^ 1"),
    ("vmnor", 0x1E, "vd = (vs2 | vs1) ^ 1"),
    ("vmxnor", 0x1F, "vd = vs2 ^ vs1 ^ 1"),
)
MASK_UNARY = (
    ("vmsbf.m", 0x01, "vd:mask, vs2:mask, vm", "vd = mask_before(vs2)", "vmask"),
    ("vmsof.m", 0x02, "vd:mask, vs2:mask, vm", "vd = mask_only(vs2)", "vmask"),
    ("vmsif.m", 0x03, "vd:mask, vs2:mask, vm", "vd = mask_including(vs2)", "vmask"),
    ("viota.m", 0x10, "vd, vs2:mask, vm", "vd = iota(vs2)", "vmask_index"),
)
SLIDE_UP = (("vslideup", 0x0E, "x u", "vd = slide_up(vs2, rhs)", "vslide"),)
SLIDE = (
    ("vslidedown", 0x0F, "x u", "vd = slide_down(vs2, rhs)", "vslide"),
    ("vrgather", 0x0C, "v x u", "vd = gather(vs2, rhs)", "vgather"),
)
GATHER16 = (("vrgatherei16", 0x0E, "v", "vd = gather(vs2, rhs)", "vgather"),)
SLIDE1 = (
    ("vslide1up", 0x0E, "x", "vd = slide1_up(vs2, rhs)", "vslide"),
    ("vslide1down", 0x0F, "x", "vd = slide1_down(vs2, rhs)", "vslide"),
)
FLOAT_SLIDE1 = (
    ("vfslide1up", 0x0E, "f", "vd = slide1_up(vs2, rhs)", "vslide"),
    ("vfslide1down", 0x0F, "f", "vd = slide1_down(vs2, rhs)", "vslide"),
)


def _reduction(row: tuple[str, str, int, str, str], scale: str) -> Instruction:
    name, group, funct6, semantics, timing = row
    # vd keeps its other elements under a tail-undisturbed policy, not its first one.
    return instruction(
        f"{name}.vs", "V",
        f"31..26={funct6} vm vs2 vs1 14..12={FUNCT3[group]['v']} vd 6..0=0x57",
        f"vd{scale}:element, vs2, vs1{scale}:element, vm", semantics, timing,
    )  # fmt: skip


def _move(name: str, encoding: str, syntax: str, semantics: str, timing: str) -> Instruction:
    return instruction(name, "V", f"{encoding} 6..0=0x57", syntax, semantics, timing)


INSTRUCTIONS: tuple[Instruction, ...] = (
    *(_reduction(row, "") for row in REDUCE),
    *(_reduction(row, "*2") for row in REDUCE_WIDE),
    *(_move(f"{name}.mm", f"31..26={funct6} 25=1 vs2 vs1 14..12=2 vd",
            "vd:mask, vs2:mask, vs1:mask", semantics, "vmask")
      for name, funct6, semantics in MASK_LOGIC),
    *(unary("V", "M", name, 0x14, vs1, syntax, semantics, timing)
      for name, vs1, syntax, semantics, timing in MASK_UNARY),
    _move("vid.v", "31..26=0x14 vm 24..20=0 19..15=0x11 14..12=2 vd", "vd, vm",
          "vd = index()", "vmask_index"),
    unary("V", "M", "vcpop.m", 0x10, 0x10, "rd, vs2:mask, vm", "rd = mask_popcount(vs2)",
          "vmask_scalar", target="rd"),
    unary("V", "M", "vfirst.m", 0x10, 0x11, "rd, vs2:mask, vm", "rd = mask_first(vs2)",
          "vmask_scalar", target="rd"),
    *families("V", "I", "update", SLIDE_UP),
    *families("V", "I", "plain", SLIDE),
    *families("V", "I", "gather16", GATHER16),
    *families("V", "M", "plain", SLIDE1),
    *families("V", "F", "plain", FLOAT_SLIDE1),
    _move("vcompress.vm", "31..26=0x17 25=1 vs2 vs1 14..12=2 vd", "vd, vs2, vs1:mask",
          "vd = compress(vs2, vs1)", "vcompress"),
    _move("vmv.x.s", "31..26=0x10 25=1 vs2 19..15=0 14..12=2 rd", "rd, vs2:element",
          "rd = element0(s(vs2))", "vmv_to_scalar"),
    _move("vmv.s.x", "31..26=0x10 25=1 24..20=0 rs1 14..12=6 vd", "vd:element, rs1",
          "vd = insert0(rs1)", "vmv_from_scalar"),
    _move("vfmv.f.s", "31..26=0x10 25=1 vs2 19..15=0 14..12=1 rd", "rd:f, vs2:element",
          "rd = element0(vs2)", "vmv_to_scalar"),
    _move("vfmv.s.f", "31..26=0x10 25=1 24..20=0 rs1 14..12=5 vd", "vd:element, rs1:f",
          "vd = insert0(rs1)", "vmv_from_scalar"),
    *(_move(f"vmv{count}r.v", f"31..26=0x27 25=1 vs2 19..15={count - 1} 14..12=3 vd",
            f"vd:r{count}, vs2:r{count}", "vd = copy(vs2)", "vmv_whole")
      for count in (1, 2, 4, 8)),
)  # fmt: skip
