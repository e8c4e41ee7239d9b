"""Lines of assembly as statements: labels, instructions, directives; comments and macros gone."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from oxegg.emit.source.expressions import evaluate
from oxegg.errors import EmitError

_COMMENT = re.compile(r"//.*|#.*")
_BLOCK = re.compile(r"/\*.*?\*/", re.DOTALL)
_LABEL = re.compile(r"\s*([A-Za-z_.$][\w.$]*|\d+)\s*:")
_ASSIGNMENT = re.compile(r"\s*([A-Za-z_.$][\w.$]*)\s*=(?!=)\s*(.+)")
DEPTH = 100
"""Macros within macros: beyond this they never end."""


@dataclass(frozen=True)
class Statement:
    """One label, instruction or directive; ``where`` is ``file:line``, ``line`` from 0.

    A label has a name ending in ``:`` and no operands.
    """

    name: str
    operands: tuple[str, ...]
    line: int
    where: str

    @property
    def label(self) -> str | None:
        return self.name[:-1] if self.name.endswith(":") else None

    @property
    def is_instruction(self) -> bool:
        return not self.name.startswith(".") and self.label is None


@dataclass
class Source:
    """A file: its lines, statements in order (macros expanded), and constants."""

    lines: list[str]
    statements: list[Statement]
    symbols: dict[str, int]


@dataclass
class _Macro:
    parameters: list[tuple[str, str]]
    body: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])


def read_source(text: str, file: str) -> Source:
    """Statements of GNU assembly. Raises ``EmitError`` with ``file:line``."""
    reader = _Reader(file)
    lines = text.splitlines()
    reader.read(_logical_lines(text), 0)
    if reader.recording is not None:
        raise EmitError(".macro without .endm", where=file)
    return Source(lines, _with_unique_labels(reader.statements), reader.symbols)


_LOCAL = re.compile(r"(\d+)([bf])")


def _with_unique_labels(statements: Sequence[Statement]) -> list[Statement]:
    """Numbers as labels may come again and again: name each by its statement."""
    found: dict[str, list[int]] = {}
    for index, statement in enumerate(statements):
        if statement.label is not None and statement.label.isdigit():
            found.setdefault(statement.label, []).append(index)

    def aimed(text: str, here: int) -> str:
        match = _LOCAL.fullmatch(text)
        places = found.get(match[1], []) if match else []
        if match and match[2] == "b":
            places = [place for place in places if place < here][-1:]
        else:
            places = [place for place in places if place > here][:1]
        return f"{match[1]}@{places[0]}" if match and places else text

    return [
        replace(statement, name=f"{statement.label}@{index}:")
        if statement.label is not None and statement.label.isdigit()
        else replace(statement, operands=tuple(aimed(o, index) for o in statement.operands))
        for index, statement in enumerate(statements)
    ]


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, continued ones joined, with the number of the first."""
    text = _BLOCK.sub(lambda match: "\n" * match[0].count("\n"), text)
    start, joined = 0, ""
    for number, line in enumerate(text.splitlines()):
        line = _COMMENT.sub("", line).rstrip()
        if not joined:
            start = number
        if line.endswith("\\"):
            joined += line[:-1] + " "
            continue
        for part in (joined + line).split(";"):
            if part.strip():
                yield start, part
        joined = ""


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.statements: list[Statement] = []
        self.symbols: dict[str, int] = {}
        self.macros: dict[str, _Macro] = {}
        self.recording: _Macro | None = None
        self.nested = 0
        self.expansions = 0

    def read(
        self, lines: Iterator[tuple[int, str]] | Sequence[tuple[int, str]], depth: int
    ) -> None:
        for number, line in lines:
            if self.recording is not None:
                self._record(number, line)
            else:
                self._line(number, line, depth)

    def _record(self, number: int, line: str) -> None:
        assert self.recording is not None
        word = line.split()[0]
        self.nested += (word == ".macro") - (word in (".endm", ".endmacro"))
        if self.nested:
            self.recording.body.append((number, line))
        else:
            self.recording = None

    def _line(self, number: int, line: str, depth: int) -> None:
        where = f"{self.file}:{number + 1}"
        while match := _LABEL.match(line):
            self.statements.append(Statement(match[1] + ":", (), number, where))
            line = line[match.end() :]
        if match := _ASSIGNMENT.fullmatch(line):
            self._define(match[1], match[2])
            return
        words = line.split(None, 1)
        if not words:
            return
        name, rest = words[0].lower(), words[1] if len(words) > 1 else ""
        if name == ".macro":
            self._macro(rest)
        elif name in (".equ", ".set", ".equiv"):
            symbol, _, value = rest.partition(",")
            self._define(symbol.strip(), value)
        elif words[0] in self.macros:
            self._expand(self.macros[words[0]], rest, number, where, depth)
        else:
            self.statements.append(Statement(name, tuple(split_operands(rest)), number, where))

    def _define(self, symbol: str, text: str) -> None:
        value = evaluate(text, self.symbols)
        if value is not None:
            self.symbols[symbol] = value

    def _macro(self, rest: str) -> None:
        name, _, parameters = rest.strip().replace(",", " ").partition(" ")
        parts = [parameter.partition("=") for parameter in parameters.split()]
        macro = _Macro([(p.partition(":")[0], default) for p, _, default in parts])
        self.macros[name] = self.recording = macro
        self.nested = 1

    def _expand(self, macro: _Macro, rest: str, number: int, where: str, depth: int) -> None:
        if depth > DEPTH:
            raise EmitError("macros call each other without end", where=where)
        given = split_operands(rest)
        if len(given) < len(macro.parameters) and len(given) == 1:
            given = given[0].split()
        values = {parameter: default for parameter, default in macro.parameters}
        values |= dict(zip((parameter for parameter, _ in macro.parameters), given, strict=False))
        self.expansions += 1
        values["@"] = str(self.expansions)
        self.read([(number, _substituted(line, values)) for _, line in macro.body], depth + 1)


def _substituted(line: str, values: Mapping[str, str]) -> str:
    def replacement(match: re.Match[str]) -> str:
        return values.get(match[1], match[0])

    return re.sub(r"\\(@|[A-Za-z_]\w*)(?:\\\(\))?", replacement, line)


def split_operands(text: str) -> list[str]:
    """Operands between commas that aren't inside parentheses or quotes."""
    parts: list[str] = []
    depth, quoted, current = 0, False, ""
    for character in text:
        quoted ^= character == '"'
        depth += (character == "(") - (character == ")")
        if character == "," and not depth and not quoted:
            parts.append(current.strip())
            current = ""
        else:
            current += character
    return [*parts, current.strip()] if current.strip() or parts else []
