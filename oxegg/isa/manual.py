"""The ISA manual in Markdown, one page per extension, derived from the records."""

from collections.abc import Mapping

from oxegg.isa import semantics
from oxegg.isa.record import Instruction, Operand
from oxegg.isa.registers import CSR_NUMBERS
from oxegg.isa.table import TABLE

INDEX = "README.md"
DISCLAIMER = (
    "OXM-1 is defined by this project from public RISC-V specifications and published accelerator "
    "designs.\nIt is not OXMIQ's ISA: no OxCore ISA, register file, tile size, clock or bandwidth "
    "is public."
)
TITLES: Mapping[str, str] = {
    "I": "RV64I and Zifencei: base integer instructions",
    "M": "multiplication and division",
    "A": "atomic memory operations",
    "F": "binary32 floating point",
    "D": "binary64 floating point",
    "Zfh": "binary16 floating point",
    "Zba": "address arithmetic",
    "Zbb": "basic bit manipulation",
    "Zbs": "single bits",
    "Zicond": "conditional zero",
    "Zicsr": "control and status registers",
    "Privileged": "machine and supervisor mode",
    "V": "vectors, with Zvfh at SEW 16",
    "Zvfbfmin": "vector conversions between bfloat16 and binary32",
    "Zvfbfwma": "vector bfloat16 multiply-add",
    "Xoxt": "OXM-1: tensor tiles",
    "Xoxn": "OXM-1: near-memory units",
    "Xoxd": "OXM-1: DMA",
    "Xoxw": "OXM-1: SIMT",
}
ROLES = {"in": "read", "out": "written", "inout": "read and written"}
FILES = {
    "x": "integer register", "f": "float register", "v": "vector register", "t": "tile",
    "tr": "input tile", "acc": "accumulator", "g": "near-memory register g",
    "h": "near-memory register h", "s": "near-memory scalar", "mask": "optional mask v0.t",
    "v0": "mask v0", "imm": "constant", "label": "branch offset", "csr": "control register",
    "rm": "rounding mode", "vtype": "vtype",
}  # fmt: skip


def manual() -> dict[str, str]:
    """All pages, by file name."""
    return {INDEX: _index()} | {f"{name}.md": _page(name) for name in _extensions()}


def _extensions() -> list[str]:
    found = {record.extension for record in TABLE.values()}
    assert found == set(TITLES), "an extension without a title, or a title without an extension"
    return list(TITLES)


def _records(extension: str) -> list[Instruction]:
    return [record for record in TABLE.values() if record.extension == extension]


def _index() -> str:
    rows = [
        f"| [{name}]({name}.md) | {title} | {len(_records(name))} |"
        for name, title in TITLES.items()
    ]
    notation = (semantics.__doc__ or "").partition("\n\n")[2].strip()
    csrs = [f"| `{name}` | {number:#05x} |" for name, number in sorted(
        CSR_NUMBERS.items(), key=lambda item: item[1])]  # fmt: skip
    return "\n".join([
        "# OXM-1: the instruction set", "",
        "Written by `oxegg isa doc` from the records in `oxegg/isa`, which encoder, decoder,",
        "simulator and compiler are derived from as well. Do not edit.", "", DISCLAIMER, "",
        "| extension | content | instructions |", "|---|---|---:|", *rows, "",
        "## How to read the pages", "",
        "*Encoding*: fields from bit 31 down; `high..low=value` are fixed bits, names operands.",
        "Immediates that the word scrambles stand as a whole. *Timing*: the class that a machine",
        "file prices (`oxegg machines show NAME`). *Computes*: a short text.", "", notation, "",
        "## Control and status registers", "", "| name | number |", "|---|---|", *csrs, "",
    ])  # fmt: skip


def _page(extension: str) -> str:
    records = _records(extension)
    rows = [
        f"| {_code(f'{r.name} {r.syntax}'.strip())} | {_code(r.semantics)} | {_code(r.encoding)} "
        f"| {r.timing} |"
        for r in records
    ]
    return "\n".join([
        f"# {extension}: {TITLES[extension]}", "",
        f"{len(records)} instructions; [notation]({INDEX}). Written by `oxegg isa doc`.", "",
        *([DISCLAIMER, ""] if extension.startswith("Xox") else []),
        "| assembly | computes | encoding | timing |", "|---|---|---|---|", *rows, "",
        "## Operands", "", "| operand | where | meaning |", "|---|---|---|",
        *_operands(records), "",
    ])  # fmt: skip


def _operands(records: list[Instruction]) -> list[str]:
    """One row per distinct operand, with the names of a few instructions that have it."""
    users: dict[Operand, list[str]] = {}
    for record in records:
        for operand in record.operands:
            users.setdefault(operand, []).append(record.name)
    return [
        f"| {_code(operand.name)} | {_code(names[0])}{_others(names)} | {_meaning(operand)} |"
        for operand, names in users.items()
    ]


def _others(names: list[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""


def _meaning(operand: Operand) -> str:
    parts = [FILES[operand.kind]]
    if operand.kind == "v":
        if operand.width == 1:
            parts.append("of mask bits")
        elif operand.width:
            parts.append(f"of {operand.width}-bit elements")
        elif operand.ratio != 1:
            parts.append(f"of elements of {operand.ratio} * SEW")
        if operand.registers:
            parts.append(f"({operand.registers} registers)")
        if operand.fields > 1:
            parts.append(f"({operand.fields} fields)")
    elif operand.width and operand.is_register:
        parts.append(f"({operand.width} bits)")
    if operand.is_register:
        parts.append(f"- {ROLES[operand.role]}")
    return " ".join(parts)


def _code(text: str) -> str:
    """Text as code in a table cell."""
    return f"`{text.replace('|', chr(92) + '|')}`" if text else ""
