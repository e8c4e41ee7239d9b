"""Loop-level cycles against cases computed by hand."""

from fractions import Fraction

from oxegg.costmodels import (
    Level,
    Recurrence,
    Timing,
    level_cycles,
    load_machine,
    nest_cycles,
    timing,
)

CARD = load_machine("ox-card")


def vector(name: str) -> Timing:
    return timing(CARD, name, vl=64, sew=32, lmul=4)


def test_saxpy_is_bound_by_its_loads() -> None:
    # Two loads of 8 cycles, one vfmacc and one store of 8; 4 scalar instructions.
    work = (
        (vector("vle32.v"), 2),
        (vector("vfmacc.vf"), 1),
        (vector("vse32.v"), 1),
        (timing(CARD, "addi"), 3),
        (timing(CARD, "bne"), 1),
    )
    result = level_cycles(CARD, Level(work, trips=16))
    assert (result.cycles, result.limit) == (256, "unit VL")
    assert result.bounds == {
        "unit VL": 16,
        "unit VA": 8,
        "unit VS": 8,
        "unit ALU": Fraction(3, 2),
        "unit BRU": 1,
        "recurrence": 0,
        "dispatch": 4,
        "issue": 4,
        "memory": 0,
    }


def test_recurrence_limits_a_single_accumulator_and_not_four() -> None:
    product = timing(CARD, "ox.mm.ss")
    one = Level(((product, 1),), (Recurrence(product.latency),))
    four = Level(((product, 4),), (Recurrence(product.latency),))
    assert level_cycles(CARD, one).limit == "recurrence"
    assert level_cycles(CARD, one).cycles == 52
    assert level_cycles(CARD, four).limit == "unit TMM"
    assert level_cycles(CARD, four).cycles == 64


def test_recurrence_over_several_iterations_may_be_fractional() -> None:
    level = Level(((timing(CARD, "fadd.s"), 1),), (Recurrence(latency=4, distance=3),), trips=3)
    assert level_cycles(CARD, level).cycles == 4


def test_issue_and_dispatch() -> None:
    assert (
        level_cycles(CARD, Level(((timing(CARD, "mul"), 1), (timing(CARD, "add"), 4)))).cycles == 3
    )
    short = timing(CARD, "vadd.vv", vl=8, sew=32)
    load, store = (timing(CARD, n, vl=8, sew=32) for n in ("vle32.v", "vse32.v"))
    result = level_cycles(CARD, Level(((short, 1), (load, 1), (store, 1))))
    assert (result.cycles, result.limit) == (3, "dispatch")


def test_memory() -> None:
    result = level_cycles(CARD, Level(((vector("vle32.v"), 1),), dram_bytes=256, trips=10))
    assert (result.cycles, result.limit) == (256, "memory")


def test_empty_level_costs_nothing() -> None:
    assert level_cycles(CARD, Level(())).cycles == 0


def test_nest_runs_inner_levels_once_per_outer_trip() -> None:
    outer = Level(((timing(CARD, "addi"), 4),), trips=10)
    inner = Level(((vector("vle32.v"), 1),), trips=5)
    assert nest_cycles(CARD, [outer, inner]) == 10 * 2 + 10 * 5 * 8
