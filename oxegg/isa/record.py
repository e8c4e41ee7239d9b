"""One frozen record per instruction, and the short notation that the table modules write it in.

A record holds what a person would look up in the ISA manual: assembly text, encoding, operands and
their roles, what the instruction computes, and the name of its timing class. Everything else
(encoder, decoder, interpreter, scheduler uses and definitions) is derived from it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from typing import Literal

from oxegg.isa.fields import FIELDS, Field, parse_encoding
from oxegg.isa.semantics import Statement, parse

Kind = (
    Literal["x", "f", "v", "mask", "v0", "imm", "label", "csr", "rm", "vtype"]
    | Literal["t", "tr", "acc", "g", "h", "s"]
)
Role = Literal["in", "out", "inout"]


@dataclass(frozen=True)
class Operand:
    """One operand, in assembly order.

    ``kind`` names the register file or the sort of constant: ``mask`` is the optional ``v0.t``,
    ``v0`` a mask that is always read, ``t`` a tile (0-7) or accumulator (16-19). Tile-like operands
    carry the number of the encoding, so accumulators are 16-19 everywhere.

    For ``f``: ``width`` is the format in bits. For ``v``: the element width is ``width`` bits when
    given, else ``ratio * SEW`` (2 in a widened result, 1/2 in the source of ``vzext.vf2``); the
    group has ``registers`` registers when given, else ``fields * max(1, EEW / SEW * LMUL)``.
    A mask register has ``width`` 1. ``default`` is the value of a trailing operand left out.
    """

    name: str
    kind: Kind
    role: Role = "in"
    width: int | None = None
    ratio: Fraction = Fraction(1)
    registers: int | None = None
    fields: int = 1
    default: int | None = None

    @property
    def is_register(self) -> bool:
        """Whether the value is a register number that the instruction names freely."""
        return self.kind in ("x", "f", "v", "t", "tr", "acc", "g", "h", "s")

    @property
    def reads(self) -> bool:
        return self.role != "out"

    @property
    def writes(self) -> bool:
        return self.role != "in"

    def element_width(self, sew: int) -> int:
        """Element width in bits of a vector operand under ``sew``."""
        return self.width if self.width is not None else int(sew * self.ratio)

    def emul(self, sew: int, lmul: Fraction) -> Fraction:
        """Registers of one field of a vector operand; below 1 when it fills part of a register."""
        if self.registers is not None:
            return Fraction(self.registers)
        return Fraction(self.element_width(sew), sew) * lmul

    def group(self, sew: int, lmul: Fraction) -> int:
        """Number of whole registers that a vector operand occupies."""
        return self.fields * max(1, int(self.emul(sew, lmul)))


@dataclass(frozen=True)
class Instruction:
    """One instruction of the ISA.

    ``encoding`` is in riscv-opcodes syntax, ``syntax`` is the operand part of the assembly text
    with field names for operands, ``semantics`` a statement list (see ``oxegg.isa.semantics``;
    empty where the manual page is all there is so far), ``timing`` the name of a class that a
    machine file prices, ``memory`` the direction of the memory access.
    """

    name: str
    extension: str
    encoding: str
    syntax: str
    operands: tuple[Operand, ...]
    semantics: str
    timing: str
    memory: Literal["load", "store"] | None = None

    @cached_property
    def operand(self) -> Mapping[str, Operand]:
        """The operands by name."""
        return {operand.name: operand for operand in self.operands}

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The variable fields of the encoding."""
        return parse_encoding(self.encoding)[2]

    @cached_property
    def mask(self) -> int:
        """The bits of the word that are fixed."""
        return parse_encoding(self.encoding)[0]

    @cached_property
    def match(self) -> int:
        """The values of the fixed bits."""
        return parse_encoding(self.encoding)[1]

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """The semantics as expression trees; empty when there are none."""
        return parse(self.semantics)

    @property
    def is_vector(self) -> bool:
        """Whether the instruction goes to the vector unit (vsetvli and its kin don't)."""
        return not self.is_custom and any(operand.kind == "v" for operand in self.operands)

    @property
    def is_float(self) -> bool:
        """Whether the instruction needs the float state: scalar, or OPFVV and OPFVF of OP-V."""
        float_vector = self.match & 0x7F == 0x57 and self.match >> 12 & 7 in (1, 5)
        return float_vector or any(operand.kind == "f" for operand in self.operands)

    @property
    def is_custom(self) -> bool:
        """Whether one of OXM-1's own engines executes the instruction."""
        return self.extension.startswith("Xox")

    @property
    def is_branch(self) -> bool:
        """Whether the instruction ends a basic block with a target."""
        return self.timing in ("branch", "jump")

    @property
    def reads_v0(self) -> bool:
        """Whether v0 is, or with ``v0.t`` can be, an implicit source."""
        return any(operand.kind in ("mask", "v0") for operand in self.operands)

    @property
    def writes_mask(self) -> bool:
        """Whether the destination is a mask register (its tail is always agnostic)."""
        return any(o.kind == "v" and o.writes and o.width == 1 for o in self.operands)

    @property
    def is_reduction(self) -> bool:
        """Whether the result is one element folded from a vector."""
        return self.timing.startswith(("vreduce", "vfreduce"))


OPERAND = re.compile(
    r"(?P<inout>\+?)(?P<name>[a-z]\w*)(?P<scale>[*/]\d)?(:(?P<tag>[a-z]+)?(?P<size>\d+)?)?"
    r"(\^(?P<fields>\d))?"
)
DEFAULT_KINDS: dict[str, Kind] = {
    "rd": "x", "rs1": "x", "rs2": "x", "rs3": "x",
    "vd": "v", "vs1": "v", "vs2": "v", "vs3": "v", "vm": "mask", "v0": "v0",
    "rm": "rm", "csr": "csr", "vtypei": "vtype", "vtypei10": "vtype",
    "offset12": "label", "offset20": "label",
}  # fmt: skip
DESTINATIONS = ("rd", "vd")
# Tags whose number is the width of the operand's elements.
SIZED_TAGS = ("f", "e", "v", "t", "tr", "acc")
# Unmasked; a mask that must be there; the dynamic rounding mode.
DEFAULTS: dict[str, int] = {"mask": 0, "v0": 1, "rm": 7}


@cache
def operands_of(syntax: str, *, reads_rd: bool = False) -> tuple[Operand, ...]:
    """Operands of an assembly pattern such as ``"+vd*2, vs1, vs2, vm"`` or ``"rd, imm12(rs1)"``.

    ``+`` marks a destination that is also read; ``:f32`` a float format; ``:acc32`` another
    register file and the width of its elements; ``*2`` and ``/2`` the element width relative to
    SEW; ``:e16`` a fixed element width;
    ``:r4`` a fixed number of registers; ``:mask`` and ``:element`` one register that holds mask
    bits or a single element; ``:exact`` a rounding mode without effect; a trailing ``^3`` three
    segment fields.
    """
    return tuple(_operand(match, reads_rd) for match in OPERAND.finditer(syntax))


def _operand(match: re.Match[str], reads_rd: bool) -> Operand:
    name, tag = match["name"], match["tag"]
    size = int(match["size"]) if match["size"] else None
    role: Role = "out" if name in DESTINATIONS and not reads_rd else "in"
    if match["inout"]:
        role = "inout"
    kind: Kind = DEFAULT_KINDS.get(name, "imm")
    if tag in ("x", "f", "t", "tr", "acc", "g", "h", "s", "v"):
        kind = tag
    ratio = Fraction(1)
    if match["scale"]:
        factor = int(match["scale"][1:])
        ratio = Fraction(factor) if match["scale"][0] == "*" else Fraction(1, factor)
    width = size if tag in SIZED_TAGS else 1 if tag == "mask" else None
    registers = {"r": size, "mask": 1, "element": 1}.get(tag or "")
    fields = int(match["fields"]) if match["fields"] else 1
    # A conversion that is always exact is written without a rounding mode, which then means 0.
    default = 0 if tag == "exact" else DEFAULTS.get(kind)
    return Operand(name, kind, role, width, ratio, registers, fields, default)


@cache
def assembly_fields(syntax: str) -> str:
    """The assembly pattern with bare operand names: ``"+vd*2, (rs1)"`` becomes ``"vd, (rs1)"``."""
    return OPERAND.sub(lambda match: match["name"], syntax)


def instruction(
    name: str,
    extension: str,
    encoding: str,
    syntax: str,
    semantics: str,
    timing: str,
    memory: Literal["load", "store"] | None = None,
    *,
    reads_rd: bool = False,
) -> Instruction:
    """A record whose operands are read off ``syntax``; ``reads_rd`` when rd is a source."""
    operands = operands_of(syntax, reads_rd=reads_rd)
    plain = assembly_fields(syntax)
    unknown = [o.name for o in operands if o.name not in FIELDS and o.kind != "v0"]
    assert not unknown, f"{name}: no such encoding field: {unknown}"
    return Instruction(name, extension, encoding, plain, operands, semantics, timing, memory)
