"""OXM-1's own instructions: tensor tiles, near-memory units, DMA and SIMT.

All are R-type words in the custom opcodes; docs/isa.md defines what they do.
"""

from typing import Literal

from oxegg.isa.record import Instruction, instruction

CUSTOM0, CUSTOM1, CUSTOM2, CUSTOM3 = 0x0B, 0x2B, 0x5B, 0x7B

# A row: name, funct3, funct7, assembly operands, fixed fields, timing. A field that no operand
# names is zero unless the fixed fields say otherwise. Stores read the register in rd.
Row = tuple[str, int, int, str, dict[str, int], str]

TENSOR: tuple[Row, ...] = (
    ("ox.tset.m", 6, 0, "rd, rs1", {}, "tset"),
    ("ox.tset.n", 6, 0, "rd, rs1", {"rs2": 1}, "tset"),
    ("ox.tset.k", 6, 0, "rd, rs1", {"rs2": 2}, "tset"),
    ("ox.tzero", 6, 1, "rd:t", {}, "tzero"),
    ("ox.tmv", 6, 2, "rd:t, rs1:t", {}, "tmove"),
    ("ox.trel", 6, 3, "", {}, "tset"),
    ("ox.tld.a", 1, 0x00, "rd:t, (rs1), rs2", {}, "tload"),
    ("ox.tld.b", 1, 0x01, "rd:t, (rs1), rs2", {}, "tload"),
    ("ox.tld.c", 1, 0x02, "rd:t, (rs1), rs2", {}, "tload"),
    ("ox.tldbt.b", 1, 0x04, "rd:t, (rs1), rs2", {}, "tload_transpose"),
    ("ox.tldbt.h", 1, 0x05, "rd:t, (rs1), rs2", {}, "tload_transpose"),
    ("ox.tldbt.w", 1, 0x06, "rd:t, (rs1), rs2", {}, "tload_transpose"),
    ("ox.tldat.b", 1, 0x0C, "rd:t, (rs1), rs2", {}, "tload_transpose"),
    ("ox.tldat.h", 1, 0x0D, "rd:t, (rs1), rs2", {}, "tload_transpose"),
    ("ox.tldat.w", 1, 0x0E, "rd:t, (rs1), rs2", {}, "tload_transpose"),
    ("ox.tldbc", 1, 0x08, "rd:t, (rs1)", {}, "tload_row"),
    ("ox.tst.a", 1, 0x10, "rd:t, (rs1), rs2", {}, "tstore"),
    ("ox.tst.b", 1, 0x11, "rd:t, (rs1), rs2", {}, "tstore"),
    ("ox.tst.c", 1, 0x12, "rd:t, (rs1), rs2", {}, "tstore"),
    ("ox.mm.uu", 2, 0, "+rd:acc, rs1:tr, rs2:tr", {}, "tmm"),
    ("ox.mm.us", 2, 1, "+rd:acc, rs1:tr, rs2:tr", {}, "tmm"),
    ("ox.mm.su", 2, 2, "+rd:acc, rs1:tr, rs2:tr", {}, "tmm"),
    ("ox.mm.ss", 2, 3, "+rd:acc, rs1:tr, rs2:tr", {}, "tmm"),
    ("ox.mm.bf16", 3, 0, "+rd:acc, rs1:tr, rs2:tr", {}, "tmm"),
    ("ox.mm.f16", 3, 1, "+rd:acc, rs1:tr, rs2:tr", {}, "tmm"),
    ("ox.mm.f32", 3, 2, "+rd:acc, rs1:tr, rs2:tr", {}, "tmm_f32"),
    ("ox.mm.e4m3", 3, 4, "+rd:acc, rs1:tr, rs2:tr", {}, "tmm"),
    ("ox.mm.e5m2", 3, 5, "+rd:acc, rs1:tr, rs2:tr", {}, "tmm"),
    ("ox.tadd.w", 4, 0, "+rd:acc, rs1:acc", {}, "tadd"),
    ("ox.tadd.s", 4, 1, "+rd:acc, rs1:acc", {}, "tadd"),
    ("ox.trelu.w", 4, 4, "rd:acc, rs1:acc", {}, "trelu"),
    ("ox.trelu.s", 4, 5, "rd:acc, rs1:acc", {}, "trelu"),
    ("ox.trq.b", 4, 8, "rd:tr, rs1:acc, rs2", {}, "trequantize"),
    ("ox.tcvt.bf16.s", 4, 9, "rd:tr, rs1:acc", {}, "tcvt"),
    ("ox.tcvt.s.w", 4, 10, "rd:acc, rs1:acc", {}, "tcvt"),
    ("ox.tmv.v.t", 5, 0, "rd:v, rs1:t, rs2", {}, "tile_to_vector"),
    ("ox.tmv.t.v", 5, 1, "+rd:t, rs1:v, rs2", {}, "vector_to_tile"),
)
NEAR_MEMORY: tuple[Row, ...] = (
    ("ox.nm.on", 0, 0, "rd, rs1, rs2", {}, "nm_mode"),
    ("ox.nm.off", 0, 1, "", {}, "nm_mode"),
    ("ox.nm.wait", 0, 2, "rd", {}, "nm_wait"),
    ("ox.nm.bcv", 1, 0, "rd:g, (rs1), rs2", {}, "nm_broadcast_vector"),
    ("ox.nm.bcs", 1, 1, "rd:s, (rs1), rs2", {}, "nm_broadcast_scalar"),
    ("ox.nm.ld", 1, 2, "rd:g, (rs1), rs2", {}, "nm_load"),
    ("ox.nm.st", 1, 3, "rd:h, (rs1), rs2", {}, "nm_store"),
    ("ox.nm.st.relu", 1, 4, "rd:h, (rs1), rs2", {}, "nm_store"),
    ("ox.nm.rd", 1, 5, "rd:h, (rs1), rs2", {}, "nm_read"),
    ("ox.nm.rdsum", 1, 6, "rd:h, (rs1), rs2", {}, "nm_read_sum"),
    ("ox.nm.zero", 1, 7, "rd:h, rs2", {}, "nm_zero"),
    ("ox.nm.add", 2, 0, "rd:h, (rs1), rs2", {}, "nm_compute"),
    ("ox.nm.mul", 2, 1, "rd:h, (rs1), rs2", {}, "nm_compute"),
    ("ox.nm.mac", 2, 2, "+rd:h, (rs1), rs2", {}, "nm_compute"),
    ("ox.nm.macs", 2, 3, "+rd:h, (rs1), rs2", {}, "nm_compute"),
    ("ox.nm.max", 2, 4, "rd:h, (rs1), rs2", {}, "nm_compute"),
)
DMA: tuple[Row, ...] = (
    ("ox.dma", 0, 0, "rd, rs1, rs2", {}, "dma_start"),
    ("ox.dma.wait", 0, 1, "rs1", {}, "dma_wait"),
    ("ox.dma.fence", 0, 2, "", {}, "dma_fence"),
)
SIMT: tuple[Row, ...] = (
    ("ox.tmc", 0, 0, "rs1", {}, "simt_control"),
    ("ox.wspawn", 1, 0, "rs1, rs2", {}, "simt_spawn"),
    ("ox.split", 2, 0, "rd, rs1", {}, "simt_control"),
    ("ox.split.n", 2, 0, "rd, rs1", {"rs2": 1}, "simt_control"),
    ("ox.join", 3, 0, "rs1", {}, "simt_control"),
    ("ox.bar", 4, 0, "rs1, rs2", {}, "simt_barrier"),
    ("ox.pred", 5, 0, "rs1, rs2", {}, "simt_control"),
    ("ox.pred.n", 5, 0, "rs1, rs2", {"rd": 1}, "simt_control"),
    ("ox.vote.all", 0, 1, "rd, rs1", {}, "simt_vote"),
    ("ox.vote.any", 1, 1, "rd, rs1", {}, "simt_vote"),
    ("ox.vote.uni", 2, 1, "rd, rs1", {}, "simt_vote"),
    ("ox.vote.ballot", 3, 1, "rd, rs1", {}, "simt_vote"),
    ("ox.shfl.up", 4, 1, "rd, rs1, rs2", {}, "simt_shuffle"),
    ("ox.shfl.down", 5, 1, "rd, rs1, rs2", {}, "simt_shuffle"),
    ("ox.shfl.bfly", 6, 1, "rd, rs1, rs2", {}, "simt_shuffle"),
    ("ox.shfl.idx", 7, 1, "rd, rs1, rs2", {}, "simt_shuffle"),
)
POSITIONS = {"rs2": "24..20", "rs1": "19..15", "rd": "11..7"}
# Classes that touch memory; the others work on registers only.
MEMORY: dict[str, Literal["load", "store"]] = {
    "tload": "load", "tload_transpose": "load", "tload_row": "load", "tstore": "store",
    "nm_broadcast_vector": "load", "nm_broadcast_scalar": "load", "nm_load": "load",
    "nm_compute": "load", "nm_store": "store", "nm_read": "store", "nm_read_sum": "store",
    "dma_start": "store",
}  # fmt: skip


def _record(extension: str, opcode: int, row: Row) -> Instruction:
    name, funct3, funct7, syntax, fixed, timing = row
    field = {
        part: part if part in syntax else f"{position}={fixed.get(part, 0)}"
        for part, position in POSITIONS.items()
    }
    encoding = (
        f"31..25={funct7} {field['rs2']} {field['rs1']} 14..12={funct3} {field['rd']} 6..0={opcode}"
    )
    reads_rd = MEMORY.get(timing) == "store" and timing != "dma_start"
    return instruction(
        name, extension, encoding, syntax, "", timing, MEMORY.get(timing), reads_rd=reads_rd
    )


INSTRUCTIONS: tuple[Instruction, ...] = tuple(
    _record(extension, opcode, row)
    for extension, opcode, rows in (
        ("Xoxt", CUSTOM1, TENSOR),
        ("Xoxn", CUSTOM2, NEAR_MEMORY),
        ("Xoxd", CUSTOM3, DMA),
        ("Xoxw", CUSTOM0, SIMT),
    )
    for row in rows
)
