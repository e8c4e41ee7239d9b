"""An enclosure: what is known about every element of a term after rounding errors.

The model is the standard one, fl(a op b) = (a op b)(1 + d) with |d| <= u, plus half a subnormal
step per operation that can underflow (Higham, "Accuracy and Stability of Numerical Algorithms",
2nd ed., chapters 2-4). An enclosure splits the error into what any order of additions and
products may cost, ``gamma * magnitude``, and what came in from outside, ``carried``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.ir import Axis, ElementType, Term

Array = npt.NDArray[Any]

# Second-order terms and the float64 arithmetic of the bounds themselves.
_SAFETY = 1 + 2.0**-10
# A sum that is longer than this on paper (a term shared in itself many times) is not reordered.
_LONGEST_SUM = 1 << 24


_HOPELESS = 500.0  # roundings * unit beyond which a relative bound says nothing


@dataclass(frozen=True, slots=True)
class Enclosure:
    """The exact value of a term and how far any permitted evaluation may be from it.

    All arrays have one dimension per axis of the term, of the axis's size or of 1 (the same all
    along the axis). Integers and truth values have no error: where ``defined`` is false, an
    undecided comparison reached them and they can be anything.

    ``value``: float64 or longdouble for float formats, the format itself otherwise.
    ``magnitude``: the value with |leaf| for each leaf and + for -; the same for every order.
    ``carried``: absolute error from outside the sums and products that end here.
    ``addends``, ``roundings``: the longest sum that can be formed here, and the most roundings
    that any one of its addends has gone through.
    ``unit``: unit roundoff of the format plus that of ``value`` (the reference rounds too).
    ``peak``: of a product, how large any part of it may get, in whatever order its factors are
    multiplied: (0.3 a) a overflows later than 0.3 (a a). None where nothing is multiplied.
    """

    value: Array
    magnitude: Array
    carried: Array
    defined: Array
    unit: float = 0.0
    roundings: int = 0
    addends: int = 1
    peak: Array | None = None

    @property
    def highest(self) -> Array:
        """A bound of all parts of a product that this is a factor of, as far as they lie here."""
        return np.maximum(self.magnitude, 1.0) if self.peak is None else self.peak

    @property
    def depth(self) -> int:
        """Most roundings on a path from a leaf to here, in any order of the sums."""
        return self.roundings + self.addends - 1

    @property
    def gamma(self) -> float:
        """Relative error bound (1 + u)^roundings (1 + (addends - 1) u) - 1 on the magnitude.

        The factor of the sum is (n - 1) u without any condition on n: Jeannerod and Rump,
        "Improved error bounds for inner products in floating-point arithmetic", 2013.
        """
        products = self.roundings * math.log1p(self.unit)
        if products > _HOPELESS:
            return math.inf
        return math.expm1(products + math.log1p((self.addends - 1) * self.unit))

    @property
    def error(self) -> Array:
        """Absolute error bound of each element."""
        gamma = _SAFETY * self.gamma
        if gamma == 0:
            return self.carried
        return gamma * self.magnitude + (1 + gamma) * self.carried

    def map(self, function: Callable[[Array], Array]) -> Enclosure:
        """The same change of shape on all arrays."""
        return replace(
            self,
            value=function(self.value),
            magnitude=function(self.magnitude),
            carried=function(self.carried),
            defined=function(self.defined),
            peak=None if self.peak is None else function(self.peak),
        )

    def settled(self) -> Enclosure:
        """As a leaf of what follows: all error so far is carried."""
        return replace(self, carried=self.error, roundings=0, addends=1)

    def closed(self) -> Enclosure:
        """As a leaf that nothing is rearranged into: the state between two steps of a fold."""
        settled = self.settled()
        return replace(settled, magnitude=np.abs(settled.value)) if self.unit else settled

    def aligned(self, axes: Sequence[Axis], to: Sequence[Axis]) -> Enclosure:
        """Dimensions in the order of ``to``, a superset of ``axes``; new ones have size 1."""
        if tuple(axes) == tuple(to):
            return self
        order = [axes.index(a) for a in to if a in axes]
        fresh = tuple(i for i, a in enumerate(to) if a not in axes)
        return self.map(lambda x: np.expand_dims(np.transpose(x, order), fresh))


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What implementations are held to.

    ``ulps``: error of an elementary function (and of sqrt and rsqrt) in units in the last place.
    ``eps``: further relative error of each of those and of each division (mode ``approx``).
    ``wide``: the format of reference values.
    """

    ulps: float = 4.0
    eps: float = 0.0
    wide: type[np.floating[Any]] = np.float64

    def unit(self, term: Term) -> float:
        """Unit roundoff of the term's format plus that of the reference."""
        reference = float(np.finfo(self.wide).eps) / 2
        return term.type.unit_roundoff + reference if term.type.is_float else 0.0


# An operation's enclosure from those of its operands, aligned to the axes of the term.
Rule = Callable[[Term, Sequence[Enclosure], Accuracy], Enclosure]


def is_zero(errors: Array) -> bool:
    """True for the one-element zero that stands for "no error at all" (a cheap test)."""
    return errors.size == 1 and not errors.any()


def nothing(ndim: int) -> Array:
    """Zero error for a term with ``ndim`` axes."""
    return np.zeros((1,) * ndim)


def everywhere(ndim: int) -> Array:
    """Defined at every point of a term with ``ndim`` axes."""
    return np.ones((1,) * ndim, np.bool_)


def largest(type_: ElementType) -> float:
    """Largest finite number of a float format."""
    return math.ldexp(2 - 2.0 ** (1 - type_.precision), type_.max_exponent)


def smallest_normal(type_: ElementType) -> float:
    """Smallest positive number with full precision."""
    return 2.0 ** (1 - type_.max_exponent)


def underflow(type_: ElementType) -> float:
    """Half a subnormal step: the absolute error of an operation that underflows."""
    return max(2.0 ** (1 - type_.max_exponent - type_.precision), 5e-324)


def seal(type_: ElementType, raw: Enclosure) -> Enclosure:
    """Exclude points that overflow or are NaN in some permitted order; they hold zeros."""
    if raw.addends > _LONGEST_SUM:
        raw = raw.settled()
    limit = largest(type_)
    peak = raw.magnitude if raw.peak is None else np.maximum(raw.magnitude, raw.peak)
    worst = float(peak.max()) * (1 + raw.gamma) + 2 * float(raw.carried.max())
    if worst <= limit and raw.defined.all():
        return raw
    defined = raw.defined & (peak + raw.error <= limit)
    return replace(
        raw,
        value=np.where(defined, raw.value, raw.value.dtype.type(0)),
        magnitude=np.where(defined, raw.magnitude, 0.0),
        carried=np.where(defined, raw.carried, 0.0),
        defined=defined,
        peak=None if raw.peak is None else np.where(defined, raw.peak, 1.0),
    )


def leaf(type_: ElementType, value: Array, unit: float) -> Enclosure:
    """Numbers that are known exactly: inputs, constants, indices."""
    magnitude = np.abs(value).astype(np.float64)
    ndim = value.ndim
    return seal(type_, Enclosure(value, magnitude, nothing(ndim), everywhere(ndim), unit))


def discrete(value: Array, defined: Array) -> Enclosure:
    """Integers or truth values."""
    zero = nothing(value.ndim)
    return Enclosure(value, zero, zero, defined)


def both_defined(operands: Sequence[Enclosure]) -> Array:
    """Points at which every operand is defined."""
    defined = operands[0].defined
    for operand in operands[1:]:
        defined = defined & operand.defined
    return defined


def join(parts: Sequence[Enclosure], dimension: int) -> Enclosure:
    """Parts end to end along one dimension."""

    def joined(part: Callable[[Enclosure], Array]) -> Array:
        full = [np.broadcast_to(part(p), p.value.shape) for p in parts]
        return np.concatenate(full, axis=dimension)

    return Enclosure(
        joined(lambda p: p.value),
        joined(lambda p: p.magnitude),
        joined(lambda p: p.carried),
        joined(lambda p: p.defined),
        parts[0].unit,
        max(p.roundings for p in parts),
        max(p.addends for p in parts),
    )
