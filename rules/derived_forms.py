"""Instruction selection read off the ISA records: rows that nobody has to write.

For each vector instruction that works element by element, its record's semantics as algebra
(:mod:`oxegg.rules.record_algebra`) at every element type, and the form that issues it. A record
added to the ISA is thereby selected wherever it pays; ``oxegg rules prove`` holds each row against
the record, to the bit.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from oxegg.ir.types import BOOL, ElementType
from oxegg.isa.record import Instruction, Operand
from oxegg.isa.semantics import FLOAT, operations
from oxegg.rules.pattern import Apply, Pattern, Variable, apply, names_in
from oxegg.rules.pattern import Kind as RuleKind
from oxegg.rules.record_algebra import FLOATS, SIGNED, UNSIGNED, Kind, NotDerivableError, Reading
from oxegg.rules.selection import Encoding, Form, Place, Selection

_VARIABLES = ("x", "y", "z", "w")
ACCUMULATING = ("add", "mul", "min", "max", "and", "or", "xor", "minnum", "maxnum")


def derived_selections(records: Iterable[Instruction]) -> Iterator[Selection]:
    """A row for each record and choice of element types at which it computes pointwise algebra."""
    for record in records:
        if not _is_elementwise(record):
            continue
        reads = [o for o in record.operands if o.reads and o.kind != "mask"]
        known: set[str] = set()
        for sew, kinds in itertools.product(SIGNED, _kinds(record, len(reads))):
            for row in _rows(record, reads, sew, kinds):
                if row.form.key not in known:
                    known.add(row.form.key)
                    yield row


def _is_elementwise(record: Instruction) -> bool:
    targets = [o.name for o in record.operands if o.kind == "v" and o.writes]
    if not record.is_vector or record.memory or len(record.statements) != 1:
        return False
    (statement,) = record.statements
    return [statement.target] == targets and not statement.subscripts


def _kinds(record: Instruction, reads: int) -> Iterable[tuple[Kind, ...]]:
    """Kinds of the result and of what is read, as far as the operations tell."""
    (statement,) = record.statements
    if any(name in FLOAT for name in operations(statement.value)):
        return [(FLOATS,) * (reads + 1)]
    return itertools.product((SIGNED, UNSIGNED), repeat=reads + 1)


def _rows(
    record: Instruction, reads: list[Operand], sew: int, kinds: tuple[Kind, ...]
) -> Iterator[Selection]:
    try:
        reading = _reading(record, reads, sew, kinds)
        pattern = reading.result()
        if not isinstance(pattern, Apply) or _reinterprets(pattern):
            return  # a move; or bits read as numbers of the other kind: another row says it better
        yield _selection(reading, pattern)
        yield from _accumulated(reading, pattern)
    except NotDerivableError:
        return


def _selection(reading: Reading, pattern: Apply) -> Selection:
    tied = next((o.name for o in reading.record.operands if o.role == "inout"), None)
    return Selection(pattern, _form(reading, names_in(pattern), tied))


def _accumulated(reading: Reading, pattern: Apply) -> Iterator[Selection]:
    """The row of a reduction, where the destination is added to, or compared with, a value."""
    tied = next((o.name for o in reading.record.operands if o.role == "inout"), None)
    if tied is None:
        return
    kind: RuleKind = "exact"
    total, name = reading.operands[tied][0], pattern.operator
    rest = [child for child in pattern.children if child != total]
    if name == "fma" and pattern.children[2] == total:
        # One rounding instead of two: the same over the reals.
        rest, kind, name = [apply("mul", *rest, of=reading.type)], "real", "add"
    body = rest[0]
    if name not in ACCUMULATING or len(rest) != 1 or total.name in names_in(body):
        return
    form = _form(reading, {*names_in(body), total.name}, tied, accumulator="acc")
    yield Selection(body, form, kind, name)


def _form(
    reading: Reading, used: set[str], tied: str | None, accumulator: str | None = None
) -> Form:
    """Operands in assembly order, the overwritten one last."""
    words: list[str] = []
    pairs: list[tuple[str, Place]] = []
    last: list[tuple[str, Place]] = []
    for operand in reading.record.operands:
        if operand.kind == "mask":
            continue
        if operand.name not in reading.operands:
            words.append("d")
            continue
        variable, place, _ = reading.operands[operand.name]
        if variable.name not in used:
            raise NotDerivableError("an operand without effect")
        if operand.name == tied:
            words.append("d")
            last.append((accumulator or variable.name, place))
        else:
            words.append(variable.name)
            pairs.append((variable.name, place))
    operands = (*pairs, *last)
    places = "".join(place for _, place in operands)
    names = "-".join(name for name, _ in operands)
    width = _element(reading.sew, reading.type)
    key = f"{reading.record.name}/{names}/{places}/{width}/{reading.type}"
    encoding = Encoding(reading.record.name, tuple(words), last[0][0] if last else None)
    return Form(
        key, operands, (encoding,), width, reading.type, "m" if reading.type is BOOL else "v"
    )


def _reading(
    record: Instruction, reads: list[Operand], sew: int, kinds: tuple[Kind, ...]
) -> Reading:
    """Types of the result and of the operands, as ``kinds`` has them."""
    if len(reads) > len(_VARIABLES):
        raise NotDerivableError("more operands than a form has")
    operands: dict[str, tuple[Variable, Place, ElementType]] = {}
    for variable, operand, kind in zip(_VARIABLES, reads, kinds[1:], strict=False):
        type_, place = _operand_type(operand, sew, kind)
        operands[operand.name] = Variable(variable), place, type_
    (target,) = (o for o in record.operands if o.writes)
    return Reading(record, sew, operands, _result_type(target, sew, kinds[0]))


def _operand_type(operand: Operand, sew: int, kind: Kind) -> tuple[ElementType, Place]:
    if operand.kind == "v" and operand.width is None and operand.registers is None:
        bits = operand.element_width(sew)
        if bits in kind:
            return kind[bits], "v"
    file = "f" if kind is FLOATS else "x"
    if operand.kind == file and sew in kind:
        return kind[sew], "s"
    raise NotDerivableError(f"operand {operand.name}")


def _result_type(target: Operand, sew: int, kind: Kind) -> ElementType:
    if target.width == 1:
        return BOOL
    bits = target.element_width(sew)
    if target.width is not None or target.registers is not None or bits not in kind:
        raise NotDerivableError("a result of fixed width")
    return kind[bits]


def _element(sew: int, type_: ElementType) -> ElementType:
    """The element type that sets the vector type."""
    return (FLOATS if type_.is_float else SIGNED if type_.is_signed else UNSIGNED)[sew]


def _reinterprets(pattern: Pattern) -> bool:
    """Whether some integer is read as one of the other sign (extending unsigned ones is none)."""
    if not isinstance(pattern, Apply):
        return False
    of, to = pattern.operand_type, pattern.type
    if pattern.operator == "convert" and of is not None and to is not None and of.is_integer:
        narrows = of.bits > to.bits
        if not narrows and of.is_signed != to.is_signed and (of.is_signed or of.bits == to.bits):
            return True
    return any(_reinterprets(child) for child in pattern.children)
