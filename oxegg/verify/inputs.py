"""Input sets: seeded arrays for a kernel's parameters that look for different kinds of error.

Random numbers alone find few numerical bugs, so there are sums that cancel, wide exponents,
special values, integers at the ends of their range, constants and ramps. Magnitudes are scaled to
the kernel (how many factors its products have, how long its sums are) so that most results stay
finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.ir import ElementType, Kernel, topological
from oxegg.ir.types import BOOL
from oxegg.verify.ranges import exponent_limit, index_limits

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class InputSet:
    """One array per parameter (by name, in its memory layout)."""

    name: str
    arrays: Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class _Parameter:
    """What the generators need to know about one parameter.

    ``exponent``: magnitudes stay within 2**-exponent .. 2**exponent. ``paired``: the dimension
    that sums run along. ``index_limit``: for indices, the size of the axis that they point into.
    """

    position: int
    type: ElementType
    shape: tuple[int, ...]
    exponent: int
    paired: int
    index_limit: int | None


Generator = Callable[[np.random.Generator, _Parameter], Array]


def input_sets(
    kernel: Kernel, *, seed: int = 0, nonfinite: bool = False, count: int | None = None
) -> list[InputSet]:
    """All input sets for ``kernel``, or the first ``count``, the most telling ones first.

    ``nonfinite``: also one with infinities, NaNs and numbers near overflow (mode ``exact``).
    """
    parameters = _parameters(kernel)
    kinds = [kind for kind in _KINDS if nonfinite or kind != "nonfinite"]
    sets: list[InputSet] = []
    for kind in kinds[:count]:
        arrays: dict[str, Array] = {}
        for name, parameter in parameters.items():
            rng = np.random.default_rng([seed, _KINDS_ORDER[kind], parameter.position])
            arrays[name] = _array(kind, rng, parameter)
        sets.append(InputSet(kind, arrays))
    return sets


def _parameters(kernel: Kernel) -> dict[str, _Parameter]:
    terms = list(topological([out.value for out in kernel.outputs]))
    summed = {t.attributes[1] for t in terms if t.operator in ("reduce", "scan")}
    summed |= {t.attributes[0] for t in terms if t.operator == "fold"}
    limits = index_limits(terms)
    found: dict[str, _Parameter] = {}
    for position, term in enumerate(kernel.inputs):
        name, layout = term.attributes
        along = [i for i, axis in enumerate(layout) if axis in summed]
        found[name] = _Parameter(
            position,
            term.type,
            tuple(axis.size for axis in layout),
            exponent_limit(terms, term.type),
            along[0] if along else len(layout) - 1,
            limits.get(id(term)),
        )
    return found


def _array(kind: str, rng: np.random.Generator, parameter: _Parameter) -> Array:
    floats, integers, bools = _KINDS[kind]
    if parameter.type is BOOL:
        return np.asarray(bools(rng, parameter), np.bool_).reshape(parameter.shape)
    if parameter.index_limit is not None:
        values = _indices(rng, parameter, parameter.index_limit, kind)
    elif parameter.type.is_float:
        values = floats(rng, parameter)
    else:
        values = integers(rng, parameter)
    with np.errstate(all="ignore"):
        return values.astype(parameter.type.numpy).reshape(parameter.shape)


def _count(parameter: _Parameter) -> int:
    return math.prod(parameter.shape)


def _indices(rng: np.random.Generator, parameter: _Parameter, limit: int, kind: str) -> Array:
    n = _count(parameter)
    if kind == "ramp":
        return np.arange(n) % limit
    if kind == "special":
        return rng.choice([0, limit - 1], n)
    return rng.integers(0, limit, n)


# ------------------------------------------------------------------ floats


def _normal(rng: np.random.Generator, p: _Parameter) -> Array:
    return rng.standard_normal(_count(p))


def _uniform(rng: np.random.Generator, p: _Parameter) -> Array:
    return rng.uniform(-1, 1, _count(p))


def _positive(rng: np.random.Generator, p: _Parameter) -> Array:
    return rng.uniform(0.5, 2, _count(p))


def _wide(rng: np.random.Generator, p: _Parameter) -> Array:
    """Exponents spread evenly over the whole permitted range."""
    exponent = rng.uniform(-p.exponent, p.exponent, _count(p))
    return rng.choice([-1.0, 1.0], _count(p)) * np.exp2(exponent)


def _cancelling(rng: np.random.Generator, p: _Parameter) -> Array:
    """Along the summed axis pairs x, -x (1 + tiny); in later parameters pairs y, y.

    Sums of the first parameter, and of its products with the others, have condition numbers up to
    about 2**precision.
    """
    values = rng.standard_normal(_count(p)).reshape(p.shape)
    if not p.shape:
        return values
    rows = np.moveaxis(values, p.paired, 0)
    odd = rows[1::2]
    if p.position == 0:
        tiny = np.exp2(-rng.integers(4, max(5, p.type.precision), odd.shape))
        odd[...] = -rows[: 2 * len(odd) : 2] * (1 + tiny)
    else:
        odd[...] = rows[: 2 * len(odd) : 2]
    return values


def _special(rng: np.random.Generator, p: _Parameter) -> Array:
    """Zeros of both signs, powers of two, small integers; now and then a large or tiny number."""
    large = 2.0**p.exponent
    odd = [large, -large, 1 / large]
    if p.exponent >= p.type.max_exponent - _SUBNORMAL_ROOM:
        odd += [_smallest(p), -3 * _smallest(p)]
    plain = rng.choice([0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 3.0, 0.5, 0.1], _count(p))
    return np.where(_rare(rng, p, 1), rng.choice(odd, _count(p)), plain)


# Subnormals only where the kernel multiplies nothing with them: products would all be excluded.
_SUBNORMAL_ROOM = 40


def _smallest(p: _Parameter) -> float:
    """Smallest subnormal."""
    return 2.0 ** max(2 - p.type.max_exponent - p.type.precision, -1074)


def _rare(rng: np.random.Generator, p: _Parameter, per_row: float) -> Array:
    """True ``per_row`` times in a summed row (more would drown the other addends)."""
    row = p.shape[p.paired] if p.shape else 1
    return rng.random(_count(p)) < min(0.3, per_row / row)


def _nonfinite(rng: np.random.Generator, p: _Parameter) -> Array:
    """Ordinary numbers with infinities, NaNs, subnormals and numbers near overflow among them."""
    large, smallest = 2.0 ** (p.type.max_exponent - 1), _smallest(p)
    odd = [np.inf, -np.inf, np.nan, large, -large, smallest, -smallest, 0.0, -0.0, 1.0]
    return np.where(_rare(rng, p, 4), rng.choice(odd, _count(p)), _normal(rng, p))


def _constant(rng: np.random.Generator, p: _Parameter) -> Array:
    return np.full(_count(p), rng.choice([0.0, 0.75, 1.0, -1.5]))


def _ramp(rng: np.random.Generator, p: _Parameter) -> Array:
    """Small integers in order: a permuted or missing element shows, sums are exact."""
    del rng
    return np.arange(_count(p)) % 17 - 8.0 + p.position


# ------------------------------------------------------------------ integers and bools


def _small_integers(rng: np.random.Generator, p: _Parameter) -> Array:
    return rng.integers(0 if p.type.kind == "uint" else -8, 9, _count(p))


def _any_integers(rng: np.random.Generator, p: _Parameter) -> Array:
    return rng.integers(p.type.minimum, p.type.maximum, _count(p), p.type.numpy, endpoint=True)


def _edge_integers(rng: np.random.Generator, p: _Parameter) -> Array:
    low, high = p.type.minimum, p.type.maximum
    edges = [low, low + 1, high, high - 1, 0, 1, high // 2 + 1, max(low, -1)]
    return rng.choice(np.array(edges, p.type.numpy), _count(p))


def _constant_integers(rng: np.random.Generator, p: _Parameter) -> Array:
    return np.full(_count(p), rng.integers(0, 4))


def _ramp_integers(rng: np.random.Generator, p: _Parameter) -> Array:
    del rng
    return np.arange(_count(p)) % 127 + p.position % 2


def _coin(rng: np.random.Generator, p: _Parameter) -> Array:
    return rng.random(_count(p)) < 0.5


def _all_true(rng: np.random.Generator, p: _Parameter) -> Array:
    del rng
    return np.ones(_count(p), np.bool_)


def _all_false(rng: np.random.Generator, p: _Parameter) -> Array:
    del rng
    return np.zeros(_count(p), np.bool_)


# Most telling first: a large kernel is only run on the head of this table.
_KINDS: dict[str, tuple[Generator, Generator, Generator]] = {
    "normal": (_normal, _any_integers, _coin),
    "cancelling": (_cancelling, _small_integers, _coin),
    "special": (_special, _edge_integers, _coin),
    "nonfinite": (_nonfinite, _edge_integers, _coin),
    "positive": (_positive, _small_integers, _all_true),
    "wide": (_wide, _any_integers, _coin),
    "ramp": (_ramp, _ramp_integers, _coin),
    "uniform": (_uniform, _any_integers, _coin),
    "constant": (_constant, _constant_integers, _all_false),
}
_KINDS_ORDER = {kind: i for i, kind in enumerate(_KINDS)}
