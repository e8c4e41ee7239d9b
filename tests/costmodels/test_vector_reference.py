"""The x280, x390 and x60 profiles against llvm-mca 22 (e32, LMUL 1, 2, 4, 8).

Numbers are what `llvm-mca-22 -instruction-tables` prints with LMUL and SEW instruments.
"""

from collections.abc import Mapping

import pytest
from _pytest.mark import ParameterSet

from oxegg.costmodels import Timing, load_machine, timing

LMULS = (1, 2, 4, 8)

OCCUPANCY = {
    "x280": {
        "vle32.v": (2, 4, 8, 16),
        "vse32.v": (2, 4, 8, 16),
        "vlse32.v": (16, 32, 64, 128),
        "vsse32.v": (16, 32, 64, 128),
        "vluxei32.v": (16, 32, 64, 128),
        "vadd.vv": (2, 4, 8, 16),
        "vmul.vv": (2, 4, 8, 16),
        "vfadd.vv": (2, 4, 8, 16),
        "vfmacc.vv": (2, 4, 8, 16),
        "vfdiv.vv": (112, 224, 448, 896),
        "vredsum.vs": (37, 39, 43, 51),
        "vfredusum.vs": (37, 39, 43, 51),
        "vfredosum.vs": (96, 192, 384, 768),
        "vslideup.vi": (2, 4, 8, 16),
        "vrgather.vv": (20, 36, 68, 132),
        "vmseq.vv": (2, 4, 8, 16),
    },
    "x390": {
        "vle32.v": (2, 4, 8, 16),
        "vse32.v": (2, 4, 8, 16),
        "vlse32.v": (32, 64, 128, 256),
        "vluxei32.v": (32, 64, 128, 256),
        "vadd.vv": (1, 2, 4, 8),
        "vmul.vv": (1, 2, 4, 8),
        "vfadd.vv": (1, 2, 4, 8),
        "vfmacc.vv": (1, 2, 4, 8),
        "vfdiv.vv": (224, 448, 896, 1792),
        "vredsum.vs": (42, 44, 48, 56),
        "vfredusum.vs": (42, 44, 48, 56),
        "vslideup.vi": (2, 4, 8, 16),
        "vrgather.vv": (8, 20, 68, 260),
    },
    "x60": {
        "vle32.v": (3, 4, 8, 16),
        "vse32.v": (3, 4, 8, 19),
        "vlse32.v": (8, 16, 32, 64),
        "vluxei32.v": (4, 8, 16, 32),
        "vadd.vv": (2, 4, 8, 16),
        "vmul.vv": (1, 2, 4, 8),
        "vfmacc.vv": (1, 2, 4, 8),
        "vfdiv.vv": (40, 80, 160, 320),
        "vdiv.vv": (24, 48, 96, 192),
        "vredsum.vs": (2, 4, 10, 35),
        "vfredusum.vs": (8, 14, 20, 57),
        "vslideup.vi": (3, 5, 9, 17),
        "vrgather.vv": (4, 16, 64, 256),
        "vcompress.vm": (3, 10, 36, 136),
        "vmseq.vv": (2, 4, 8, 18),
    },
}

LATENCY = {
    "x280": {
        "vle32.v": (4, 4, 4, 4),
        "vlse32.v": (19, 35, 67, 131),
        "vadd.vv": (4, 4, 4, 4),
        "vmul.vv": (8, 8, 8, 8),
        "vfmacc.vv": (8, 8, 8, 8),
        "vfdiv.vv": (112, 224, 448, 896),
        "vredsum.vs": (37, 39, 43, 51),
        "vslideup.vi": (4, 4, 4, 4),
        "vrgather.vv": (15, 15, 15, 15),
        "vmseq.vv": (5, 7, 11, 19),
        "vmv.x.s": (11, 11, 11, 11),
    },
    "x390": {
        "vle32.v": (4, 4, 4, 4),
        "vadd.vv": (4, 4, 4, 4),
        "vfmacc.vv": (8, 8, 8, 8),
        "vredsum.vs": (42, 44, 48, 56),
        "vslideup.vi": (4, 4, 4, 4),
        "vrgather.vv": (7, 19, 67, 259),
        "vmseq.vv": (5, 7, 11, 19),
        "vmv.x.s": (11, 11, 11, 11),
    },
    "x60": {
        "vle32.v": (3, 4, 8, 16),
        "vadd.vv": (4, 4, 8, 16),
        "vmul.vv": (7, 8, 16, 32),
        "vfmacc.vv": (5, 5, 5, 8),
        "vredsum.vs": (7, 11, 19, 35),
        "vfredusum.vs": (15, 21, 33, 57),
        "vslideup.vi": (4, 5, 9, 17),
        "vmseq.vv": (4, 6, 10, 18),
        "vmv.x.s": (6, 6, 6, 6),
    },
}

SCALAR_LATENCY = {
    "x280": {"add": 1, "mul": 3, "div": 66, "divw": 34, "ld": 3, "fmadd.s": 5, "fmadd.d": 7},
    "x390": {"add": 1, "mul": 3, "div": 66, "divw": 34, "ld": 3, "fmadd.s": 4, "fdiv.s": 27},
    "x60": {"add": 1, "mul": 6, "div": 20, "divw": 12, "ld": 4, "fmadd.s": 5, "fdiv.d": 22},
}


def rows(table: Mapping[str, Mapping[str, object]]) -> list[ParameterSet]:
    return [
        pytest.param(machine, name, values, id=f"{machine}-{name}")
        for machine, instructions in table.items()
        for name, values in instructions.items()
    ]


def at_full_length(machine_name: str, instruction: str, lmul: int) -> Timing:
    machine = load_machine(machine_name)
    return timing(machine, instruction, vl=machine.vlmax(32, lmul), sew=32, lmul=lmul)


@pytest.mark.parametrize(("machine", "instruction", "expected"), rows(OCCUPANCY))
def test_occupancy_equals_llvm_mca(
    machine: str, instruction: str, expected: tuple[int, ...]
) -> None:
    assert tuple(at_full_length(machine, instruction, m).occupancy for m in LMULS) == expected


@pytest.mark.parametrize(("machine", "instruction", "expected"), rows(LATENCY))
def test_latency_equals_llvm_mca(machine: str, instruction: str, expected: tuple[int, ...]) -> None:
    assert tuple(at_full_length(machine, instruction, m).latency for m in LMULS) == expected


@pytest.mark.parametrize(("machine", "instruction", "expected"), rows(SCALAR_LATENCY))
def test_scalar_latency_equals_llvm_mca(machine: str, instruction: str, expected: int) -> None:
    assert timing(load_machine(machine), instruction).latency == expected


@pytest.mark.parametrize("name", ["x280", "x390", "x60"])
def test_time_of_cores_that_ignore_vl_is_that_of_the_whole_group(name: str) -> None:
    machine = load_machine(name)
    short = timing(machine, "vadd.vv", vl=1, sew=32, lmul=4)
    assert short == timing(machine, "vadd.vv", vl=machine.vlmax(32, 4), sew=32, lmul=4)


@pytest.mark.parametrize(
    ("instruction", "unit"),
    [("vadd.vv", "VA"), ("vmseq.vv", "VA"), ("vslideup.vi", "VA"), ("vfmv.f.s", "VA"),
     ("vfmacc.vv", "VF"), ("vmfeq.vv", "VF"), ("vfslide1up.vf", "VF"), ("vfmv.v.f", "VF"),
     ("vfncvt.x.f.w", "VF"), ("vfredusum.vs", "VF"), ("vle32.v", "VL"), ("vse32.v", "VL")],
)  # fmt: skip
def test_the_x60_computes_floats_beside_integers(instruction: str, unit: str) -> None:
    assert at_full_length("x60", instruction, 1).unit == unit
