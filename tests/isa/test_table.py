"""Every record is complete and consistent."""

from fractions import Fraction

import pytest

from oxegg.isa import TABLE, Instruction
from oxegg.isa.semantics import FIXED_NAMES, Range, names, statement_names

ALL = list(TABLE.values())


@pytest.mark.parametrize("record", ALL, ids=lambda record: record.name)
def test_semantics_speaks_of_the_operands(record: Instruction):
    known = {operand.name for operand in record.operands} | FIXED_NAMES
    for statement in record.statements:
        # A fold's variable is bound in its own expression, a range's in the whole statement.
        assert set(statement_names(statement)) <= known
        assert statement.target is None or statement.target in known


def test_every_instruction_has_semantics():
    assert [record.name for record in ALL if not record.statements] == []


def test_subscripts_ranges_and_folds():
    (statement,) = TABLE["ox.mm.f32"].statements
    assert [part.variable for part in statement.subscripts if isinstance(part, Range)] == ["i", "j"]
    assert sorted(set(names(statement.value))) == ["i", "j", "rd", "rs1", "rs2", "tk"]
    assert sorted(set(statement_names(statement))) == ["rd", "rs1", "rs2", "tk", "tm", "tn"]


def test_operands_are_the_encoding_fields():
    for record in ALL:
        fields = {field.name for field in record.fields}
        assert fields == {o.name for o in record.operands if o.kind != "v0"}, record.name


def test_written_operands_are_the_targets_of_the_semantics():
    for record in ALL:
        targets = {s.target for s in record.statements} - {None, "tm", "tn", "tk"}
        assert targets == {o.name for o in record.operands if o.writes}, record.name
        read = {n for s in record.statements for n in statement_names(s)}
        # Who writes one row keeps the others.
        read |= {
            s.target for s in record.statements for part in s.subscripts
            if s.target and not isinstance(part, Range)
        }  # fmt: skip
        for operand in record.operands:
            # A near-memory operand is also a number: the same one counts the g registers.
            if operand.kind in ("g", "h", "s"):
                continue
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
