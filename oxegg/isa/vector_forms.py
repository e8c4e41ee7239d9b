"""Families of vector instructions: one row gives the .vv, .vx, .vi or .vf forms."""

from oxegg.isa.record import Instruction, instruction

# Group of OP-V (integer, multiply/mask, float) and letter of the second source to funct3, and the
# operand of each letter. "u" is a .vi form with an unsigned constant.
FUNCT3 = {
    "I": {"v": 0, "x": 4, "i": 3, "u": 3},
    "M": {"v": 2, "x": 6},
    "F": {"v": 1, "f": 5},
}
SECOND = {"v": "vs1", "x": "rs1", "f": "rs1:f", "i": "simm5", "u": "uimm5"}
FIELD = {"v": "vs1", "x": "rs1", "f": "rs1", "i": "simm5", "u": "uimm5"}

# shape: assembly operands ({b} is the second source), first letter of the suffix, mask part of the
# suffix, encoding of bit 25
SHAPES = {
    "plain": ("vd, vs2, {b}, vm", "v", "", "vm"),
    "update": ("+vd, vs2, {b}, vm", "v", "", "vm"),
    "accumulate": ("+vd, {b}, vs2, vm", "v", "", "vm"),
    "compare": ("vd:mask, vs2, {b}, vm", "v", "", "vm"),
    "wide": ("vd*2, vs2, {b}, vm", "v", "", "vm"),
    "wide_accumulate": ("+vd*2, {b}, vs2, vm", "v", "", "vm"),
    "wide_source": ("vd*2, vs2*2, {b}, vm", "w", "", "vm"),
    "narrow": ("vd, vs2*2, {b}, vm", "w", "", "vm"),
    "carry": ("vd, vs2, {b}, v0", "v", "m", "25=0"),
    "carry_out": ("vd:mask, vs2, {b}, v0", "v", "m", "25=0"),
    "carry_out_plain": ("vd:mask, vs2, {b}", "v", "", "25=1"),
    "gather16": ("vd, vs2, vs1:e16, vm", "v", "", "vm"),
}

Row = tuple[str, int, str, str, str]


def family(
    extension: str,
    group: str,
    shape: str,
    name: str,
    funct6: int,
    forms: str,
    semantics: str,
    timing: str,
) -> tuple[Instruction, ...]:
    """One record per letter of ``forms``; ``rhs`` in the semantics is the second source."""
    pattern, first, masked, bit25 = SHAPES[shape]
    return tuple(
        instruction(
            f"{name}.{first}{'i' if form == 'u' else form}{masked}",
            extension,
            f"31..26={funct6} {bit25} vs2 {FIELD[form]} 14..12={FUNCT3[group][form]} vd 6..0=0x57",
            pattern.format(b=SECOND[form]),
            semantics.replace("rhs", FIELD[form]),
            timing,
        )
        for form in forms.split()
    )  # fmt: skip


def families(
    extension: str, group: str, shape: str, rows: tuple[Row, ...]
) -> tuple[Instruction, ...]:
    """Records of rows (name, funct6, forms, semantics, timing) that share group and shape."""
    return tuple(r for row in rows for r in family(extension, group, shape, *row))


def unary(
    extension: str,
    group: str,
    name: str,
    funct6: int,
    vs1: int,
    syntax: str,
    semantics: str,
    timing: str,
    *,
    target: str = "vd",
    bit25: str = "vm",
) -> Instruction:
    """A record whose vs1 field is part of the opcode."""
    funct3 = FUNCT3[group]["v"]
    encoding = f"31..26={funct6} {bit25} vs2 19..15={vs1} 14..12={funct3} {target} 6..0=0x57"
    return instruction(name, extension, encoding, syntax, semantics, timing)
