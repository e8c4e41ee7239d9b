"""The scalar engine (RV64GC): which pointwise operations a scalar register can hold.

Integers live sign- or zero-extended in 64-bit registers; the emitter keeps them so. Operations
missing here reach the scalar engine through the algebra (``floor_divide`` as ``quotient``).
"""

from oxegg.ir.operations import OPERATIONS
from oxegg.ir.types import BF16, BOOL, F16, F32, F64, INTEGERS, TYPES, ElementType

SCALAR_FLOATS = (F16, F32, F64)
_FLOAT = ["neg", "abs", "add", "sub", "mul", "div", "minnum", "maxnum", "fma", "fms", "fnma", "sqrt", "reciprocal", "copysign", "eq", "ne", "lt", "le", "select"]
_INTEGER = ["neg", "add", "sub", "mul", "min", "max", "and", "or", "xor", "not", "shl", "shr", "quotient", "remainder", "eq", "ne", "lt", "le", "select"]
_BOOL = ["and", "or", "xor", "not", "eq", "ne"]


def supported() -> list[tuple[str, ElementType, ElementType | None]]:
    """(operation, operand type, target type of a conversion or None) of every scalar form."""
    rows: list[tuple[str, ElementType, ElementType | None]] = []
    for types, names in ((SCALAR_FLOATS, _FLOAT), (INTEGERS, _INTEGER), ((BOOL,), _BOOL)):
        rows += [(name, t, None) for t in types for name in names]
    rows += [(name, BF16, None) for name in ("neg", "abs", "copysign", "select")]  # bits only
    rows += [("convert", BF16, F32), ("convert", F32, BF16)]
    numbers = [t for t in TYPES.values() if t.name != "bf16"]
    for of in numbers:
        for to in numbers:
            if of is not to:
                rows.append(("convert", of, to))
            if of.is_float and to.is_integer:
                rows.append(("to_int", of, to))
            if of is not to and of.bits == to.bits and BOOL not in (of, to):
                rows.append(("bitcast", of, to))
    assert all(name in OPERATIONS for name, _, _ in rows)
    return rows
