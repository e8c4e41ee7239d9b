"""Float semantics over GF(p) and over the rationals, for every float instruction of each engine.

On small whole numbers IEEE arithmetic is exact, so a run on floats is the oracle: its results, read
as rationals, must be the results over a domain.
"""

from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest

from oxegg.costmodels import load_machine
from oxegg.errors import SimulationError
from oxegg.isa import TABLE, Instruction, VType
from oxegg.sim import Buffer, call, ieee
from oxegg.sim.domain import Domain, NoMeaning
from oxegg.sim.domains import capacity, decode, encode, has_float, is_element
from oxegg.sim.fields import PRIMES, PrimeField, Rationals
from tests.sim.programs import RETURN, Line, assemble

EDGE = load_machine("ox-edge")
Array = npt.NDArray[Any]
VECTOR_FLOAT = [
    record
    for record in TABLE.values()
    if (record.is_vector and has_float(record)) or "reduce_f" in record.semantics
]
SMALL = PrimeField(PRIMES[16][0])
WIDE_DOMAINS = [PrimeField(PRIMES[32][0]), Rationals()]
BF16 = np.dtype(ml_dtypes.bfloat16)
# Reading bits, rounding to integers, ordering: not over a field. Signs of plain floats are theirs.
ORDER = ("fmin", "fmax", "feq", "flt", "fle", "f_to_", "fsqrt")
NOWHERE = ("frec7", "frsqrt7", "fclass")


def float_type(record: Instruction, name: str, width: int) -> np.dtype[Any]:
    if width == 16 and "bf16" in record.semantics:
        return BF16
    return np.dtype(f"f{width // 8}")


def vector_program(record: Instruction, sew: int) -> list[Line]:
    """One instruction on v8, v12, v16 and fa0; the byte buffers of the registers are a0 to a2."""
    registers = {"vd": 8, "vs2": 12, "vs1": 16, "rs1": 10, "v0": 1, "vm": 0}
    values = [registers.get(o.name, 0) for o in record.operands]
    return [
        ("vsetvli", 5, 0, VType(8, Fraction(4)).encode()), ("vle8.v", 8, 10), ("vle8.v", 12, 11),
        ("vle8.v", 16, 12), ("vsetivli", 0, 4, VType(sew, Fraction(1)).encode()),
        (record.name, *values), ("vsetvli", 5, 0, VType(8, Fraction(4)).encode()),
        ("vse8.v", 8, 10), RETURN,
    ]  # fmt: skip


def vector_run(record: Instruction, domain: Domain | None) -> tuple[Array, int]:
    """Bytes of vd, and the width of its elements."""
    narrow = any(o.ratio != 1 for o in record.operands) or "bf16" in record.semantics
    narrow = narrow or record.name.startswith("vfwred")
    sew = 16 if narrow else 32
    lines = vector_program(record, sew)
    random = np.random.default_rng(sum(record.name.encode()))
    buffers: list[Buffer] = []
    width = sew
    for name in ("vd", "vs2", "vs1"):
        operand = next((o for o in record.operands if o.name == name), None)
        bits = operand.element_width(sew) if operand and operand.width != 1 else sew
        if name == "vd" and operand:
            width = operand.element_width(sew)
        numbers = random.integers(1, 7, 128 // (bits // 8))
        if name == "vs2" and ("s_to_f" in record.semantics or "u_to_f" in record.semantics):
            data: Array = numbers.astype(f"i{bits // 8}")
        else:
            if "div" in record.name or "fsqrt" in record.name:
                numbers = np.full_like(numbers, 4)
            data = numbers.astype(float_type(record, name, bits))
        buffers.append(Buffer(data.view(np.uint8)))
    scalar = np.array([4.0 if "div" in record.name else 3.0])
    argument: Any = scalar.astype(float_type(record, "rs1", sew))[0]
    if argument.dtype == BF16:
        argument = np.array([argument]).view(np.float16)[0]
    result = call(assemble(lines), EDGE, [*buffers, argument], timing=False, domain=domain)
    return result.arrays[0], width


def meaningful(record: Instruction, domain: Domain) -> bool:
    if any(word in record.semantics for word in NOWHERE):
        return False
    return isinstance(domain, Rationals) or not any(word in record.semantics for word in ORDER)


@pytest.mark.parametrize("domain", [SMALL, Rationals()], ids=["field", "rationals"])
@pytest.mark.parametrize("record", VECTOR_FLOAT, ids=lambda record: record.name)
def test_vector_floats(record: Instruction, domain: Domain):
    if "bf16" in record.semantics:
        domain = PrimeField(PRIMES[8][0]) if isinstance(domain, PrimeField) else Rationals()
    if not meaningful(record, domain):
        with pytest.raises(SimulationError, match=f"{record.name} .* has no meaning over "):
            vector_run(record, domain)
        return
    exact, width = vector_run(record, None)
    over, _ = vector_run(record, domain)
    if width == 1 or "f_to_" in record.semantics:
        assert np.array_equal(exact[:16], over[:16])
        return
    form = ieee.BFLOAT16 if "bf16_narrow" in record.semantics else ieee.FORMATS[width]
    count = 1 if record.is_reduction else 4
    kind = f"u{width // 8}"
    expected = [int(bits) for bits in exact.view(kind)[:count]]
    got = [int(bits) for bits in over.view(kind)[:count]]
    assert [decode(domain, form, b) for b in got] == [decode(domain, form, b) for b in expected]
    # Results are elements, not floats that happen to be right; changes of sign keep floats.
    assert "fsgnj" in record.semantics or all(is_element(form, bits) for bits in got)


def test_every_vector_float_instruction_is_among_them():
    assert len(VECTOR_FLOAT) > 90
    assert {"vfmacc.vf", "vfwredosum.vs", "vfredmax.vs", "vfncvt.rod.f.f.w"} <= {
        record.name for record in VECTOR_FLOAT
    }


@pytest.mark.parametrize("domain", WIDE_DOMAINS, ids=["field", "rationals"])
@pytest.mark.parametrize(
    "name", ["fadd.s", "fsub.d", "fmul.s", "fdiv.d", "fmadd.s", "fnmadd.d", "fmsub.s", "fnmsub.d",
             "fcvt.d.s", "fcvt.s.w"]
)  # fmt: skip
def test_scalar_floats(name: str, domain: Domain):
    double = name.endswith(".d") or name == "fcvt.d.s"
    kind: Any = np.float32 if name.endswith(".s") else np.float64
    record = TABLE[name]
    sources = {"rs1": 10, "rs2": 11, "rs3": 12, "rd": 10, "rm": 7}
    line: Line = (name, *(sources[o.name] for o in record.operands))
    if name == "fcvt.s.w":
        kind = np.float32
    store: Line = ("fsd" if double else "fsw", 10, 0, 10)
    if name == "fcvt.s.w":
        line = (name, 10, 11, 7)
    code = assemble([("addi", 11, 0, 5), line, store, RETURN])
    arguments = [Buffer(8), kind(6), kind(4), kind(3)]
    exact = call(code, EDGE, arguments, timing=False).arrays[0].view(np.uint64)[0]
    over = call(code, EDGE, arguments, timing=False, domain=domain).arrays[0].view(np.uint64)[0]
    form = ieee.DOUBLE if double else ieee.SINGLE
    assert decode(domain, form, int(over)) == decode(domain, form, int(exact))
    assert is_element(form, int(over))


def multiply(kind: str, domain: Domain | None, a: Array, b: Array) -> Array:
    lines: list[Line] = [
        ("addi", 6, 0, 32), ("ox.tld.a", 0, 10, 6), ("ox.tld.b", 1, 11, 6), ("ox.tzero", 16),
        (f"ox.mm.{kind}", 16, 0, 1), ("ox.tmv", 17, 16), ("ox.tadd.s", 16, 17),
        ("ox.tst.c", 16, 12, 6), RETURN,
    ]  # fmt: skip
    arguments = [Buffer(a.view(np.uint8)), Buffer(b.view(np.uint8)), Buffer(256)]
    result = call(assemble(lines), EDGE, arguments, timing=False, domain=domain)
    return result.arrays[2].view(np.uint32)


@pytest.mark.parametrize("domain", WIDE_DOMAINS, ids=["field", "rationals"])
@pytest.mark.parametrize(
    ("kind", "dtype"),
    [("bf16", BF16), ("f16", "f2"), ("f32", "f4"), ("e4m3", ml_dtypes.float8_e4m3fn),
     ("e5m2", ml_dtypes.float8_e5m2)],
)  # fmt: skip
def test_tile_products(kind: str, dtype: Any, domain: Domain):
    random = np.random.default_rng(5)
    size = np.dtype(dtype).itemsize
    a, b = (random.integers(-3, 4, (8, 32 // size)).astype(dtype) for _ in range(2))
    exact, over = multiply(kind, None, a, b), multiply(kind, domain, a, b)
    values = [decode(domain, ieee.SINGLE, int(bits)) for bits in over]
    assert values == [decode(domain, ieee.SINGLE, int(bits)) for bits in exact]
    assert all(is_element(ieee.SINGLE, int(bits)) for bits in over)


NEAR_MEMORY_TYPES = [(1, np.dtype("f2"), ieee.HALF), (2, BF16, ieee.BFLOAT16),
                     (3, np.dtype("f4"), ieee.SINGLE)]  # fmt: skip


@pytest.mark.parametrize(("number", "dtype", "form"), NEAR_MEMORY_TYPES)
def test_near_memory(number: int, dtype: np.dtype[Any], form: ieee.Format):
    domain = PrimeField(PRIMES[8][1])
    lanes = 32 // dtype.itemsize
    banks = (np.arange(8 * 4 * lanes) % 3 + 1).reshape(8, 4, lanes).astype(dtype)
    lines: list[Line] = [
        ("addi", 5, 0, 1), ("addi", 6, 0, number), ("addi", 28, 0, 2), ("ox.nm.on", 7, 5, 6),
        ("ox.nm.bcs", 0, 11, 28), ("ox.nm.bcv", 0, 11, 28), ("ox.nm.macs", 0, 10, 28),
        ("ox.nm.mac", 0, 10, 28), ("ox.nm.add", 1, 10, 5), ("ox.nm.mul", 2, 10, 5),
        ("addi", 28, 0, 3), ("ox.nm.rd", 0, 12, 28), ("ox.nm.rdsum", 0, 13, 28), ("ox.nm.off",),
        RETURN,
    ]  # fmt: skip
    arguments = [Buffer(banks, "near_memory"), Buffer(np.full(2 * lanes, 2).astype(dtype)),
                 Buffer(8 * 3 * 32), Buffer(8 * 3 * 4)]  # fmt: skip
    exact = call(assemble(lines), EDGE, arguments, timing=False).arrays
    over = call(assemble(lines), EDGE, arguments, timing=False, domain=domain).arrays
    for place, kind in ((2, form), (3, ieee.SINGLE)):
        words = (part[place].view(f"u{kind.width // 8}") for part in (exact, over))
        expected, got = ([decode(domain, kind, int(b)) for b in part] for part in words)
        assert got == expected


def test_near_memory_maximum_needs_an_order():
    lines: list[Line] = [("addi", 5, 0, 1), ("addi", 6, 0, 3), ("ox.nm.on", 7, 5, 6),
                         ("ox.nm.max", 0, 10, 5), RETURN]  # fmt: skip
    with pytest.raises(SimulationError, match=r"ox\.nm\.max .* comparison has no meaning"):
        call(assemble(lines), EDGE, [Buffer(np.ones((8, 8), np.float32), "near_memory")],
             timing=False, domain=SMALL)  # fmt: skip


def test_exponential_by_bit_tricks_is_reported():
    """2^n by a shift of an integer into the exponent, of what came out of arithmetic."""
    lines: list[Line] = [
        ("vsetivli", 0, 4, VType(32, Fraction(1)).encode()), ("vle32.v", 8, 10),
        ("vfadd.vv", 8, 8, 8), ("vsll.vi", 8, 8, 23), RETURN,
    ]  # fmt: skip
    with pytest.raises(SimulationError, match=r"vsll\.vi .* integer arithmetic on a float has no"):
        call(assemble(lines), EDGE, [Buffer(np.ones(4, np.float32))], timing=False,
             domain=Rationals())  # fmt: skip


def test_negation_and_moves_keep_elements():
    lines: list[Line] = [
        ("vsetivli", 0, 4, VType(32, Fraction(1)).encode()), ("vle32.v", 8, 10),
        ("vfadd.vv", 8, 8, 8), ("vfsgnjn.vv", 9, 8, 8), ("vslidedown.vi", 9, 9, 1),
        ("vse32.v", 9, 10), RETURN,
    ]  # fmt: skip
    domain = PrimeField(PRIMES[32][0])
    data = np.array([1, 2.5, 3, -4], np.float32)
    (out,) = call(assemble(lines), EDGE, [Buffer(data)], timing=False, domain=domain).arrays
    values = [decode(domain, ieee.SINGLE, int(bits)) for bits in out.view(np.uint32)[:3]]
    assert values == [domain.literal(Fraction(v)) for v in (-5, -6, 8)]


def test_patterns():
    domain = PrimeField(13)
    for form in (ieee.HALF, ieee.BFLOAT16, ieee.SINGLE, ieee.DOUBLE):
        for value in range(13):
            bits = encode(domain, form, value)
            assert decode(domain, form, bits) == value
            assert decode(domain, form, bits | form.sign) == -value % 13
    assert decode(domain, ieee.SINGLE, 0x3F00_0000) == 7  # 1/2
    for bits in (ieee.SINGLE.nan, ieee.SINGLE.infinity):
        with pytest.raises(NoMeaning):
            decode(domain, ieee.SINGLE, bits)
    assert all(max(primes) <= capacity({64: ieee.DOUBLE, 32: ieee.SINGLE, 16: ieee.HALF,
                                        8: ieee.BFLOAT16}[width])
               for width, primes in PRIMES.items())  # fmt: skip
    with pytest.raises(NoMeaning, match="element number"):
        encode(PrimeField(1009), ieee.HALF, 1000)


def test_primes_are_prime():
    for primes in PRIMES.values():
        for prime in primes:
            assert all(prime % d for d in range(2, int(prime**0.5) + 1))
        assert len(set(primes)) == 2
