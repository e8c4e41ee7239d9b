"""16-bit instructions mean what LLVM's assembler means by them."""

import re
import shutil
import subprocess

import pytest

from oxegg.errors import OxeggError
from oxegg.isa import encode
from oxegg.sim.compressed import expand

LLVM_MC = shutil.which("llvm-mc-22") or shutil.which("llvm-mc")

# Text of a compressible instruction, as LLVM writes the 32-bit form.
TEXTS = """
addi s0, sp, 16; addi a5, sp, 1020; lw a0, 64(a1); ld a2, 248(s1); fld fa0, 8(a5); sw a0, 124(a1)
sd s0, 16(s1); fsd fa5, 24(a0); addi a0, a0, -32; addi t0, t0, 31; addiw a0, a0, -1; li a7, -17
lui a1, 31; lui a1, 1048575; addi sp, sp, -512; addi sp, sp, 496; srli s1, s1, 63; srai a4, a4, 1
andi a5, a5, -9; sub s0, s0, a1; xor a2, a2, a3; or a4, a4, a5; and s1, s1, s0; subw a0, a0, a1
addw a3, a3, a2; j -2048; j 2046; beqz a0, -256; bnez s1, 254; slli t6, t6, 33; fld ft0, 504(sp)
lw ra, 252(sp); ld t0, 504(sp); jr a0; add s11, zero, t2; jalr t1; add a0, a0, t6; fsd fs11, 504(sp)
sw t6, 252(sp); sd ra, 8(sp); ebreak; nop
"""


def _encodings(text: str, compress: str) -> list[int]:
    source = f".option {compress}\n" + "\n".join(re.split(r"[;\n]", text.strip())) + "\n"
    result = subprocess.run(
        [str(LLVM_MC), "-triple=riscv64", "-mattr=+d,+c", "-show-encoding"],
        input=source, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = re.findall(r"encoding: \[([^\]]*)\]", result.stdout)
    return [int.from_bytes(bytes.fromhex(e.replace("0x", "").replace(",", "")), "little")
            for e in found]  # fmt: skip


@pytest.mark.skipif(LLVM_MC is None, reason="llvm-mc is not installed")
def test_expansions_equal_the_32_bit_forms():
    short, long = _encodings(TEXTS, "rvc"), _encodings(TEXTS, "norvc")
    assert len(short) == len(long) > 40
    assert all(word < 1 << 16 for word in short)
    for half, full in zip(short, long, strict=True):
        name, operands = expand(half)
        assert encode(name, operands) == full, hex(half)


@pytest.mark.parametrize("word", [0x0000, 0x8000, 0x9C41, 0x0004])
def test_reserved_words_are_refused(word: int):
    with pytest.raises(OxeggError, match="undefined"):
        expand(word)
