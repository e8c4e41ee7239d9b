"""Polynomial identity testing: the emitted program and its source over two finite fields.

Over GF(p) nothing is rounded. A program that reassociates, distributes or contracts gets the very
element that the source gets; one that computes another polynomial gets it by chance, with a
probability of about degree / p per result (Schwartz 1980, Zippel 1979).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.errors import IRError, SimulationError
from oxegg.ir import Kernel, topological
from oxegg.ir.evaluate import exact, to_layout
from oxegg.ir.types import ElementType
from oxegg.sim import ieee
from oxegg.sim.domain import Domain, NoMeaning
from oxegg.sim.domains import PRIMES, PrimeField, decode

Array = npt.NDArray[Any]
Run = Callable[[list[Array], Domain], Sequence[Array]]

FIELD_CHECK = "source and emitted code over two prime fields"
"""What reports and certificates call it."""
MAX_WORK = 1 << 13
"""Elements that a source may compute: each operation is one of Python's."""
MAX_INTEGER = 8
FORMATS = {"f16": ieee.HALF, "bf16": ieee.BFLOAT16, "f32": ieee.SINGLE, "f64": ieee.DOUBLE}


@dataclass(frozen=True, slots=True)
class FieldVerdict:
    """Whether all results agree in both fields; None, with the reason, where that has no meaning.

    ``points``: elements compared.
    """

    agrees: bool | None
    reason: str
    points: int = 0


def field_check(kernel: Kernel, run: Run, *, seed: int = 0) -> FieldVerdict:
    """Compare a compiled kernel with its source over two prime fields.

    ``run`` executes the program on input arrays over a domain and gives the output arrays, whose
    floats are what :mod:`oxegg.sim.domains` makes of elements.
    """
    terms = list(topological([out.value for out in kernel.outputs]))
    floats = [term.type for term in terms if term.type.is_float]
    if not all(out.value.type.is_float for out in kernel.outputs):
        return FieldVerdict(None, "a result is not a float")
    if sum(term.size for term in terms) > MAX_WORK:
        return FieldVerdict(None, f"the source computes more than {MAX_WORK} elements")
    points = 0
    random = np.random.default_rng(seed)
    for prime in PRIMES[min(map(_holding_bits, floats))]:
        domain = PrimeField(prime)
        inputs = {str(t.attributes[0]): _random_input(random, t.type, t.attributes[1])
                  for t in kernel.inputs}  # fmt: skip
        try:
            rational = {name: _rationals(array) for name, array in inputs.items()}
            expected = exact([out.value for out in kernel.outputs], rational)
            got = run([inputs[str(term.attributes[0])] for term in kernel.inputs], domain)
            for out, wanted, array in zip(kernel.outputs, expected, got, strict=True):
                laid = to_layout(wanted, out.value.axes, out.layout)
                elements = _elements(domain, out.value.type, np.asarray(array))
                residues = [domain.literal(Fraction(value)) for value in laid.reshape(-1)]
                if residues != elements:
                    return FieldVerdict(False, f"{out.name} differs over {domain.name}")
                points += len(elements)
        except (IRError, NoMeaning, ZeroDivisionError) as error:
            return FieldVerdict(None, str(error) or "a division by zero")
        except SimulationError as error:
            if not isinstance(error.__cause__, NoMeaning):
                raise
            return FieldVerdict(None, error.message)
    return FieldVerdict(True, "", points)


def _holding_bits(type_: ElementType) -> int:
    """Key of ``PRIMES``: formats that hold few elements need small fields."""
    return 8 if type_.name == "bf16" else type_.bits


def _random_input(random: np.random.Generator, type_: ElementType, layout: Sequence[Any]) -> Array:
    """Random whole numbers that the type holds exactly; as floats they are any element."""
    shape = [axis.size for axis in layout]
    limit = 1 << type_.precision if type_.is_float else MAX_INTEGER
    values = random.integers(0 if type_.kind == "uint" else -limit, limit, shape)
    return (values % 2 if type_.kind == "bool" else values).astype(type_.numpy)


def _rationals(array: Array) -> Array:
    """The same numbers as objects that never round."""
    numbers = [Fraction(int(value)) for value in array.reshape(-1)]
    return np.array([*numbers, None], object)[:-1].reshape(array.shape)


def _elements(domain: Domain, type_: ElementType, array: Array) -> list[Any]:
    bits = np.ascontiguousarray(array).reshape(-1).view(f"u{type_.bytes}")
    return [decode(domain, FORMATS[type_.name], int(pattern)) for pattern in bits]
