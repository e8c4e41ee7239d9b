"""Stand-in for the ISA table: mnemonic -> timing class by pattern."""

import re
from typing import NamedTuple

_ROWS = [
    (
        r"(add|sub|addi|addiw|addw|subw|lui|auipc|li|mv|and|or|xor|not|sl|sr|slt|sltu|slti|sltiu|andi|ori|xori|s[lr][la]i?w?|sh[123]add(\.uw)?|add\.uw|slli\.uw|andn|orn|xnor|min|minu|max|maxu|c[lt]zw?|cpopw?|sext\.[bh]|zext\.h|rev8|orc\.b|ro[lr]i?w?|b(clr|ext|inv|set)i?|czero\.\w+|nop)$",
        "alu",
    ),
    (r"b(eq|ne|lt|ge|ltu|geu)z?$|bgtz|blez|bltz|bgez", "branch"),
    (r"j$|jalr?$|ret$", "jump"),
    (r"mul\w*$|clmul", "mul"),
    (r"(div|rem)u?w$", "div_w"),
    (r"(div|rem)", "div"),
    (r"l[bhwd]u?$", "load"),
    (r"s[bhwd]$", "store"),
    (r"fl[hwd]$", "fload"),
    (r"fs[hwd]$", "fstore"),
    (r"amo|lr\.|sc\.", "amo"),
    (r"csrr", "csr"),
    (r"fence", "fence"),
    (r"ecall|ebreak|wfi", "system"),
    (r"vset", "vset"),
    (r"f(add|sub)\.", "fadd"),
    (r"fmul\.", "fmul"),
    (r"fn?m(add|sub)\.", "fma"),
    (r"fdiv", "fdiv"),
    (r"fsqrt", "fsqrt"),
    (r"fcvt", "fcvt"),
    (r"f(eq|lt|le|class)\.", "fcompare"),
    (r"f(sgnj|min|max|mv)", "fmove"),
    (r"vlm\.", "vload_mask"),
    (r"vsm\.", "vstore_mask"),
    (r"vl\dr", "vload_whole"),
    (r"vs\dr", "vstore_whole"),
    (r"vl\w*seg", "vload_segment"),
    (r"vs\w*seg", "vstore_segment"),
    (r"vl[uo]xei", "vload_indexed"),
    (r"vs[uo]xei", "vstore_indexed"),
    (r"vlse\d", "vload_strided"),
    (r"vsse\d", "vstore_strided"),
    (r"vle\d", "vload"),
    (r"vse\d", "vstore"),
    (r"vmv\.x\.s|vfmv\.f\.s", "vmv_to_scalar"),
    (r"vmv\.s\.x|vfmv\.s\.f", "vmv_from_scalar"),
    (r"vmv\dr", "vmv_whole"),
    (r"vf?slide", "vslide"),
    (r"vrgather", "vgather"),
    (r"vcompress", "vcompress"),
    (r"vfw?redo", "vfreduce_ordered"),
    (r"vfw?red", "vfreduce"),
    (r"vw?red", "vreduce"),
    (r"vcpop|vfirst", "vmask_scalar"),
    (r"viota|vid", "vmask_index"),
    (r"vm\w+\.mm?$|vmsbf|vmsif|vmsof", "vmask"),
    (r"vms|vmf|vmadc|vmsbc", "vcompare"),
    (r"vfdiv|vfrdiv", "vfdiv"),
    (r"vfsqrt", "vfsqrt"),
    (r"vf[wn]?cvt", "vfcvt"),
    (r"vf(min|max|sgnj|class|merge|mv|rec7|rsqrt7)", "vfmove"),
    (r"vf", "vfma"),
    (r"vw?mul|vn?ms(ac|ub)|vw?macc|vmadd|vsmul", "vmul"),
    (r"v(div|rem)", "vdiv"),
    (r"v", "vint"),
    (r"ox\.tset|ox\.trel$", "tset"),
    (r"ox\.tzero", "tzero"),
    (r"ox\.tmv$", "tmove"),
    (r"ox\.tldbc", "tload_row"),
    (r"ox\.tld[ab]t", "tload_transpose"),
    (r"ox\.tld\.", "tload"),
    (r"ox\.tst", "tstore"),
    (r"ox\.mm\.f32", "tmm_f32"),
    (r"ox\.mm", "tmm"),
    (r"ox\.tadd", "tadd"),
    (r"ox\.trelu", "trelu"),
    (r"ox\.trq", "trequantize"),
    (r"ox\.tcvt", "tcvt"),
    (r"ox\.tmv\.v", "tile_to_vector"),
    (r"ox\.tmv\.t", "vector_to_tile"),
    (r"ox\.nm\.(on|off)", "nm_mode"),
    (r"ox\.nm\.wait", "nm_wait"),
    (r"ox\.nm\.bcv", "nm_broadcast_vector"),
    (r"ox\.nm\.bcs", "nm_broadcast_scalar"),
    (r"ox\.nm\.ld", "nm_load"),
    (r"ox\.nm\.st", "nm_store"),
    (r"ox\.nm\.rdsum", "nm_read_sum"),
    (r"ox\.nm\.rd", "nm_read"),
    (r"ox\.nm\.zero", "nm_zero"),
    (r"ox\.nm", "nm_compute"),
    (r"ox\.dma\.wait", "dma_wait"),
    (r"ox\.dma\.fence", "dma_fence"),
    (r"ox\.dma", "dma_start"),
    (r"ox\.wspawn", "simt_spawn"),
    (r"ox\.bar", "simt_barrier"),
    (r"ox\.vote", "simt_vote"),
    (r"ox\.shfl", "simt_shuffle"),
    (r"ox\.", "simt_control"),
]


class Record(NamedTuple):
    timing: str


class Table:
    def get(self, name: str) -> Record | None:
        for pattern, timing_class in _ROWS:
            if re.match(pattern, name):
                return Record(timing_class)
        return None


TABLE = Table()
