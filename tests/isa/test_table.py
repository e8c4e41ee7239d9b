"""Every record is complete and consistent."""

from fractions import Fraction

import pytest

from oxegg.isa import TABLE, Instruction
from oxegg.isa.semantics import FIXED_NAMES, names

ALL = list(TABLE.values())


@pytest.mark.parametrize("record", ALL, ids=lambda record: record.name)
def test_semantics_speaks_of_the_operands(record: Instruction):
    known = {operand.name for operand in record.operands} | FIXED_NAMES
    for statement in record.statements:
        assert set(names(statement.value)) <= known
        assert statement.target is None or statement.target in known


def test_only_custom_instructions_lack_semantics():
    lacking = {record.extension for record in ALL if not record.semantics}
    assert lacking == {"Xoxt", "Xoxn", "Xoxd", "Xoxw"}


def test_operands_are_the_encoding_fields():
    for record in ALL:
        fields = {field.name for field in record.fields}
        assert fields == {o.name for o in record.operands if o.kind != "v0"}, record.name


def test_written_operands_are_the_targets_of_the_semantics():
    for record in ALL:
        if not record.semantics:
            continue
        targets = {s.target for s in record.statements if s.target is not None}
        assert targets == {o.name for o in record.operands if o.writes}, record.name
        read = {n for s in record.statements for n in names(s.value)}
        for operand in record.operands:
            if operand.is_register and not record.name.startswith("vslideup"):
                assert operand.reads == (operand.name in read), (record.name, operand.name)


def test_oxm1_has_72_instructions():
    assert sum(record.extension.startswith("Xox") for record in ALL) == 72


@pytest.mark.parametrize(
    ("name", "operand", "sew", "lmul", "group"),
    [
        ("vwadd.vv", 0, 16, Fraction(4), 8),
        ("vwadd.vv", 1, 16, Fraction(4), 4),
        ("vwadd.vv", 0, 8, Fraction(1, 8), 1),
        ("vzext.vf4", 1, 32, Fraction(8), 2),
        ("vmseq.vv", 0, 8, Fraction(8), 1),
        ("vluxei64.v", 2, 16, Fraction(2), 8),
        ("vlseg3e32.v", 0, 32, Fraction(2), 6),
        ("vredsum.vs", 2, 32, Fraction(8), 1),
        ("vl4re32.v", 0, 8, Fraction(1), 4),
        ("vrgatherei16.vv", 2, 8, Fraction(1), 2),
    ],
)
def test_register_groups(name: str, operand: int, sew: int, lmul: Fraction, group: int):
    assert TABLE[name].operands[operand].group(sew, lmul) == group
