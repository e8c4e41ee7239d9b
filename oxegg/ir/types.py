"""Element types: the number formats that kernels, rules and machines speak about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import ml_dtypes
import numpy as np

Kind = Literal["float", "int", "uint", "bool"]


@dataclass(frozen=True, slots=True)
class ElementType:
    """One number format. ``precision`` counts significand bits, the hidden one included."""

    name: str
    kind: Kind
    bits: int
    precision: int = 0
    max_exponent: int = 0

    @property
    def is_float(self) -> bool:
        return self.kind == "float"

    @property
    def is_integer(self) -> bool:
        return self.kind in ("int", "uint")

    @property
    def is_signed(self) -> bool:
        return self.kind in ("int", "float")

    @property
    def bytes(self) -> int:
        """Bytes of one element in memory; a bool takes one."""
        return max(1, self.bits // 8)

    @property
    def numpy(self) -> np.dtype[Any]:
        return _NUMPY[self.name]

    @property
    def unit_roundoff(self) -> float:
        """u = 2**-precision: half the distance from 1.0 to the next number (floats only)."""
        return 2.0**-self.precision

    @property
    def minimum(self) -> int:
        """Smallest value of an integer type."""
        return -(1 << (self.bits - 1)) if self.kind == "int" else 0

    @property
    def maximum(self) -> int:
        """Largest value of an integer type (1 for bool)."""
        return (1 << (self.bits - (self.kind == "int"))) - 1

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        """Unpickled, a type is the same object: types are compared with ``is``."""
        return _named, (self.name,)


def _named(name: str) -> ElementType:
    return TYPES[name]


BOOL = ElementType("bool", "bool", 1)
I8, I16, I32, I64 = (ElementType(f"i{b}", "int", b) for b in (8, 16, 32, 64))
U8, U16, U32, U64 = (ElementType(f"u{b}", "uint", b) for b in (8, 16, 32, 64))
F16 = ElementType("f16", "float", 16, 11, 15)
BF16 = ElementType("bf16", "float", 16, 8, 127)
F32 = ElementType("f32", "float", 32, 24, 127)
F64 = ElementType("f64", "float", 64, 53, 1023)

TYPES: dict[str, ElementType] = {
    t.name: t for t in (BOOL, I8, I16, I32, I64, U8, U16, U32, U64, F16, BF16, F32, F64)
}
FLOATS = (F16, BF16, F32, F64)
INTEGERS = (I8, I16, I32, I64, U8, U16, U32, U64)

_NUMPY: dict[str, np.dtype[Any]] = {
    "bool": np.dtype(np.bool_),
    "i8": np.dtype(np.int8),
    "i16": np.dtype(np.int16),
    "i32": np.dtype(np.int32),
    "i64": np.dtype(np.int64),
    "u8": np.dtype(np.uint8),
    "u16": np.dtype(np.uint16),
    "u32": np.dtype(np.uint32),
    "u64": np.dtype(np.uint64),
    "f16": np.dtype(np.float16),
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
}
_FROM_NUMPY = {dtype: TYPES[name] for name, dtype in _NUMPY.items()}


def from_numpy(dtype: np.dtype[Any]) -> ElementType | None:
    """The element type of a NumPy dtype, or None when oxegg has no such format."""
    return _FROM_NUMPY.get(np.dtype(dtype))


def value_to_bits(value: float | int | bool, type_: ElementType) -> int:
    """The bit pattern of ``value`` rounded (float) or wrapped (integer) to ``type_``."""
    if type_.is_float:
        with np.errstate(over="ignore"):
            array = np.array(value, np.float64).astype(type_.numpy)
        return int.from_bytes(array.tobytes(), "little")
    return int(value) & ((1 << type_.bits) - 1)


def bits_to_value(bits: int, type_: ElementType) -> float | int | bool:
    """The number that a bit pattern stands for: the inverse of :func:`value_to_bits`."""
    if type_.is_float:
        raw = bits.to_bytes(type_.bytes, "little")
        return float(np.frombuffer(raw, type_.numpy)[0])
    if type_ is BOOL:
        return bool(bits)
    return bits - (1 << type_.bits) if type_.kind == "int" and bits > type_.maximum else bits
