"""Polynomial identity testing: the emitted program and its source over two finite fields.

Over GF(p) nothing is rounded. A program that reassociates, distributes or contracts gets the very
element that the source gets; one that computes another polynomial gets it by chance, with a
probability of about degree / p per result (Schwartz 1980, Zippel 1979). Where a program compares,
or works on the bits of floats, those operations are taken for functions of which nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.errors import IRError, SimulationError
from oxegg.ir import Kernel, Term, topological
from oxegg.ir.evaluate import exact, to_layout
from oxegg.ir.types import ElementType
from oxegg.sim.domain import Domain, NoMeaning
from oxegg.sim.domains import decode, encode
from oxegg.sim.fields import PRIMES, PrimeField
from oxegg.sim.uninterpreted import UninterpretedField
from oxegg.verify.uninterpreted import FORMATS, functions, stays_number, values

Array = npt.NDArray[Any]
Run = Callable[[list[Array], Domain], Sequence[Array]]

FIELD_CHECK = "source and emitted code over two prime fields"
"""What reports and certificates call it."""
MAX_WORK = 1 << 15
"""Elements that a program may compute: each operation is one of Python's."""
MAX_INTEGER = 8


@dataclass(frozen=True, slots=True)
class FieldVerdict:
    """Whether all results agree in both fields; None, with the reason, where that has no meaning.

    ``points``: elements compared. ``functions``: what was taken for some function of its operands;
    if there is any, the emitted code was compared with the last term of the certificate's chain,
    which says which operations stand for the source's.
    """

    agrees: bool | None
    reason: str
    points: int = 0
    functions: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.agrees is None:
            return self.reason
        named = f", with {', '.join(self.functions)} uninterpreted" if self.functions else ""
        return f"{self.points} elements agree{named}" if self.agrees else self.reason


def field_check(
    kernel: Kernel, run: Run, computed: Sequence[Term] = (), *, mode: str = "real", seed: int = 0
) -> FieldVerdict:
    """Compare a compiled kernel with its source over two prime fields.

    ``run`` executes the program on input arrays over a domain and gives the output arrays, whose
    floats are what :mod:`oxegg.sim.domains` makes of elements. ``computed`` are the results as the
    program's operations compute them, proved equal to the source's: a source that has no meaning
    over a field is checked by them, with uninterpreted functions, and so is one that the program
    approximates (``mode`` "approx").
    """
    sources = [out.value for out in kernel.outputs]
    if not any(term.type.is_float for term in topological(sources)):
        return FieldVerdict(None, "there are no floats: runs on numbers are exact")
    verdict = FieldVerdict(None, "the program approximates, and no chain says what it computes")
    if mode != "approx":
        verdict = _compare(kernel, run, sources, PrimeField, _exact_residues, seed)
    if verdict.agrees is not None or not computed:
        return verdict
    make_field = partial(UninterpretedField, reads_bits=_reads_bits(computed))
    free = _compare(kernel, run, computed, make_field, values, seed)
    if free.agrees is False and any(_like_elements(term.type) for term in topological(computed)):
        return FieldVerdict(None, "integers of 16 bits may look like elements")
    return replace(free, functions=tuple(functions(computed)))


def _like_elements(type_: ElementType) -> bool:
    """Whether small integers have the bits of signalling NaNs: -127 to -65 those of bfloat16's."""
    return type_.is_integer and type_.bits == 16


def _reads_bits(roots: Sequence[Term]) -> bool:
    """Whether bits of floats are taken for integers."""
    casts = (term for term in topological(roots) if term.operator == "bitcast")
    return any(term.children[0].type.is_float for term in casts)


def _compare(
    kernel: Kernel,
    run: Run,
    roots: Sequence[Term],
    make_field: Callable[[int], PrimeField],
    evaluate: Callable[[Sequence[Term], Mapping[str, Array], Any], list[Array]],
    seed: int,
) -> FieldVerdict:
    """The program and the values of ``roots`` over two fields."""
    terms = list(topological(roots))
    if sum(term.size for term in terms) > MAX_WORK:
        return FieldVerdict(None, f"the kernel computes more than {MAX_WORK} elements")
    floats = [term.type for term in (*terms, *kernel.inputs) if term.type.is_float]
    if not floats:
        return FieldVerdict(None, "nothing is computed from floats: runs on numbers are exact")
    points = 0
    random = np.random.default_rng(seed)
    for prime in PRIMES[min(map(_holding_bits, floats))]:
        field = make_field(prime)
        inputs = [_random_input(random, t.type, t.attributes[1], field) for t in kernel.inputs]
        named = {str(t.attributes[0]): a for t, a in zip(kernel.inputs, inputs, strict=True)}
        try:
            expected = evaluate(roots, named, field)
            stored = [_stored(array, t.type, t.attributes[1], field)
                      for array, t in zip(inputs, kernel.inputs, strict=True)]  # fmt: skip
            got = run(stored, field)
            for out, root, wanted, array in zip(kernel.outputs, roots, expected, got, strict=True):
                laid = to_layout(wanted, root.axes, out.layout)
                elements = _elements(field, out.value.type, np.asarray(array))
                if list(laid.reshape(-1)) != elements:
                    return FieldVerdict(False, f"{out.name} differs over {field.name}")
                points += len(elements)
        except (IRError, NoMeaning, ZeroDivisionError) as error:
            return FieldVerdict(None, str(error) or "a division by zero")
        except SimulationError as error:
            if not isinstance(error.__cause__, NoMeaning):
                raise
            return FieldVerdict(None, error.message)
    return FieldVerdict(True, "", points)


def _exact_residues(
    roots: Sequence[Term], inputs: Mapping[str, Array], field: PrimeField
) -> list[Array]:
    """Values of the source over the rationals, as residues."""
    rational = {name: _each(Fraction, array) for name, array in inputs.items()}
    return [
        _each(field.literal if root.type.is_float else int, value)
        for root, value in zip(roots, exact(roots, rational), strict=True)
    ]


def _each(function: Callable[[Any], Any], array: Array) -> Array:
    """``function`` of each element, as objects that never round."""
    result = np.empty(array.shape, object)
    result.reshape(-1)[:] = [function(value) for value in array.reshape(-1)]
    return result


def _holding_bits(type_: ElementType) -> int:
    """Key of ``PRIMES``: formats that hold few elements need small fields."""
    return 8 if type_.name == "bf16" else type_.bits


def _random_input(
    random: np.random.Generator, type_: ElementType, layout: Sequence[Any], field: PrimeField
) -> Array:
    """Random whole numbers that the type holds, as objects; residues where floats are elements."""
    shape = [axis.size for axis in layout]
    if type_.is_float and field.holds_bits:
        low, limit = 0, field.prime
    elif type_.is_float:
        low, limit = -(1 << type_.precision), 1 << type_.precision
    else:
        low, limit = max(type_.minimum, -MAX_INTEGER), min(type_.maximum + 1, MAX_INTEGER)
    return np.asarray(random.integers(low, limit, shape), object)


def _stored(values: Array, type_: ElementType, layout: Sequence[Any], field: PrimeField) -> Array:
    """An input as the program finds it.

    Where bits of elements are elements, floats are: their own bits would be integers.
    """
    if not (type_.is_float and field.holds_bits) or stays_number(type_, layout):
        return np.asarray(values, type_.numpy)
    patterns = [encode(field, FORMATS[type_.name], value) for value in values.reshape(-1)]
    return np.array(patterns, f"u{type_.bytes}").view(type_.numpy).reshape(values.shape)


def _elements(domain: Domain, type_: ElementType, array: Array) -> list[Any]:
    if not type_.is_float:
        return [int(value) for value in array.reshape(-1)]
    bits = np.ascontiguousarray(array).reshape(-1).view(f"u{type_.bytes}")
    return [decode(domain, FORMATS[type_.name], int(pattern)) for pattern in bits]
