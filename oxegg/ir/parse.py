"""Reading kernels from the text that :mod:`oxegg.ir.text` writes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from oxegg.errors import IRError
from oxegg.ir.affine import Affine, Axis
from oxegg.ir.check import check
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.term import (
    Kernel,
    Output,
    Term,
    at,
    concat,
    const,
    fold,
    gather,
    input_,
    iota,
    pointwise,
    reduce,
    scan,
    state,
)
from oxegg.ir.types import TYPES, ElementType, bits_to_value

_TOKEN = re.compile(r"\s*(:=|0x[0-9a-f]+|-?\d+|%\d+|\w+|[][{}=:,.*+])")
_T = TypeVar("_T")


def parse(text: str, file: str = "<text>") -> Kernel:
    """The kernel that ``text`` describes.

    Raises :class:`IRError` with ``file:line`` for anything ill-formed.
    """
    name, terms = "", dict[str, Term]()
    inputs, outputs = list[Term](), list[Output]()
    where = file
    try:
        for number, line in enumerate(text.splitlines(), 1):
            where = f"{file}:{number}"
            reader = _Reader(line.partition("#")[0], terms)
            if reader.done:
                continue
            first = reader.take()
            if first == "kernel":
                name = reader.name()
            elif first == "output":
                outputs.append(_output(reader))
            else:
                terms[first] = _definition(first, reader)
                if terms[first].operator == "input":
                    inputs.append(terms[first])
            if not reader.done:
                raise IRError(f"unexpected {reader.peek()}")
        kernel = Kernel(name, tuple(inputs), tuple(outputs))
        where = file
        check(kernel)
    except IRError as error:
        raise IRError(error.message, where=error.where or where, hint=error.hint) from error
    return kernel


class _Reader:
    """The tokens of one line and how far they are read."""

    def __init__(self, line: str, terms: dict[str, Term]) -> None:
        self.terms = terms
        self._tokens: list[str] = []
        self._next = 0
        at_ = 0
        line = line.rstrip()
        while at_ < len(line):
            match = _TOKEN.match(line, at_)
            if match is None:
                raise IRError(f"can't read {line[at_:].strip()!r}")
            self._tokens.append(match.group(1))
            at_ = match.end()

    @property
    def done(self) -> bool:
        return self._next == len(self._tokens)

    def peek(self) -> str:
        return "end of line" if self.done else self._tokens[self._next]

    def take(self, expected: str | None = None) -> str:
        token = self.peek()
        if self.done or (expected is not None and token != expected):
            raise IRError(f"expected {expected or 'more'}, found {token}")
        self._next += 1
        return token

    def tail(self) -> tuple[ElementType, tuple[Axis, ...]]:
        """Type and axes from the end of a definition, which is cut off."""
        colons = [i for i, token in enumerate(self._tokens) if token == ":"]
        if not colons:
            raise IRError("a definition ends in : type {axes}")
        body, self._tokens, self._next = self._next, self._tokens, colons[-1] + 1
        name = self.take()
        if name not in TYPES:
            raise IRError(f"unknown element type {name}")
        axes = self.listed(self.axis, "{}")
        if not self.done:
            raise IRError(f"unexpected {self.peek()}")
        del self._tokens[colons[-1] :]
        self._next = body
        return TYPES[name], tuple(axes)

    def number(self) -> int:
        token = self.take()
        try:
            return int(token, 0)
        except ValueError:
            raise IRError(f"expected a number, found {token}") from None

    def name(self) -> str:
        token = self.take()
        if not re.fullmatch(r"\w+", token):
            raise IRError(f"expected a name, found {token}")
        return token

    def term(self) -> Term:
        token = self.take()
        if token not in self.terms:
            raise IRError(f"unknown term {token}")
        return self.terms[token]

    def axis(self) -> Axis:
        name = self.name()
        self.take("=")
        return Axis(name, self.number())

    def axis_of(self, axes: Sequence[Axis]) -> Axis:
        """The axis of this name among ``axes``."""
        name = self.name()
        for axis in axes:
            if axis.name == name:
                return axis
        raise IRError(f"no axis {name} among {', '.join(map(str, axes)) or 'none'}")

    def listed(self, item: Callable[[], _T], brackets: str = "[]") -> list[_T]:
        """Items in brackets, separated by commas."""
        self.take(brackets[0])
        items: list[_T] = []
        while self.peek() != brackets[1]:
            if items:
                self.take(",")
            items.append(item())
        self.take(brackets[1])
        return items


def _definition(name: str, reader: _Reader) -> Term:
    if not name.startswith("%"):
        raise IRError(f"expected a definition, found {name}")
    if name in reader.terms:
        raise IRError(f"{name} is defined twice")
    reader.take("=")
    type_, axes = reader.tail()
    operator = reader.take()
    form = _FORMS.get(operator)
    if form is not None:
        term = form(reader, type_, axes)
    elif operator in OPERATIONS:
        children = [reader.term() for _ in range(OPERATIONS[operator].arity)]
        term = pointwise(operator, *children, to=type_)
    else:
        raise IRError(f"unknown operation {operator}")
    if term.type is not type_ or term.axes != axes:
        found = ", ".join(map(str, term.axes))
        raise IRError(f"{name} is declared otherwise than it is: {term.type} {{{found}}}")
    return term


def _output(reader: _Reader) -> Output:
    name, value, layout = reader.name(), reader.term(), reader.listed(reader.axis)
    shape = None
    if reader.peek() == "shape":
        reader.take()
        shape = tuple(reader.listed(reader.number))
    return Output(name, value, tuple(layout), shape)


_Form = Callable[[_Reader, ElementType, tuple[Axis, ...]], Term]


def _read_input(reader: _Reader, type_: ElementType, axes: tuple[Axis, ...]) -> Term:
    del axes
    return input_(reader.name(), type_, reader.listed(reader.axis))


def _read_const(reader: _Reader, type_: ElementType, axes: tuple[Axis, ...]) -> Term:
    del axes
    bits = reader.number()
    if not 0 <= bits < 1 << type_.bits:
        raise IRError(f"{bits:#x} has more than the {type_.bits} bits of {type_}")
    return const(bits_to_value(bits, type_), type_)


def _read_iota(reader: _Reader, type_: ElementType, axes: tuple[Axis, ...]) -> Term:
    return iota(reader.axis_of(axes), type_)


def _read_reduction(build: Callable[[str, Axis, Term], Term]) -> _Form:
    def read(reader: _Reader, type_: ElementType, axes: tuple[Axis, ...]) -> Term:
        del type_, axes
        operator, axis, child = reader.name(), reader.name(), reader.term()
        found = [a for a in child.axes if a.name == axis]
        if not found:
            raise IRError(f"axis {axis} is not an axis of the operand")
        return build(operator, found[0], child)

    return read


def _read_at(reader: _Reader, type_: ElementType, axes: tuple[Axis, ...]) -> Term:
    del type_
    child = reader.term()

    def walk() -> tuple[Axis, Affine]:
        axis = reader.axis_of(child.axes)
        reader.take(":=")
        return axis, _affine(reader, axes)

    return at(child, dict(reader.listed(walk)))


def _affine(reader: _Reader, axes: Sequence[Axis]) -> Affine:
    offset, sums = 0, dict[Axis, int]()
    while True:
        coefficient = 1
        number = re.fullmatch(r"-?\d+", reader.peek())
        if number:
            coefficient = reader.number()
        if number and reader.peek() != "*":
            offset += coefficient
        else:
            if number:
                reader.take("*")
            axis = reader.axis_of(axes)
            sums[axis] = sums.get(axis, 0) + coefficient
        if reader.peek() != "+":
            return Affine.of(offset, sums)
        reader.take("+")


def _read_gather(reader: _Reader, type_: ElementType, axes: tuple[Axis, ...]) -> Term:
    del type_, axes
    name, child, index = reader.name(), reader.term(), reader.term()
    found = [a for a in child.axes if a.name == name]
    if not found:
        raise IRError(f"axis {name} is not an axis of the operand")
    return gather(child, found[0], index)


def _read_concat(reader: _Reader, type_: ElementType, axes: tuple[Axis, ...]) -> Term:
    del type_
    axis = reader.axis_of(axes)

    def part() -> tuple[Axis | None, Term]:
        if reader.peek() == ".":
            reader.take()
            return None, reader.term()
        return reader.axis(), reader.term()

    return concat(axis, reader.listed(part))


def _read_state(reader: _Reader, type_: ElementType, axes: tuple[Axis, ...]) -> Term:
    return state(reader.name(), reader.axis_of(axes), type_, axes)


def _read_fold(reader: _Reader, type_: ElementType, axes: tuple[Axis, ...]) -> Term:
    del type_, axes
    axis, which = reader.name(), reader.number()

    def carried() -> tuple[Term, Term, Term]:
        name = reader.name()
        reader.take(":")
        held = reader.term()
        if held.operator != "state" or held.attributes[0] != name:
            raise IRError(f"fold: {name} is not the state given for it")
        return held, reader.term(), reader.term()

    rows = reader.listed(carried)
    if not 0 <= which < len(rows):
        raise IRError(f"fold: there is no state number {which}")
    steps = {held.attributes[1] for held, _, _ in rows}
    if len(steps) != 1 or next(iter(steps)).name != axis:
        raise IRError(f"fold: the states do not run along {axis}")
    states, starts, bodies = zip(*rows, strict=True)
    return fold(steps.pop(), states, starts, bodies, which)


_FORMS: dict[str, _Form] = {
    "input": _read_input,
    "const": _read_const,
    "iota": _read_iota,
    "reduce": _read_reduction(reduce),
    "scan": _read_reduction(scan),
    "at": _read_at,
    "gather": _read_gather,
    "concat": _read_concat,
    "state": _read_state,
    "fold": _read_fold,
}
