"""F, D and Zfh: scalar floating point; one set of rows for the three formats."""

from oxegg.isa.record import Instruction, instruction

# extension, suffix, bits, fmt field, funct3 of loads and stores
FORMATS = (("F", "s", 32, 0, 2), ("D", "d", 64, 1, 3), ("Zfh", "h", 16, 2, 1))
# suffix of an integer type, rs2 field of conversions, bits, signed
INTEGERS = (("w", 0, 32, True), ("wu", 1, 32, False), ("l", 2, 64, True), ("lu", 3, 64, False))

# name, funct5, semantics, timing: two sources and a rounding mode
ARITHMETIC = (
    ("fadd", 0x00, "rd = fadd(rs1, rs2)", "fadd"),
    ("fsub", 0x01, "rd = fsub(rs1, rs2)", "fadd"),
    ("fmul", 0x02, "rd = fmul(rs1, rs2)", "fmul"),
    ("fdiv", 0x03, "rd = fdiv(rs1, rs2)", "fdiv"),
)
# name, funct5, funct3, semantics, timing: two sources, no rounding
SELECT = (
    ("fsgnj", 0x04, 0, "rd = fsgnj(rs1, rs2)", "fmove"),
    ("fsgnjn", 0x04, 1, "rd = fsgnjn(rs1, rs2)", "fmove"),
    ("fsgnjx", 0x04, 2, "rd = fsgnjx(rs1, rs2)", "fmove"),
    ("fmin", 0x05, 0, "rd = fmin(rs1, rs2)", "fmove"),
    ("fmax", 0x05, 1, "rd = fmax(rs1, rs2)", "fmove"),
)
COMPARE = (
    ("fle", 0x14, 0, "rd = fle(rs1, rs2)", "fcompare"),
    ("flt", 0x14, 1, "rd = flt(rs1, rs2)", "fcompare"),
    ("feq", 0x14, 2, "rd = feq(rs1, rs2)", "fcompare"),
)
# name, opcode, semantics
FUSED = (
    ("fmadd", 0x43, "rd = fma(rs1, rs2, rs3)"),
    ("fmsub", 0x47, "rd = fma(rs1, rs2, fneg(rs3))"),
    ("fnmsub", 0x4B, "rd = fma(fneg(rs1), rs2, rs3)"),
    ("fnmadd", 0x4F, "rd = fma(fneg(rs1), rs2, fneg(rs3))"),
)
# Integer register moves: suffix of the integer side by format.
MOVE_SUFFIX = {"s": "w", "d": "d", "h": "h"}


def _format(ext: str, p: str, bits: int, fmt: int, memory3: int) -> list[Instruction]:
    """All instructions on one format except the conversions between formats."""
    f = f"f{bits}"

    def two(funct5: int, funct3: str, target: str = "rd") -> str:
        return f"31..27={funct5} 26..25={fmt} rs2 rs1 {funct3} {target} 6..0=0x53"

    def one(funct5: int, rs2: int, funct3: str) -> str:
        return f"31..27={funct5} 26..25={fmt} 24..20={rs2} rs1 {funct3} rd 6..0=0x53"

    move = MOVE_SUFFIX[p]
    return [
        instruction(
            {"s": "flw", "d": "fld", "h": "flh"}[p], ext,
            f"imm12 rs1 14..12={memory3} rd 6..0=0x07", f"rd:{f}, imm12(rs1)",
            f"rd = load(rs1 + imm12, {bits})", "fload", "load",
        ),
        instruction(
            {"s": "fsw", "d": "fsd", "h": "fsh"}[p], ext,
            f"store12 rs2 rs1 14..12={memory3} 6..0=0x27", f"rs2:{f}, store12(rs1)",
            f"store(rs1 + store12, raw(rs2), {bits})", "fstore", "store",
        ),
        *(
            instruction(f"{name}.{p}", ext, two(funct5, "rm"), f"rd:{f}, rs1:{f}, rs2:{f}, rm",
                        semantics, timing)
            for name, funct5, semantics, timing in ARITHMETIC
        ),
        instruction(f"fsqrt.{p}", ext, one(0x0B, 0, "rm"), f"rd:{f}, rs1:{f}, rm",
                    "rd = fsqrt(rs1)", "fsqrt"),
        *(
            instruction(f"{name}.{p}", ext, two(funct5, f"14..12={funct3}"),
                        f"rd:{f}, rs1:{f}, rs2:{f}", semantics, timing)
            for name, funct5, funct3, semantics, timing in SELECT
        ),
        *(
            instruction(f"{name}.{p}", ext, two(funct5, f"14..12={funct3}"),
                        f"rd, rs1:{f}, rs2:{f}", semantics, timing)
            for name, funct5, funct3, semantics, timing in COMPARE
        ),
        *(
            instruction(f"{name}.{p}", ext, f"rs3 26..25={fmt} rs2 rs1 rm rd 6..0={opcode}",
                        f"rd:{f}, rs1:{f}, rs2:{f}, rs3:{f}, rm", semantics, "fma")
            for name, opcode, semantics in FUSED
        ),
        instruction(f"fclass.{p}", ext, one(0x1C, 0, "14..12=1"), f"rd, rs1:{f}",
                    "rd = fclass(rs1)", "fcompare"),
        instruction(f"fmv.x.{move}", ext, one(0x1C, 0, "14..12=0"), f"rd, rs1:{f}",
                    f"rd = sext(raw(rs1), {bits})", "fmove"),
        instruction(f"fmv.{move}.x", ext, one(0x1E, 0, "14..12=0"), f"rd:{f}, rs1",
                    "rd = rs1", "fmove"),
        *(
            instruction(
                f"fcvt.{name}.{p}", ext, one(0x18, rs2, "rm"), f"rd, rs1:{f}, rm",
                f"rd = sext({'f_to_s' if signed else 'f_to_u'}(rs1, {width}), {width})", "fcvt",
            )
            for name, rs2, width, signed in INTEGERS
        ),
        *(
            instruction(
                f"fcvt.{p}.{name}", ext, one(0x1A, rs2, "rm"),
                f"rd:{f}, rs1, rm{':exact' if bits > width else ''}",
                f"rd = s_to_f(sext(rs1, {width}))" if signed
                else f"rd = u_to_f(low(rs1, {width}))", "fcvt",
            )
            for name, rs2, width, signed in INTEGERS
        ),
    ]  # fmt: skip


def _between(target: int, source: int) -> Instruction:
    """The conversion between two rows of ``FORMATS``."""
    to_ext, to, to_bits, to_fmt, _ = FORMATS[target]
    from_ext, by, from_bits, from_fmt, _ = FORMATS[source]
    extension = "Zfh" if "h" in (to, by) else max(to_ext, from_ext, key="FD".index)
    return instruction(
        f"fcvt.{to}.{by}", extension,
        f"31..27=0x08 26..25={to_fmt} 24..20={from_fmt} rs1 rm rd 6..0=0x53",
        f"rd:f{to_bits}, rs1:f{from_bits}, rm{':exact' if to_bits > from_bits else ''}",
        "rd = fcvt(rs1)", "fcvt",
    )  # fmt: skip


INSTRUCTIONS: tuple[Instruction, ...] = (
    *(record for row in FORMATS for record in _format(*row)),
    *(_between(target, source) for target in range(3) for source in range(3) if target != source),
)
