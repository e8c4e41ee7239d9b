"""The C header of a kernel."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Literal

from oxegg.emit.assembler import CONSTANT_ALIGNMENT
from oxegg.emit.banked import BankLayout
from oxegg.emit.packing import packing_routine
from oxegg.errors import EmitError

# bfloat16 has no portable name in C: its bits travel as uint16_t.
C_TYPES: Mapping[str, str] = {
    "float16": "_Float16",
    "bfloat16": "uint16_t",
    "float32": "float",
    "float64": "double",
    "bool": "uint8_t",
    **{f"{sign}int{bits}": f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}

_NO_BANKS: Mapping[str, BankLayout] = MappingProxyType({})


@dataclass(frozen=True)
class Parameter:
    """``shape`` is empty for a 0-dimensional array; ``dtype`` a NumPy or ml_dtypes name."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    role: Literal["input", "output", "scalar"]


def header(
    name: str,
    parameters: Sequence[Parameter],
    scratch_bytes: int = 0,
    banked: Mapping[str, BankLayout] = _NO_BANKS,
) -> str:
    """A C and C++ header with the prototype of kernel ``name``.

    ``parameters`` are in the order of the call; ``scratch_bytes`` > 0 adds a last ``void *``;
    ``banked`` are the layouts of parameters that lie in near-memory banks.
    """
    guard = f"{name.upper()}_H"
    lines = [
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        "#include <stdint.h>",
        "",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "",
        *_comment(name, parameters, scratch_bytes, banked),
        *_prototype(name, parameters, scratch_bytes),
        "",
        *_packing(name, parameters, banked),
        "#ifdef __cplusplus",
        "}",
        "#endif",
        "",
        "#endif",
    ]
    return "\n".join(lines) + "\n"


def _comment(
    kernel: str,
    parameters: Sequence[Parameter],
    scratch_bytes: int,
    banked: Mapping[str, BankLayout],
) -> Iterator[str]:
    yield "/*"
    yield f" * All arrays are dense, row-major and {CONSTANT_ALIGNMENT}-byte aligned."
    yield " * No two of them may overlap."
    yield " *"
    for parameter in parameters:
        shape = "x".join(str(size) for size in parameter.shape) or "one element"
        if parameter.role != "scalar":
            note = ", the bits" if parameter.dtype == "bfloat16" else ""
            banks = ", in near-memory banks" if parameter.name in banked else ""
            kind = f"{parameter.dtype}{note}, {shape}{banks}"
            yield f" * {parameter.name}: {parameter.role}, {kind}"
    if banked:
        yield " * Banks: an equal part in each, in order, zeros behind the last element. Parts are"
        yield " * cut into chunks that take turns with those of other arrays. The pointer is to the"
        yield " * first chunk in the first bank."
        for name, at in banked.items():
            yield (
                f" * {name}: {at.banks} banks, {at.part} bytes in each, chunks of {at.chunk} bytes"
                f" {at.stride} bytes apart, the first {at.offset} bytes into the bank"
                + (f", in pieces of {at.piece} every {at.pitch}" if at.piece < at.chunk else "")
                + (f"; laid out by {kernel}_pack_{name}" if at.blocks else "")
            )
    if scratch_bytes:
        aligned = f"{CONSTANT_ALIGNMENT}-byte aligned"
        yield f" * scratch: {scratch_bytes} bytes of working memory, {aligned}"
    yield " */"


def _prototype(name: str, parameters: Sequence[Parameter], scratch_bytes: int) -> Iterator[str]:
    declarations = [_declaration(parameter) for parameter in parameters]
    if scratch_bytes:
        yield f"#define {name.upper()}_SCRATCH_BYTES {scratch_bytes}"
        declarations.append("void *scratch")
    yield f"void {name}({', '.join(declarations) or 'void'});"


def _packing(
    name: str, parameters: Sequence[Parameter], banked: Mapping[str, BankLayout]
) -> Iterator[str]:
    for parameter in parameters:
        layout = banked.get(parameter.name)
        if layout is not None and layout.blocks:
            yield from packing_routine(name, parameter.name, C_TYPES[parameter.dtype], layout)
            yield ""


def _declaration(parameter: Parameter) -> str:
    c_type = C_TYPES.get(parameter.dtype)
    if c_type is None:
        raise EmitError(
            f"{parameter.name} has type {parameter.dtype}, which C doesn't know",
            hint=f"use one of {', '.join(C_TYPES)}",
        )
    if parameter.role == "scalar":
        return f"{c_type} {parameter.name}"
    constant = "const " if parameter.role == "input" else ""
    size = f" /* {prod(parameter.shape)} */" if parameter.shape else ""
    return f"{constant}{c_type} *{parameter.name}{size}"
