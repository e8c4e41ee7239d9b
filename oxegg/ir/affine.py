"""Affine indices: how a view walks along an axis of the tensor under it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Axis:
    """A named dimension. Within one kernel a name has one size."""

    name: str
    size: int

    def __str__(self) -> str:
        return f"{self.name}={self.size}"


@dataclass(frozen=True, slots=True)
class Affine:
    """``offset + sum(coefficient * axis)``: terms sorted by axis name, no zero coefficient."""

    offset: int
    terms: tuple[tuple[Axis, int], ...] = ()

    @staticmethod
    def of(offset: int, coefficients: Mapping[Axis, int] | None = None) -> Affine:
        pairs = (coefficients or {}).items()
        kept = sorted(((a, c) for a, c in pairs if c), key=lambda pair: pair[0].name)
        return Affine(offset, tuple(kept))

    @staticmethod
    def axis(axis: Axis) -> Affine:
        return Affine(0, ((axis, 1),))

    @property
    def axes(self) -> tuple[Axis, ...]:
        return tuple(axis for axis, _ in self.terms)

    @property
    def range(self) -> tuple[int, int]:
        """Smallest and largest value over the extents of its axes."""
        spans = [(axis.size - 1) * coefficient for axis, coefficient in self.terms]
        return (
            self.offset + sum(s for s in spans if s < 0),
            self.offset + sum(s for s in spans if s > 0),
        )

    def substitute(self, mapping: Mapping[str, Affine]) -> Affine:
        """Replace axes by affine expressions of other axes (those not named stay)."""
        offset, sums = self.offset, dict[Axis, int]()
        for axis, coefficient in self.terms:
            inner = mapping.get(axis.name, Affine.axis(axis))
            offset += coefficient * inner.offset
            for other, factor in inner.terms:
                sums[other] = sums.get(other, 0) + coefficient * factor
        return Affine.of(offset, sums)

    def __str__(self) -> str:
        parts = [f"{c}*{a.name}" if c != 1 else a.name for a, c in self.terms]
        if self.offset or not parts:
            parts.append(str(self.offset))
        return " + ".join(parts)
