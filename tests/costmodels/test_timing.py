"""OXM-1's own timing profile, and that every instruction is priced wherever its engine exists."""

from fractions import Fraction

import pytest

from oxegg.costmodels import TileShape, Timing, load_machine, machine_names, timing
from oxegg.costmodels.timing import timing_class
from oxegg.costmodels.timing_classes import CLASSES
from oxegg.errors import MachineError, UsageError
from oxegg.isa import TABLE

CARD = load_machine("ox-card")

# ox-card: DLEN 256, MLEN 32 bytes, scratchpad latency 6.
CARD_VECTOR = [
    ("vadd.vv", 64, 32, 4, Timing("VA", 8, 3, True)),
    ("vadd.vv", 65, 8, 4, Timing("VA", 3, 3, True)),
    ("vmul.vv", 8, 32, 1, Timing("VA", 1, 4, True)),
    ("vfmacc.vf", 64, 32, 4, Timing("VA", 8, 5, True)),
    ("vfcvt.x.f.v", 64, 32, 4, Timing("VA", 8, 3, True)),
    ("vmseq.vv", 64, 32, 4, Timing("VA", 8, 11, False)),
    ("vslideup.vi", 64, 32, 4, Timing("VA", 8, 4, True)),
    ("vrgather.vv", 64, 32, 4, Timing("VA", 64, 68, False)),
    ("vredsum.vs", 64, 32, 4, Timing("VA", 8 + 4 * 3 + 8, 28, False)),
    ("vfredosum.vs", 64, 32, 4, Timing("VA", 320, 323, False)),
    # A lane divides an element in SEW/4 cycles; 8 lanes at e32.
    ("vfdiv.vv", 64, 32, 4, Timing("VA", 64, 11, True)),
    ("vle32.v", 64, 32, 4, Timing("VL", 8, 6, True)),
    # The access width is the mnemonic's, not SEW.
    ("vle8.v", 64, 32, 4, Timing("VL", 2, 6, True)),
    ("vse32.v", 64, 32, 4, Timing("VS", 8, 1, False)),
    ("vlse32.v", 64, 32, 4, Timing("VL", 64, 70, False)),
    ("vluxei16.v", 64, 32, 4, Timing("VL", 64, 70, False)),
    ("vlseg4e8.v", 64, 8, 1, Timing("VL", 64, 70, False)),
    ("vl2re32.v", 1, 8, 1, Timing("VL", 4, 6, True)),
    ("vs8r.v", 1, 8, 1, Timing("VS", 16, 1, False)),
    ("vmv4r.v", 1, 8, 1, Timing("VA", 8, 3, True)),
    ("vlm.v", 512, 8, 8, Timing("VL", 2, 6, True)),
    # Widening and narrowing instructions take the time of their wide operand.
    ("vwmacc.vv", 64, 8, 1, Timing("VA", 4, 4, True)),
    ("vfwmacc.vv", 32, 16, 1, Timing("VA", 4, 5, True)),
    ("vnsrl.wi", 64, 8, 1, Timing("VA", 4, 3, True)),
    ("vfnmacc.vv", 16, 32, 1, Timing("VA", 2, 5, True)),
    ("vmand.mm", 512, 8, 8, Timing("VA", 2, 4, False)),
    ("vmv.x.s", 64, 32, 4, Timing("VA", 1, 6, False)),
    # Only the source group of a widening sum is long; only the data of a gather load counts.
    ("vwredsum.vs", 64, 16, 2, Timing("VA", 4 + 4 * 4 + 8, 28, False)),
    ("vloxei64.v", 16, 8, 1, Timing("VL", 16, 22, False)),
    ("vfwredosum.vs", 8, 32, 1, Timing("VA", 40, 43, False)),
    # Nothing is free, not even an empty vector.
    ("vadd.vv", 0, 32, 1, Timing("VA", 1, 3, True)),
]

CARD_OTHER = [
    ("addi", Timing("ALU", 1, 1, False)),
    ("mul", Timing("MUL", 1, 3, False)),
    ("div", Timing("DIV", 20, 20, False)),
    ("ld", Timing("LSU", 1, 3, False)),
    ("flw", Timing("LSU", 1, 3, False)),
    ("fmadd.s", Timing("FPU", 1, 5, False)),
    ("fmadd.d", Timing("FPU", 1, 6, False)),
    ("fdiv.s", Timing("FDIV", 15, 15, False)),
    ("fdiv.d", Timing("FDIV", 25, 25, False)),
    ("vsetvli", Timing("ALU", 1, 1, False)),
]


@pytest.mark.parametrize(("name", "vl", "sew", "lmul", "expected"), CARD_VECTOR)
def test_vector_timing_of_ox_card(
    name: str, vl: int, sew: int, lmul: int, expected: Timing
) -> None:
    assert timing(CARD, name, vl=vl, sew=sew, lmul=lmul) == expected


@pytest.mark.parametrize(("name", "expected"), CARD_OTHER)
def test_scalar_timing_of_ox_card(name: str, expected: Timing) -> None:
    assert timing(CARD, name) == expected


def test_two_pipes_halve_arithmetic_but_not_memory() -> None:
    machine = load_machine("ox-dc")
    assert timing(machine, "vfmacc.vv", vl=128, sew=32, lmul=4).occupancy == 4
    assert timing(machine, "vle32.v", vl=128, sew=32, lmul=4).occupancy == 8


def test_fractional_groups_count_their_elements() -> None:
    half = timing(CARD, "vadd.vv", vl=8, sew=32, lmul=Fraction(1, 2))
    assert half == Timing("VA", 1, 3, True)


@pytest.mark.parametrize("name", machine_names())
def test_every_instruction_is_priced_on_every_machine_with_its_engine(name: str) -> None:
    machine = load_machine(name)
    for instruction in TABLE:
        if timing_class(instruction).engine in machine.engines:
            price = timing(machine, instruction, vl=4, sew=32, lmul=1, repeat=8)
            unit = timing_class(instruction).unit
            shared = unit == "VS" and machine.vector.one_memory_port
            floats = unit == "VA" and machine.vector.float_sequencer
            assert price.unit in (("VL",) if shared else ("VA", "VF") if floats else (unit,))
        else:
            with pytest.raises(MachineError, match=f"{name} doesn't have"):
                timing(machine, instruction, vl=4, sew=32)


def test_every_row_of_the_table_is_some_instructions() -> None:
    assert {instruction.timing for instruction in TABLE.values()} == set(CLASSES)


def test_vector_instructions_need_a_vector_state() -> None:
    with pytest.raises(UsageError, match="depends on vl and sew"):
        timing(CARD, "vadd.vv")


def test_unknown_instruction_is_refused() -> None:
    with pytest.raises(UsageError, match=r'"vaddd\.vv"'):
        timing(CARD, "vaddd.vv", vl=1, sew=32)


# Modelled on AMX: 16 cycles per instruction, 52 to the result, 1024 int8 products per cycle.
TILE_TIMES = {
    "ox-tiny": (4, 16, 4),
    "ox-edge": (8, 28, 8),
    "ox-card": (16, 52, 8),
    "ox-dc": (32, 100, 16),
}


@pytest.mark.parametrize(("name", "expected"), TILE_TIMES.items())
def test_tile_times_of_the_four_configurations(name: str, expected: tuple[int, int, int]) -> None:
    machine = load_machine(name)
    product, load = timing(machine, "ox.mm.ss"), timing(machine, "ox.tld.a")
    assert (product.occupancy, product.latency, load.occupancy) == expected
    assert load.latency == load.occupancy + machine.spm_latency


def test_tile_times_follow_the_tile_shape() -> None:
    short = TileShape(m=3, n=5, k=8)
    assert timing(CARD, "ox.mm.ss", tile=short) == Timing("TMM", 2, 38, False)
    assert timing(CARD, "ox.mm.f32", tile=short) == Timing("TMM", 4, 40, False)
    assert timing(CARD, "ox.tld.c", tile=TileShape(16, 3, 8)).occupancy == 2
    assert timing(CARD, "ox.tst.b", tile=TileShape(1, 16, 64)).occupancy == 8
    assert timing(CARD, "ox.tldbt.b").occupancy == 2 * timing(CARD, "ox.tld.b").occupancy


def test_timing_is_cached_per_machine() -> None:
    first = timing(CARD, "vadd.vv", vl=64, sew=32, lmul=4)
    assert timing(load_machine("ox-card"), "vadd.vv", vl=64, sew=32, lmul=4) is first
