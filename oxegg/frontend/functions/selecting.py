"""where, clip, rounding, copies and the arrays made like another."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from oxegg.errors import LoweringError
from oxegg.frontend.dtypes import (
    Operand,
    cast,
    element_type,
    operand_term,
    promotion_key,
    result_type,
)
from oxegg.frontend.elementwise import ELEMENTWISE, truth
from oxegg.frontend.joining import broadcast_to
from oxegg.frontend.traced import IN_PLACE, NO_VALUE, Traced, implements, operand, value_of
from oxegg.frontend.ufunc_methods import chosen
from oxegg.frontend.value import Value, elementwise
from oxegg.ir import ElementType, const, pointwise


@implements(np.where)
def _where(condition: Any, /, *choices: Any) -> Value:
    if len(choices) != 2:
        raise LoweringError(
            "np.where with one argument: the number of results depends on data",
            hint="np.where(condition, a, b) keeps the shape",
        )
    yes, no = (operand(c) for c in choices)
    type_ = result_type(yes, no)
    mask = value_of(condition)
    return chosen_terms(mask, operand_term(yes, type_), operand_term(no, type_))


def chosen_terms(mask: Value, yes: Value, no: Value) -> Value:
    """Elementwise choice by the truth of ``mask``."""
    asked = mask.with_term(truth(mask.term))
    return elementwise([asked, yes, no], partial(pointwise, "select"))


@implements(np.select)
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Value:
    choices = [operand(c) for c in choicelist]
    type_ = result_type(*choices, operand(default))
    found = operand_term(operand(default), type_)
    for mask, choice in reversed(list(zip(condlist, choices, strict=True))):
        found = chosen_terms(value_of(mask), operand_term(choice, type_), found)
    return found


@implements(np.clip)
def _clip(
    a: Any, a_min: Any = NO_VALUE, a_max: Any = NO_VALUE, out: Any = None, **rest: Any
) -> Any:
    low, high = rest.pop("min", a_min), rest.pop("max", a_max)
    value = value_of(a)
    bounds = [None if b is None or b is NO_VALUE else operand(b) for b in (low, high)]
    bounds = [_useful(b, value, i) for i, b in enumerate(bounds)]
    type_ = _clipped_type(value, *bounds)
    result = value.with_term(cast(value.term, type_))
    for name, bound in zip(("maximum", "minimum"), bounds, strict=True):
        if bound is not None:
            result = elementwise([result, operand_term(bound, type_)], ELEMENTWISE[name])
    if isinstance(out, Traced):
        out.assign(result.with_term(cast(result.term, out.value.type)))
        return out
    return result


def _clipped_type(value: Value, *bounds: Operand | None) -> ElementType:
    """NumPy's result type: with both bounds its ufunc clip decides, which lacks bfloat16."""
    examples: list[Any] = [None if o is None else _example(o) for o in (value, *bounds)]
    try:
        return element_type(np.clip(*examples).dtype)
    except TypeError as error:
        raise LoweringError(f"np.clip is not defined on {value.type.numpy}") from error


def _example(operand: Operand) -> Any:
    key = promotion_key(operand)
    return key(0) if isinstance(key, type) else np.zeros((), key)


def _useful(bound: Any, value: Value, side: int) -> Any:
    """A Python integer beyond the range of the array's type bounds nothing."""
    type_ = value.type
    if type(bound) is not int or not type_.is_integer:
        return bound
    idle = bound <= type_.minimum if side == 0 else bound >= type_.maximum
    return None if idle else bound


@implements(np.round, np.around)
def _round(a: Any, decimals: int = 0, out: Any = None) -> Value:
    del out
    value = value_of(a)
    if not value.type.is_float:
        return value
    if decimals == 0:
        return value.with_term(pointwise("rint", value.term))
    factor = const(10.0 ** abs(decimals), value.type)
    there, back = ("mul", "div") if decimals > 0 else ("div", "mul")
    rounded = pointwise("rint", pointwise(there, value.term, factor))
    return value.with_term(pointwise(back, rounded, factor))


@implements(np.nan_to_num)
def _nan_to_num(
    x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None
) -> Value:
    del copy
    value = value_of(x)
    if not value.type.is_float:
        return value
    largest = (2.0 - 2.0 ** (1 - value.type.precision)) * 2.0**value.type.max_exponent
    replaced = value.term
    for sign, to in ((1, posinf), (-1, neginf)):
        hit = pointwise("eq", value.term, const(sign * float("inf"), value.type))
        number = sign * largest if to is None else to
        replaced = pointwise("select", hit, const(number, value.type), replaced)
    missing = pointwise("ne", value.term, value.term)
    return value.with_term(pointwise("select", missing, const(nan, value.type), replaced))


@implements(np.copy)
def _copy(a: Any, order: str = "K", subok: bool = False) -> Value:
    del order, subok
    return value_of(a)


@implements(np.astype)
def _astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Value:
    del copy, device
    value = value_of(x)
    return value.with_term(cast(value.term, element_type(dtype)))


def _filled(number: Any) -> Any:
    def handler(
        a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None
    ) -> Any:
        del order, subok
        model = value_of(a)
        type_ = model.type if dtype is None else element_type(dtype)
        filled = Value(const(number, type_))
        return (
            broadcast_to(filled, shape) if shape is not None else replace(model, term=filled.term)
        )

    return handler


implements(np.zeros_like, np.empty_like)(_filled(0))
implements(np.ones_like)(_filled(1))


@implements(np.full_like)
def _full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
) -> Value:
    del order, subok
    model, number = value_of(a), value_of(fill_value)
    type_ = model.type if dtype is None else element_type(dtype)
    filled = number.with_term(cast(number.term, type_))
    return broadcast_to(filled, model.shape if shape is None else shape)


@implements(np.copyto)
def _copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    del casting
    new, old = value_of(src), dst.value
    stored = broadcast_to(new.with_term(cast(new.term, old.type)), old.shape)
    dst.assign(stored if where is True else chosen(where, stored, old))


IN_PLACE.add(np.copyto)


@implements(np.result_type)
def _result_type(*arrays_and_dtypes: Any) -> np.dtype[Any]:
    keys = [promotion_key(operand(x)) if isinstance(x, Traced) else x for x in arrays_and_dtypes]
    return np.result_type(*keys)


@implements(np.real, np.conjugate)
def _real(val: Any) -> Value:
    return value_of(val)


@implements(np.iscomplexobj)
def _is_complex(x: Any) -> bool:
    del x
    return False


@implements(np.isrealobj)
def _is_real(x: Any) -> bool:
    return not _is_complex(x)
