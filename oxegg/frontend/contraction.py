"""Products with summed dimensions: matmul and its kin, einsum, tensordot."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from oxegg.errors import LoweringError
from oxegg.frontend.dtypes import Operand, as_value, cast, element_type, loop_types, result_type
from oxegg.frontend.reductions import inner_type, reduce_term
from oxegg.frontend.substitute import rename
from oxegg.frontend.value import Value, align, extent
from oxegg.ir import ElementType, pointwise
from oxegg.ir.types import BF16, BOOL, F32

Label = Hashable


def contract(
    values: Sequence[Value],
    labels: Sequence[Sequence[Label]],
    output: Sequence[Label],
    type_: ElementType,
) -> Value:
    """Multiply over shared labels and sum over labels that ``output`` lacks."""
    wide = F32 if type_ is BF16 else inner_type(type_)
    prepared = [v.with_term(cast(v.term, wide)) for v in values]
    prepared, labels = _without_repeats(prepared, labels)
    summed = list(dict.fromkeys(la for own in labels for la in own if la not in output))
    _check_lengths(prepared, labels)
    terms, dims = align(prepared, labels, [*output, *summed])
    product = terms[0]
    for term in terms[1:]:
        product = pointwise("and" if wide is BOOL else "mul", product, term)
    total = reduce_term("or" if wide is BOOL else "add", [dims[la] for la in summed], product)
    return Value(cast(total, type_), tuple(dims[la] for la in output))


def _check_lengths(values: Sequence[Value], labels: Sequence[Sequence[Label]]) -> None:
    lengths: dict[Label, int] = {}
    for value, own in zip(values, labels, strict=True):
        for label, length in zip(own, value.shape, strict=True):
            known = lengths.setdefault(label, length)
            if 1 not in (known, length) and known != length:
                shapes = " and ".join(str(v.shape) for v in values)
                raise LoweringError(
                    f"shapes {shapes} do not fit: lengths {known} and {length} meet"
                )
            lengths[label] = max(known, length)


def _without_repeats(
    values: Sequence[Value], labels: Sequence[Sequence[Label]]
) -> tuple[list[Value], list[list[Label]]]:
    """A label twice on one operand is its diagonal."""
    out: list[Value] = []
    kept: list[list[Label]] = []
    for value, own in zip(values, labels, strict=True):
        remaining = list(own)
        for label in dict.fromkeys(own):
            while remaining.count(label) > 1:
                first = remaining.index(label)
                second = remaining.index(label, first + 1)
                value = diagonal(value, first, second)
                del remaining[second]
        out.append(value)
        kept.append(remaining)
    return out, kept


def diagonal(value: Value, first: int, second: int) -> Value:
    """Positions where dimensions ``first`` and ``second`` (of one length) agree, at ``first``."""
    a, b = value.dims[first], value.dims[second]
    if extent(a) != extent(b):
        raise LoweringError(f"a diagonal of dimensions of lengths {extent(a)} and {extent(b)}")
    pair = [Value(value.term, (a,)), Value(value.term, (b,))]
    _, shared = align(pair, ["d", "d"], ["d"])
    dim = shared["d"]
    if len(a) != len(dim) or len(b) != len(dim):
        raise LoweringError("a diagonal of merged dimensions", hint="take it before the reshape")
    term = rename(value.term, dict(zip((*a, *b), (*dim, *dim), strict=True)))
    dims = [dim if i == first else d for i, d in enumerate(value.dims) if i != second]
    return Value(term, tuple(dims))


# gufunc -> labels of its two operands and of its result, after broadcast dimensions
PRODUCTS: dict[str, tuple[str, str, str]] = {
    "matmul": ("mk", "kn", "mn"),
    "vecdot": ("k", "k", ""),
    "matvec": ("mk", "k", "m"),
    "vecmat": ("k", "kn", "n"),
}


def product(name: str, ufunc: np.ufunc, operands: Sequence[Operand], dtype: Any = None) -> Value:
    """np.matmul, np.vecdot, np.matvec, np.vecmat."""
    left, right = (as_value(o) for o in operands)
    if not left.dims or not right.dims:
        raise LoweringError(f"np.{name} of a scalar", hint="use * for scalars")
    type_ = element_type(dtype) if dtype is not None else loop_types(ufunc, operands)[-1]
    a, b, out = PRODUCTS[name]
    if name == "matmul":
        a, b = a[-len(left.dims) :], b[: len(right.dims)]
        out = "".join(la for la in out if la in a + b)
    batch = max(len(left.dims) - len(a), len(right.dims) - len(b))
    _check_contracted(left, right, a, b)

    def labels(value: Value, core: str) -> list[Label]:
        rank = len(value.dims) - len(core)
        return [*range(batch - rank, batch), *core]

    return contract(
        [left, right], [labels(left, a), labels(right, b)], [*range(batch), *out], type_
    )


def _check_contracted(left: Value, right: Value, a: str, b: str) -> None:
    """Unlike broadcast dimensions, contracted ones of length one do not stretch."""
    k = left.shape[len(left.dims) - len(a) + a.index("k")]
    other = right.shape[len(right.dims) - len(b) + b.index("k")]
    if k != other:
        raise LoweringError(f"shapes {left.shape} and {right.shape} do not fit: {k} meets {other}")


def dot(left: Value, right: Value) -> Value:
    """np.dot: the last dimension of the left with the last but one of the right."""
    type_ = result_type(left, right)
    a = [f"l{i}" for i in range(len(left.dims))]
    b = [f"r{i}" for i in range(len(right.dims))]
    if a and b:
        k = max(len(b) - 2, 0)
        return tensordot(left, right, [len(a) - 1], [k])
    return contract([left, right], [a, b], [*a, *b], type_)


def tensordot(left: Value, right: Value, first: Sequence[int], second: Sequence[int]) -> Value:
    """np.tensordot over paired dimensions."""
    a: list[Label] = [f"l{i}" for i in range(len(left.dims))]
    b: list[Label] = [f"r{i}" for i in range(len(right.dims))]
    if len(first) != len(second):
        raise LoweringError("tensordot: the two lists of axes differ in length")
    for i, j in zip(first, second, strict=True):
        if left.shape[i] != right.shape[j]:
            raise LoweringError(f"shapes {left.shape} and {right.shape} do not fit")
        b[j] = a[i]
    paired = {a[i] for i in first}
    output = [la for la in (*a, *b) if la not in paired]
    return contract([left, right], [a, b], output, result_type(left, right))


def einsum(subscripts: str, values: Sequence[Value], type_: ElementType) -> Value:
    """np.einsum with letters and ellipses."""
    inputs, output = _parse(subscripts.replace(" ", ""), values)
    for la in output:
        if not any(la in own for own in inputs):
            raise LoweringError(f"einsum: output label {la} is on no operand")
    return contract(values, inputs, output, type_)


def _parse(text: str, values: Sequence[Value]) -> tuple[list[list[Label]], list[Label]]:
    left, arrow, right = text.partition("->")
    operands = left.split(",")
    if len(operands) != len(values):
        raise LoweringError(f"einsum: {len(operands)} operands named, {len(values)} given")
    depth = max(
        (len(v.dims) - len(o.replace("...", ""))) for o, v in zip(operands, values, strict=True)
    )
    depth = depth if "..." in left else 0

    def labels(operand: str, rank: int | None) -> list[Label]:
        before, dots, after = operand.partition("...")
        count = (depth if rank is None else rank - len(before) - len(after)) if dots else 0
        if (rank is not None and len(before) + len(after) + count != rank) or count < 0:
            raise LoweringError(f"einsum: {operand} does not fit an array of {rank} dimensions")
        return [*before, *range(depth - count, depth), *after]

    inputs = [labels(o, len(v.dims)) for o, v in zip(operands, values, strict=True)]
    if arrow:
        return inputs, labels(right, None)
    letters = [la for own in inputs for la in own if isinstance(la, str)]
    once = sorted(la for la in set(letters) if letters.count(la) == 1)
    return inputs, [*range(depth), *once]
