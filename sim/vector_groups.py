"""Register groups of a vector instruction: where they lie, and which encodings are reserved."""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from oxegg.isa import TABLE, Instruction, Operand, VType
from oxegg.isa.semantics import operations
from oxegg.sim import ieee
from oxegg.sim.faults import ReservedEncoding

NO_OVERLAP = ("slide_up", "slide1_up", "gather", "compress", "iota", "mask_before",
              "mask_including", "mask_only", "load_indexed")  # fmt: skip

TO_INTEGER = {"f_to_s", "f_to_u", "f_to_s_rtz", "f_to_u_rtz"}
FROM_INTEGER = {"s_to_f", "u_to_f"}
BFLOAT16 = {"bf16_widen", "bf16_narrow"}


@dataclass(frozen=True)
class Group:
    """A vector operand under a vtype: first register, registers, EMUL of one field, EEW."""

    operand: Operand
    register: int
    registers: int
    emul: Fraction
    width: int

    @property
    def span(self) -> range:
        return range(self.register, self.register + self.registers)


def groups_of(
    record: Instruction, values: tuple[int | bool, ...], vtype: VType
) -> dict[str, Group]:
    """Vector operands by name; raises ``ReservedEncoding`` for what RVV forbids."""
    # A copy, because the caller may change it.
    return dict(_groups_of(record.name, values, vtype))


@lru_cache(maxsize=1 << 14)
def _groups_of(name: str, values: tuple[int | bool, ...], vtype: VType) -> dict[str, Group]:
    record = TABLE[name]
    groups: dict[str, Group] = {}
    for operand, value in zip(record.operands, values, strict=True):
        if operand.kind != "v":
            continue
        width = operand.element_width(vtype.sew)
        emul = operand.emul(vtype.sew, vtype.lmul)
        count = operand.group(vtype.sew, vtype.lmul)
        group = Group(operand, int(value), count, emul, width)
        _check_group(record, group)
        groups[operand.name] = group
    masked = any(o.kind == "mask" and v for o, v in zip(record.operands, values, strict=True))
    _check_overlaps(record, groups, masked)
    if record.is_float:
        _check_formats(record, groups, vtype)
    return groups


def _check_formats(record: Instruction, groups: dict[str, Group], vtype: VType) -> None:
    """Refuse element widths that are no float format."""
    kinds = set(operations(record.statements[0].value))
    if kinds & TO_INTEGER:
        floats = [groups["vs2"].width]
    elif kinds & FROM_INTEGER:
        floats = [groups["vd"].width]
    else:
        floats = [g.width for g in groups.values() if g.width > 1]
        floats += [vtype.sew for operand in record.operands if operand.kind == "f"]
    if any(width not in ieee.FORMATS for width in floats):
        raise ReservedEncoding(f"there are no floats of {min(floats)} bits")
    if kinds & BFLOAT16 and vtype.sew != 16:
        raise ReservedEncoding("bfloat16 instructions need SEW 16")


def _check_group(record: Instruction, group: Group) -> None:
    single = group.operand.registers == 1
    if not single and (group.width > 64 or group.width < 8):
        raise ReservedEncoding(f"{group.operand.name} would have {group.width}-bit elements")
    if group.emul > 8 or group.emul < Fraction(1, 8) or group.registers > 8:
        raise ReservedEncoding(f"{group.operand.name} would be a group of {group.emul} registers")
    if group.register % max(1, int(group.emul)) or group.register + group.registers > 32:
        raise ReservedEncoding(
            f"{group.operand.name} = v{group.register} can't start a group of {group.registers}"
        )
    if single and group.operand.width is None and group.width > 64:
        raise ReservedEncoding(f"{group.operand.name} would be a {group.width}-bit element")


def _check_overlaps(record: Instruction, groups: dict[str, Group], masked: bool) -> None:
    target = next((g for g in groups.values() if g.operand.writes), None)
    if target is None:
        return
    single_result = target.operand.registers == 1
    carries = any(o.kind == "v0" for o in record.operands)
    if (masked or carries) and 0 in target.span and not single_result:
        raise ReservedEncoding("the destination overlaps the mask v0")
    strict = any(operation in record.semantics for operation in NO_OVERLAP) or (
        target.operand.fields > 1 and "indexed" in record.semantics
    )
    if strict and masked and 0 in target.span:
        raise ReservedEncoding("the destination overlaps the mask v0")
    for group in groups.values():
        shared = set(group.span) & set(target.span)
        if group is target or not shared:
            continue
        exclusive = strict and not ("load_indexed" in record.semantics
                                    and target.operand.fields == 1)  # fmt: skip
        if exclusive or not (record.is_reduction or _may_overlap(target, group)):
            raise ReservedEncoding(f"the destination overlaps {group.operand.name}")


def _may_overlap(target: Group, source: Group) -> bool:
    """RVV 1.0 section 5.2: equal EEW; narrower result at the bottom; wider result's top."""
    if target.width == source.width:
        return True
    if target.width < source.width:
        return target.register == source.register
    ends_together = target.span.stop == source.span.stop
    return source.emul >= 1 and ends_together and source.registers < target.registers


def scalar_sources(record: Instruction) -> tuple[str, ...]:
    """Names of the x, f and constant operands that the function takes, in assembly order.

    Memory operations take the base address first.
    """
    names = tuple(o.name for o in record.operands if o.kind in ("x", "f", "imm") and o.reads)
    return tuple(sorted(names, key=lambda name: name != "rs1")) if record.memory else names


def scalar_format(record: Instruction, sew: int) -> ieee.Format:
    """The format of a vector instruction's scalar float operand."""
    return ieee.BFLOAT16 if record.extension == "Zvfbfwma" else ieee.FORMATS[sew]
