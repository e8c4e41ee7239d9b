"""A: load-reserved, store-conditional and atomic memory operations."""

from oxegg.isa.record import Instruction, instruction

# name, funct5, the new memory value from the old one (m) and rs2 (r)
OPERATIONS = (
    ("amoswap", 0x01, "{r}"),
    ("amoadd", 0x00, "{m} + {r}"),
    ("amoxor", 0x04, "{m} ^ {r}"),
    ("amoand", 0x0C, "{m} & {r}"),
    ("amoor", 0x08, "{m} | {r}"),
    ("amomin", 0x10, "min(sext({m}, {w}), sext({r}, {w}))"),
    ("amomax", 0x14, "max(sext({m}, {w}), sext({r}, {w}))"),
    ("amominu", 0x18, "min(low({m}, {w}), low({r}, {w}))"),
    ("amomaxu", 0x1C, "max(low({m}, {w}), low({r}, {w}))"),
)
WIDTHS = (("w", 32, 2), ("d", 64, 3))
ORDERINGS = (("", 0), (".rl", 1), (".aq", 2), (".aqrl", 3))


def _encoding(funct5: int, ordering: int, funct3: int, source: str = "rs2") -> str:
    return f"31..27={funct5} 26..25={ordering} {source} rs1 14..12={funct3} rd 6..0=0x2f"


def _instructions(suffix: str, width: int, funct3: int, order: str, bits: int) -> list[Instruction]:
    old = f"load(rs1, {width})"
    return [
        instruction(
            f"lr.{suffix}{order}", "A", _encoding(0x02, bits, funct3, "24..20=0"), "rd, (rs1)",
            f"rd = sext({old}, {width}); reserve(rs1)", "amo", "load",
        ),
        instruction(
            f"sc.{suffix}{order}", "A", _encoding(0x03, bits, funct3), "rd, rs2, (rs1)",
            f"rd = store_conditional(rs1, rs2, {width})", "amo", "store",
        ),
        *(
            instruction(
                f"{name}.{suffix}{order}", "A", _encoding(funct5, bits, funct3), "rd, rs2, (rs1)",
                f"rd = sext({old}, {width}); "
                f"store(rs1, {new.format(m=old, r='rs2', w=width)}, {width})", "amo", "store",
            )
            for name, funct5, new in OPERATIONS
        ),
    ]  # fmt: skip


INSTRUCTIONS: tuple[Instruction, ...] = tuple(
    record
    for suffix, width, funct3 in WIDTHS
    for order, bits in ORDERINGS
    for record in _instructions(suffix, width, funct3, order, bits)
)
