"""Calling kernels: arguments, results, and every way a program can go wrong."""

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from oxegg.costmodels import load_machine
from oxegg.errors import SimulationError, UsageError
from oxegg.isa import VType
from oxegg.sim import Buffer, CallResult, call, disassemble, ieee
from tests.sim.programs import RETURN, Line, assemble

CARD = load_machine("ox-card")


def run(lines: list[Line], *arguments: Buffer | int | float | np.generic) -> CallResult:
    return call(assemble([*lines, RETURN]), CARD, arguments)


def test_arguments_follow_the_calling_convention():
    buffer = Buffer(np.arange(4, dtype=np.int64))
    lines: list[Line] = [
        ("ld", 13, 16, 10), ("add", 11, 11, 13), ("fcvt.l.d", 14, 10, 1), ("fcvt.l.s", 15, 11, 1),
        ("add", 11, 11, 14), ("add", 11, 11, 15), ("sd", 11, 0, 10),
    ]  # fmt: skip
    result = run(lines, buffer, -5, 3.75, np.float32(2.5))
    assert result.arrays[0].tolist() == [2 - 5 + 3 + 2, 1, 2, 3]
    assert result.returned == 0x0800_0000


def test_more_than_eight_integers_continue_on_the_stack():
    lines: list[Line] = [("ld", 5, 0, 2), ("ld", 6, 8, 2), ("sub", 5, 5, 6), ("sd", 5, 0, 10)]
    result = run(lines, Buffer(8), *range(1, 8), -100, 5)
    assert result.arrays[0].view(np.int64).tolist() == [-105]
    with pytest.raises(UsageError, match="more than 8 floating-point scalars"):
        run([], *[1.5] * 9)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([("ld", 5, 32, 10)], r"ld t0, 32\(a0\): load of 8 bytes at .* outside all buffers"),
        ([("sd", 5, -8, 10)], "store of 8 bytes at .* outside"),
        ([("lw", 5, 2, 10)], "misaligned load of 4 bytes"),
        ([("lui", 5, 0x80000), ("lb", 5, 0, 5)], "outside the address space"),
        ([("auipc", 5, 0), ("sw", 0, 0, 5)], "into code"),
        ([("vle32.v", 8, 10)], "vtype is illegal"),
        ([("vsetivli", 0, 4, 0xD2), ("vadd.vv", 9, 8, 8)], "can't start a group of 4"),
        ([("vsetivli", 0, 4, 0xD0), ("vadd.vv", 0, 8, 8, True)], "overlaps the mask"),
        ([("vsetivli", 0, 16, 0xD0), ("vle32.v", 8, 10)], "load of 64 bytes"),
        ([("ox.tmv", 16, 0)], "an accumulator to an accumulator"),
        ([("ebreak",)], "no handler"),
        ([("addi", 8, 8, 1)], "callee-saved registers: x8"),
        ([("jalr", 0, 0, 10)], "no code: the jump target is data"),
    ],
)
def test_faults_name_pc_and_instruction(lines: list[Line], message: str):
    with pytest.raises(SimulationError, match=message):
        run(lines, Buffer(32))


def test_undefined_word_and_runaway_loop():
    with pytest.raises(SimulationError, match=r"pc = 0x10000: undefined instruction word"):
        call(b"\0\0\0\0", CARD)
    with pytest.raises(SimulationError, match="more than 1000 instructions"):
        call(assemble([("jal", 0, 0)]), CARD, max_instructions=1000)


def test_scratchpad_overflow_is_a_usage_error():
    with pytest.raises(UsageError, match="bytes of scratchpad"):
        run([], Buffer(CARD.spm_bytes + 64))


def test_narrow_floats_must_be_boxed():
    lines: list[Line] = [
        ("fmv.d.x", 0, 11),
        ("fadd.s", 1, 0, 0),
        ("fsw", 1, 0, 10),
        ("fsw", 0, 4, 10),
        ("fsd", 1, 8, 10),
    ]
    result = run(lines, Buffer(16), 0x3F80_0000)
    assert result.arrays[0].view(np.uint32).tolist() == [
        0x7FC0_0000, 0x3F80_0000, 0x7FC0_0000, 0xFFFF_FFFF]  # fmt: skip


def test_agnostic_elements_become_ones():
    vtype = VType(32, Fraction(1)).encode()
    lines: list[Line] = [
        ("vsetivli", 0, 16, vtype), ("vmv.v.i", 8, 3),
        ("vsetivli", 0, 4, vtype), ("vmv.v.i", 0, 5), ("vadd.vi", 8, 8, 1, True),
        ("vs1r.v", 8, 10),
    ]  # fmt: skip
    result = run(lines, Buffer(64))
    ones = 0xFFFF_FFFF
    assert result.arrays[0].view(np.uint32).tolist() == [4, ones, 4, ones] + [ones] * 12


def test_undisturbed_elements_stay():
    keep = VType(32, Fraction(1), tail_agnostic=False, mask_agnostic=False).encode()
    lines: list[Line] = [
        ("vsetivli", 0, 16, keep), ("vmv.v.i", 8, 3), ("vmv.v.i", 0, 5),
        ("vsetivli", 0, 4, keep), ("vadd.vi", 8, 8, 1, True), ("vs1r.v", 8, 10),
    ]  # fmt: skip
    result = run(lines, Buffer(64))
    assert result.arrays[0].view(np.uint32).tolist() == [4, 3, 4, 3] + [3] * 12


Half = npt.NDArray[np.float16]


def _half_result(name: str, a: Half, b: Half, c: Half) -> Half:
    match name:
        case "vfadd.vv":
            return a + b
        case "vfmul.vv":
            return a * b
        case _:
            return (a.astype(np.float64) * b + c).astype(np.float16)


@pytest.mark.parametrize("name", ["vfadd.vv", "vfmul.vv", "vfmacc.vv"])
def test_half_precision_vectors(name: str):
    rng = np.random.default_rng(8)
    a, b, c = rng.normal(size=(3, 32)).astype(np.float16)
    lines: list[Line] = [
        ("vsetvli", 0, 13, VType(16, Fraction(1)).encode()),
        ("vle16.v", 8, 10), ("vle16.v", 9, 11), ("vle16.v", 10, 12),
        (name, 10, 8, 9), ("vse16.v", 10, 12),
    ]  # fmt: skip
    result = run(lines, Buffer(a), Buffer(b), Buffer(c), 32)
    assert result.arrays[2].tolist() == _half_result(name, a, b, c).tolist()


def test_bfloat16_conversion_and_multiply_add():
    rng = np.random.default_rng(9)
    x = np.concatenate((rng.normal(size=14), [np.nan, 1e18])).astype(np.float32)
    narrow = VType(16, Fraction(1, 2)).encode()
    lines: list[Line] = [
        ("vsetivli", 0, 16, narrow), ("vle32.v", 8, 10), ("vfncvtbf16.f.f.w", 10, 8),
        ("vse16.v", 10, 11), ("vfwmaccbf16.vv", 8, 10, 10), ("vse32.v", 8, 12),
    ]  # fmt: skip
    result = run(lines, Buffer(x), Buffer(32), Buffer(64))
    want = [
        ieee.fcvt(ieee.BFLOAT16, ieee.SINGLE, int(bits), ieee.NEAREST_EVEN)
        for bits in x.view(np.uint32)
    ]
    assert result.arrays[1].view(np.uint16).tolist() == want
    rounded = (np.array(want, np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)
    np.testing.assert_array_equal(
        result.arrays[2].view(np.float32), (rounded**2 + x).astype(np.float32)
    )


def test_counts_are_by_offset():
    lines: list[Line] = [("addi", 10, 10, -1), ("bne", 10, 0, -4)]
    result = run(lines, 5)
    assert result.executed == {0: 5, 4: 5, 8: 1}
    assert result.instructions == 11
    assert result.cycles is not None
    assert sum(result.cycles_by_pc.values()) <= result.cycles


def test_disassembly_names_each_place():
    code = assemble([("addi", 10, 10, -1), ("bne", 10, 0, -4)]) + (0x8082).to_bytes(2, "little")
    listing = [(decoded.pc, str(decoded)) for decoded in disassemble(code, 0x100)]
    assert listing == [
        (0x100, "addi a0, a0, -1"),
        (0x104, "bne a0, zero, -4"),
        (0x108, "jalr zero, 0(ra)"),
    ]
