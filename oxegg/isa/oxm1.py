"""OXM-1's own instructions: tensor tiles, near-memory units, DMA and SIMT.

All are R-type words in the custom opcodes. ``oxegg.isa.semantics`` explains the notation.
"""

from typing import Literal

from oxegg.isa.record import Instruction, instruction

CUSTOM0, CUSTOM1, CUSTOM2, CUSTOM3 = 0x0B, 0x2B, 0x5B, 0x7B

# A row: name, funct3, funct7, assembly operands, fixed fields, timing, semantics. A field that no
# operand names is zero unless the fixed fields say otherwise. Stores read the register in rd.
Row = tuple[str, int, int, str, dict[str, int], str, str]

MULTIPLY: dict[str, tuple[int, int, int, str, str]] = {
    # funct3, funct7, element bits, operation on a tile element each of A and B and the sum c
    "uu": (2, 0, 8, "{c} + {a} * {b}", "tmm"),
    "us": (2, 1, 8, "{c} + {a} * s({b})", "tmm"),
    "su": (2, 2, 8, "{c} + s({a}) * {b}", "tmm"),
    "ss": (2, 3, 8, "{c} + s({a}) * s({b})", "tmm"),
    "bf16": (3, 0, 16, "fma(bf16_widen({a}), bf16_widen({b}), {c})", "tmm"),
    "f16": (3, 1, 16, "fma(widen({a}), widen({b}), {c})", "tmm"),
    "f32": (3, 2, 32, "fma({a}, {b}, {c})", "tmm_f32"),
    "e4m3": (3, 4, 8, "fma(e4m3_widen({a}), e4m3_widen({b}), {c})", "tmm"),
    "e5m2": (3, 5, 8, "fma(e5m2_widen({a}), e5m2_widen({b}), {c})", "tmm"),
}
# Shape of a loaded or stored tile: rows, bytes of a row.
SHAPES = {"a": ("tm", "tk"), "b": ("tn", "tk"), "c": ("tm", "4 * tn")}
ELEMENTS = {"b": 1, "h": 2, "w": 4}
# What follows is of tm x tn accumulator elements.
EACH = "rd[i < tm, j < tn] = "


def _multiply(kind: str) -> Row:
    funct3, funct7, bits, step, timing = MULTIPLY[kind]
    body = step.format(a="rs1[i, k]", b="rs2[j, k]", c="rd[i, j]")
    count = f"tk // {bits // 8}" if bits > 8 else "tk"
    return (f"ox.mm.{kind}", funct3, funct7, f"+rd:acc32, rs1:tr{bits}, rs2:tr{bits}", {}, timing,
            f"{EACH}fold(k < {count}, {body})")  # fmt: skip


def _load(letter: str, funct7: int) -> Row:
    rows, row_bytes = SHAPES[letter]
    return (f"ox.tld.{letter}", 1, funct7, "rd:t8, (rs1), rs2", {}, "tload",
            f"rd[i < {rows}, j < {row_bytes}] = load(rs1 + i * rs2 + j, 8)")  # fmt: skip


def _store(letter: str, funct7: int) -> Row:
    rows, row_bytes = SHAPES[letter]
    effect = "store(rs1 + i * rs2 + j, rd[i, j], 8)"
    return (f"ox.tst.{letter}", 1, funct7, "rd:t8, (rs1), rs2", {}, "tstore",
            f"each(i < {rows}, j < {row_bytes}, {effect})")  # fmt: skip


def _transposing(letter: str, element: str, funct7: int) -> Row:
    rows, size = SHAPES[letter][0], ELEMENTS[element]
    count, step = (f"tk // {size}", f"{size} * i") if size > 1 else ("tk", "i")
    return (f"ox.tld{letter}t.{element}", 1, funct7, f"rd:t{8 * size}, (rs1), rs2", {},
            "tload_transpose",
            f"rd[i < {rows}, k < {count}] = load(rs1 + k * rs2 + {step}, {8 * size})")  # fmt: skip


TENSOR: tuple[Row, ...] = (
    ("ox.tset.m", 6, 0, "rd, rs1", {}, "tset", "tm = min(rs1, R); rd = min(rs1, R)"),
    ("ox.tset.n", 6, 0, "rd, rs1", {"rs2": 1}, "tset", "tn = min(rs1, R); rd = min(rs1, R)"),
    ("ox.tset.k", 6, 0, "rd, rs1", {"rs2": 2}, "tset",
     "tk = min(rs1, 4 * R) & ~3; rd = min(rs1, 4 * R) & ~3"),
    ("ox.tzero", 6, 1, "rd:t8", {}, "tzero", "rd[i < R, j < 4 * R] = 0"),
    ("ox.tmv", 6, 2, "rd:t8, rs1:t8", {}, "tmove", "rd[i < R, j < 4 * R] = rs1[i, j]"),
    ("ox.trel", 6, 3, "", {}, "tset", "tile_release()"),
    *(_load(letter, funct7) for letter, funct7 in (("a", 0x00), ("b", 0x01), ("c", 0x02))),
    *(_transposing("b", e, f7) for e, f7 in (("b", 0x04), ("h", 0x05), ("w", 0x06))),
    *(_transposing("a", e, f7) for e, f7 in (("b", 0x0C), ("h", 0x0D), ("w", 0x0E))),
    ("ox.tldbc", 1, 0x08, "rd:t8, (rs1)", {}, "tload_row",
     "rd[i < tm, j < row_bytes()] = load(rs1 + j, 8)"),
    *(_store(letter, funct7) for letter, funct7 in (("a", 0x10), ("b", 0x11), ("c", 0x12))),
    *map(_multiply, MULTIPLY),
    ("ox.tadd.w", 4, 0, "+rd:acc32, rs1:acc32", {}, "tadd", EACH + "rd[i, j] + rs1[i, j]"),
    ("ox.tadd.s", 4, 1, "+rd:acc32, rs1:acc32", {}, "tadd", EACH + "fadd(rd[i, j], rs1[i, j])"),
    ("ox.trelu.w", 4, 4, "rd:acc32, rs1:acc32", {}, "trelu", EACH + "max(s(rs1[i, j]), 0)"),
    ("ox.trelu.s", 4, 5, "rd:acc32, rs1:acc32", {}, "trelu", EACH + "fmax(rs1[i, j], 0)"),
    # Bits 31..0 of rs2 are the multiplier, 37..32 the shift, 47..40 the zero point.
    ("ox.trq.b", 4, 8, "rd:tr8, rs1:acc32, rs2", {}, "trequantize",
     EACH + "min(max(((s(rs1[i, j]) * sext(rs2, 32) + (1 << (rs2 >> 32 & 63) >> 1))"
     " >> (rs2 >> 32 & 63)) + sext(rs2 >> 40, 8), -128), 127)"),
    ("ox.tcvt.bf16.s", 4, 9, "rd:tr16, rs1:acc32", {}, "tcvt", EACH + "bf16_narrow(rs1[i, j])"),
    ("ox.tcvt.s.w", 4, 10, "rd:acc32, rs1:acc32", {}, "tcvt", EACH + "s_to_f(s(rs1[i, j]))"),
    ("ox.tmv.v.t", 5, 0, "rd:v8, rs1:t8, rs2", {}, "tile_to_vector",
     "rd[j < 4 * R] = rs1[rs2, j]"),
    ("ox.tmv.t.v", 5, 1, "+rd:t8, rs1:v8, rs2", {}, "vector_to_tile",
     "rd[rs2, j < 4 * R] = rs1[j]"),
)  # fmt: skip

# Ranges over registers and lanes, and the element of the bank there.
ROWS = "i < rs2, l < lane_count()"
BANK = "bank(rs1 + W * i, l)"
NEAR_MEMORY: tuple[Row, ...] = (
    ("ox.nm.on", 0, 0, "rd, rs1, rs2", {}, "nm_mode", "rd = near_memory_on(rs1, rs2)"),
    ("ox.nm.off", 0, 1, "", {}, "nm_mode", "near_memory_off()"),
    ("ox.nm.wait", 0, 2, "rd", {}, "nm_wait", "rd = near_memory_wait()"),
    ("ox.nm.bcv", 1, 0, "rd:g, (rs1), rs2", {}, "nm_broadcast_vector",
     f"rd[{ROWS}] = spm(rs1 + W * i, l)"),
    ("ox.nm.bcs", 1, 1, "rd:s, (rs1), rs2", {}, "nm_broadcast_scalar",
     "rd[i < rs2] = spm(rs1, i)"),
    ("ox.nm.ld", 1, 2, "rd:g, (rs1), rs2", {}, "nm_load", f"rd[{ROWS}] = {BANK}"),
    ("ox.nm.st", 1, 3, "rd:h, (rs1), rs2", {}, "nm_store",
     f"each({ROWS}, bank_store(rs1 + W * i, l, lane_round(rd[i, l])))"),
    ("ox.nm.st.relu", 1, 4, "rd:h, (rs1), rs2", {}, "nm_store",
     f"each({ROWS}, bank_store(rs1 + W * i, l, lane_round(lane_max(rd[i, l], 0))))"),
    ("ox.nm.rd", 1, 5, "rd:h, (rs1), rs2", {}, "nm_read",
     f"each({ROWS}, spm_store(rs1 + (unit() * rs2 + i) * W, l, lane_round(rd[i, l])))"),
    ("ox.nm.rdsum", 1, 6, "rd:h, (rs1), rs2", {}, "nm_read_sum",
     "each(i < rs2, store(rs1 + 4 * (unit() * rs2 + i), lane_sum(rd[i]), 32))"),
    ("ox.nm.zero", 1, 7, "rd:h, rs2", {}, "nm_zero", f"rd[{ROWS}] = 0"),
    ("ox.nm.add", 2, 0, "rd:h, (rs1), rs2", {}, "nm_compute",
     f"rd[{ROWS}] = lane_add(g[rd + i, l], {BANK})"),
    ("ox.nm.mul", 2, 1, "rd:h, (rs1), rs2", {}, "nm_compute",
     f"rd[{ROWS}] = lane_mul(g[rd + i, l], {BANK})"),
    ("ox.nm.mac", 2, 2, "+rd:h, (rs1), rs2", {}, "nm_compute",
     f"rd[0, l < lane_count()] = fold(i < rs2, lane_mac({BANK}, g[i, l], rd[0, l]))"),
    ("ox.nm.macs", 2, 3, "+rd:h, (rs1), rs2", {}, "nm_compute",
     f"rd[0, l < lane_count()] = fold(i < rs2, lane_mac({BANK}, s[i], rd[0, l]))"),
    ("ox.nm.max", 2, 4, "rd:h, (rs1), rs2", {}, "nm_compute",
     f"rd[{ROWS}] = lane_max(g[rd + i, l], {BANK})"),
)  # fmt: skip
DMA: tuple[Row, ...] = (
    ("ox.dma", 0, 0, "rd, rs1, rs2", {}, "dma_start", "rd = copy_start(rs1, rs2)"),
    ("ox.dma.wait", 0, 1, "rs1", {}, "dma_wait", "copy_wait(rs1)"),
    ("ox.dma.fence", 0, 2, "", {}, "dma_fence", "order()"),
)
SIMT: tuple[Row, ...] = (
    ("ox.tmc", 0, 0, "rs1", {}, "simt_control", "thread_mask(rs1)"),
    ("ox.wspawn", 1, 0, "rs1, rs2", {}, "simt_spawn", "spawn(rs1, rs2)"),
    ("ox.split", 2, 0, "rd, rs1", {}, "simt_control", "rd = split(rs1, 0)"),
    ("ox.split.n", 2, 0, "rd, rs1", {"rs2": 1}, "simt_control", "rd = split(rs1, 1)"),
    ("ox.join", 3, 0, "rs1", {}, "simt_control", "join(rs1)"),
    ("ox.bar", 4, 0, "rs1, rs2", {}, "simt_barrier", "barrier(rs1, rs2)"),
    ("ox.pred", 5, 0, "rs1, rs2", {}, "simt_control", "predicate(rs1, rs2, 0)"),
    ("ox.pred.n", 5, 0, "rs1, rs2", {"rd": 1}, "simt_control", "predicate(rs1, rs2, 1)"),
    ("ox.vote.all", 0, 1, "rd, rs1", {}, "simt_vote", "rd = vote_all(rs1)"),
    ("ox.vote.any", 1, 1, "rd, rs1", {}, "simt_vote", "rd = vote_any(rs1)"),
    ("ox.vote.uni", 2, 1, "rd, rs1", {}, "simt_vote", "rd = vote_uniform(rs1)"),
    ("ox.vote.ballot", 3, 1, "rd, rs1", {}, "simt_vote", "rd = ballot(rs1)"),
    ("ox.shfl.up", 4, 1, "rd, rs1, rs2", {}, "simt_shuffle", "rd = shuffle_up(rs1, rs2)"),
    ("ox.shfl.down", 5, 1, "rd, rs1, rs2", {}, "simt_shuffle", "rd = shuffle_down(rs1, rs2)"),
    ("ox.shfl.bfly", 6, 1, "rd, rs1, rs2", {}, "simt_shuffle", "rd = shuffle_butterfly(rs1, rs2)"),
    ("ox.shfl.idx", 7, 1, "rd, rs1, rs2", {}, "simt_shuffle", "rd = shuffle_index(rs1, rs2)"),
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
    name, funct3, funct7, syntax, fixed, timing, semantics = row
    field = {
        part: part if part in syntax else f"{position}={fixed.get(part, 0)}"
        for part, position in POSITIONS.items()
    }
    encoding = (
        f"31..25={funct7} {field['rs2']} {field['rs1']} 14..12={funct3} {field['rd']} 6..0={opcode}"
    )
    reads_rd = MEMORY.get(timing) == "store" and timing != "dma_start"
    return instruction(
        name, extension, encoding, syntax, semantics, timing, MEMORY.get(timing), reads_rd=reads_rd
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
