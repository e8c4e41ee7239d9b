"""Does a compiled kernel compute what its source says? Run it and hold it against the bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from oxegg.errors import VerificationError
from oxegg.ir import Kernel, Output, run_kernel, topological
from oxegg.ir.evaluate import to_layout
from oxegg.verify.bounds import Bounds, analyse
from oxegg.verify.inputs import InputSet, input_sets
from oxegg.verify.left_open import settled

Array = npt.NDArray[Any]
Mode = Literal["exact", "real", "approx"]
Run = Callable[[list[Array]], Sequence[Array]]

# Elements that the source computes, and how many input sets a kernel of that size is run on.
_SETS_BY_WORK = ((1 << 16, 9), (1 << 19, 5), (1 << 22, 3))
_SETS_OF_HUGE = 2


@dataclass(frozen=True, slots=True)
class Failure:
    """The worst element of one output on one input set.

    ``bound``: permitted absolute error, 0 where bits must agree. ``count``: elements that fail.
    """

    output: str
    index: tuple[int, ...]
    inputs: str
    got: float | int | bool
    expected: float | int | bool
    bound: float
    count: int

    def __str__(self) -> str:
        place = f"{self.output}[{', '.join(map(str, self.index))}]" if self.index else self.output
        allowed = f" within {self.bound:.3g}" if self.bound else ""
        more = f" ({self.count} elements differ)" if self.count > 1 else ""
        return (
            f"{place} on {self.inputs} inputs: got {self.got!r}, "
            f"expected {self.expected!r}{allowed}{more}"
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found.

    ``error_over_bound``: largest |error| / bound over all float results (``None`` in mode exact
    and without float results; infinite where an error met a bound of 0). ``points``: elements
    compared; ``excluded``: elements that the source leaves open (overflow, NaN, undecided
    comparisons; in mode exact what :mod:`oxegg.verify.left_open` says). A check that compared
    nothing is not correct. ``bounded``: false where bounds left all results open and bits were
    compared instead; disagreement is then no proof of a wrong program.
    """

    correct: bool
    error_over_bound: float | None
    points: int
    excluded: int
    failures: tuple[Failure, ...]
    sets: tuple[str, ...]
    bounded: bool = True


@dataclass(frozen=True, slots=True)
class _Comparison:
    failure: Failure | None
    ratio: float | None
    points: int
    excluded: int


def check(
    kernel: Kernel,
    run: Run,
    *,
    mode: Mode,
    eps: float = 0.0,
    seed: int = 0,
    sets: Sequence[InputSet] | None = None,
) -> Verdict:
    """Run a compiled kernel on several input sets and compare every result.

    ``run`` maps the input arrays (in parameter order, memory layout) to the output arrays.
    Mode ``exact``: the bits of :func:`oxegg.ir.run_kernel`, any NaN for a NaN. ``real``: within
    the a-priori bound of any order of evaluation. ``approx``: elementary functions and divisions
    may err by a relative ``eps`` each, and each result by ``eps`` times its magnitude (what
    rounding the inputs to a format with unit roundoff eps / 2 does to a product). Integers are
    exact in every mode.

    Where bounds leave all results open (infinities, numbers at a step of a conversion), the bits
    of most elements of an output have to agree in any mode.

    ``sets``: default by the kernel's size, from :func:`oxegg.verify.inputs.input_sets`.
    Raises :class:`VerificationError` when ``run`` returns arrays of another number, shape or type.
    """
    if sets is None:
        count = _set_count(kernel)
        sets = input_sets(kernel, seed=seed, nonfinite=mode == "exact", count=count)
    compared: list[_Comparison] = []
    for chosen in sets:
        names = [term.attributes[0] for term in kernel.inputs]
        got = [np.asarray(out) for out in run([chosen.arrays[name].copy() for name in names])]
        _check_form(kernel, got)
        compare = _compare_bits if mode == "exact" else _compare_within
        compared += compare(kernel, chosen, got, eps if mode == "approx" else 0.0)
    failures = tuple(c.failure for c in compared if c.failure is not None)
    ratios = [c.ratio for c in compared if c.ratio is not None]
    points = sum(c.points for c in compared)
    if not points and mode != "exact":
        return _mostly_equal(kernel, check(kernel, run, mode="exact", sets=sets))
    return Verdict(
        correct=not failures and points > 0,
        error_over_bound=max(ratios, default=None),
        points=points,
        excluded=sum(c.excluded for c in compared),
        failures=failures,
        sets=tuple(s.name for s in sets),
    )


def _mostly_equal(kernel: Kernel, verdict: Verdict) -> Verdict:
    """``verdict`` on bits without failures that leave more than half of an output's elements."""
    sizes = {out.name: prod(axis.size for axis in out.layout) for out in kernel.outputs}
    failures = tuple(f for f in verdict.failures if 2 * f.count >= sizes[f.output])
    correct = not failures and verdict.points > 0
    return replace(verdict, failures=failures, correct=correct, bounded=False)


def _set_count(kernel: Kernel) -> int:
    work = sum(t.size for t in topological([out.value for out in kernel.outputs]))
    return next((count for limit, count in _SETS_BY_WORK if work <= limit), _SETS_OF_HUGE)


def _check_form(kernel: Kernel, got: Sequence[Array]) -> None:
    if len(got) != len(kernel.outputs):
        raise VerificationError(
            f"{kernel.name} returned {len(got)} arrays, its source returns {len(kernel.outputs)}"
        )
    for array, out in zip(got, kernel.outputs, strict=True):
        shape = tuple(axis.size for axis in out.layout)
        if array.shape != shape or array.dtype != out.value.type.numpy:
            raise VerificationError(
                f"{out.name} is {array.dtype}{list(array.shape)}, "
                f"its source makes {out.value.type}{list(shape)}"
            )


# ------------------------------------------------------------------ bit by bit


def _compare_bits(
    kernel: Kernel, chosen: InputSet, got: Sequence[Array], eps: float
) -> list[_Comparison]:
    del eps
    found: list[_Comparison] = []
    expected = run_kernel(kernel, chosen.arrays)
    decided = settled(kernel, chosen.arrays)
    for out, mine, wanted, known in zip(kernel.outputs, got, expected, decided, strict=True):
        reference = wanted.reshape(mine.shape)
        same = (_bits(mine) == _bits(reference)) | ~known.reshape(mine.shape)
        if out.value.type.is_float:
            same = same | (np.isnan(mine) & np.isnan(reference))
        distance = np.where(same, 0.0, np.inf)
        failure = _worst(out, chosen.name, mine, reference, np.zeros(mine.shape), distance)
        points = int(np.count_nonzero(known))
        found.append(_Comparison(failure, None, points, mine.size - points))
    return found


def _bits(values: Array) -> Array:
    unsigned = np.dtype(f"u{values.dtype.itemsize}")
    return np.ascontiguousarray(values).view(unsigned).reshape(values.shape)


# ------------------------------------------------------------------ within bounds


def _compare_within(
    kernel: Kernel, chosen: InputSet, got: Sequence[Array], eps: float
) -> list[_Comparison]:
    bounds = analyse([out.value for out in kernel.outputs], chosen.arrays, eps=eps)
    return [
        _compare_output(out, chosen.name, mine, bound, eps)
        for out, mine, bound in zip(kernel.outputs, got, bounds, strict=True)
    ]


def _compare_output(
    out: Output, inputs: str, got: Array, bounds: Bounds, eps: float
) -> _Comparison:
    def laid_out(part: Array) -> Array:
        return to_layout(part, out.value.axes, out.layout).reshape(got.shape)

    value, defined = laid_out(bounds.value), laid_out(bounds.defined)
    allowed = laid_out(bounds.error + eps * bounds.magnitude)
    ratio = np.where(defined, _error_ratio(got, value, allowed), 0.0)
    points = int(np.count_nonzero(defined))
    return _Comparison(
        _worst(out, inputs, got, value, allowed, ratio),
        float(ratio.max()) if out.value.type.is_float and points else None,
        points,
        defined.size - points,
    )


def _error_ratio(got: Array, value: Array, allowed: Array) -> Array:
    """|error| / bound: 0 where equal, infinite where NaN or where the bound is 0."""
    if value.dtype.kind != "f":
        return np.where(got == value, 0.0, np.inf)
    with np.errstate(all="ignore"):
        error = np.abs(got.astype(value.dtype) - value)
        ratio = np.where(error == 0, 0.0, error / allowed)
    return np.where(np.isnan(ratio), np.inf, ratio).astype(np.float64)


def _worst(
    out: Output, inputs: str, got: Array, expected: Array, allowed: Array, ratio: Array
) -> Failure | None:
    if not ratio.size or not ratio.max() > 1:
        return None
    index = tuple(int(i) for i in np.unravel_index(int(ratio.argmax()), ratio.shape))
    return Failure(
        out.name,
        index,
        inputs,
        _number(got, index),
        _number(expected, index),
        float(allowed[index]),
        int(np.count_nonzero(ratio > 1)),
    )


def _number(values: Array, index: tuple[int, ...]) -> float | int | bool:
    """One element as a Python number, also from formats that Python doesn't have."""
    element = values[index]
    return element.item() if values.dtype.kind in "iub" else float(element)
