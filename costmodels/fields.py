"""What one field of a machine file may hold: its range, and the sentence that explains it.

A dataclass field is annotated ``Annotated[int, Whole(1, 8, "instructions issued per cycle")]``;
the loader checks values against the annotation and ``docs/machines.md`` prints it.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Whole:
    """An integer from ``low`` to ``high``, both included."""

    low: int
    high: int
    meaning: str

    def allows(self, value: object) -> bool:
        return type(value) is int and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"an integer from {self.low} to {self.high}"


@dataclass(frozen=True)
class PowerOfTwo:
    """A power of two from ``low`` to ``high``, both included."""

    low: int
    high: int
    meaning: str

    def allows(self, value: object) -> bool:
        return type(value) is int and self.low <= value <= self.high and value.bit_count() == 1

    def __str__(self) -> str:
        return f"a power of two from {self.low} to {self.high}"


@dataclass(frozen=True)
class Real:
    """A finite number from ``low`` to ``high``, both included; TOML integers count as numbers."""

    low: float
    high: float
    meaning: str

    def allows(self, value: object) -> bool:
        return type(value) in (int, float) and self.low <= float(str(value)) <= self.high

    def __str__(self) -> str:
        return f"a number from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]
    meaning: str

    def allows(self, value: object) -> bool:
        return value in self.words

    def __str__(self) -> str:
        return "one of " + ", ".join(f'"{word}"' for word in self.words)


@dataclass(frozen=True)
class Flag:
    """true or false."""

    meaning: str

    def allows(self, value: object) -> bool:
        return isinstance(value, bool)

    def __str__(self) -> str:
        return "true or false"


@dataclass(frozen=True)
class Text:
    """Any text that is not empty."""

    meaning: str

    def allows(self, value: object) -> bool:
        return isinstance(value, str) and value != ""

    def __str__(self) -> str:
        return "a text"


@dataclass(frozen=True)
class Name:
    """A word that can also be the name of a file or folder."""

    meaning: str

    def allows(self, value: object) -> bool:
        return isinstance(value, str) and re.fullmatch(r"\w[\w.+=-]*", value) is not None

    def __str__(self) -> str:
        return "a word of letters, digits and . _ + = -"


Rule = Whole | PowerOfTwo | Real | Choice | Flag | Text | Name
