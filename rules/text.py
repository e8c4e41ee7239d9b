"""Patterns as text, the way a row is written: ``(x & ~y) | y``, with the places of its parts."""

from __future__ import annotations

from dataclasses import dataclass, field

from oxegg.rules.pattern import Apply, Constant, Pattern, Rule, Variable

# Operation: symbol and how tightly it binds; what isn't here is written as a call.
INFIX = {
    "or": ("|", 1), "xor": ("^", 2), "and": ("&", 3), "shl": ("<<", 4), "shr": (">>", 4),
    "add": ("+", 5), "sub": ("-", 5), "mul": ("*", 6), "div": ("/", 6),
}  # fmt: skip
PREFIX = {"neg": "-", "not": "~"}
_TIGHTEST = 9


@dataclass
class _Writer:
    """Text so far, and where each variable, operation and constant stands in it."""

    text: str = ""
    places: dict[str, int] = field(default_factory=dict[str, int])

    def name(self, name: str) -> None:
        self.places.setdefault(name, len(self.text))
        self.text += name

    def write(self, pattern: Pattern, outside: int = 0) -> None:
        if isinstance(pattern, Variable):
            self.name(pattern.name)
        elif isinstance(pattern, Constant):
            self.name(constant_text(pattern))
        elif isinstance(pattern, Apply):
            self._apply(pattern, outside)

    def _apply(self, pattern: Apply, outside: int) -> None:
        infix = INFIX.get(pattern.operator)
        if infix is not None and len(pattern.children) == 2:
            symbol, level = infix
            self.text += "(" * (level < outside)
            self.write(pattern.children[0], level)
            self.text += " "
            self.places.setdefault(pattern.operator, len(self.text))
            self.text += f"{symbol} "
            self.write(pattern.children[1], level + 1)
            self.text += ")" * (level < outside)
        elif pattern.operator in PREFIX:
            self.text += PREFIX[pattern.operator]
            self.write(pattern.children[0], _TIGHTEST)
        else:
            self._call(pattern)

    def _call(self, pattern: Apply) -> None:
        operand, to = pattern.operand_type, pattern.type
        converts = pattern.operator in ("convert", "to_int", "bitcast")
        of = f"[{operand or 'T'}->{to or 'T'}]" if converts else ""
        self.name(pattern.operator)
        self.text += f"{of}("
        if pattern.axis:
            self.name(pattern.axis)
            self.text += ", "
        for number, child in enumerate(pattern.children):
            self.text += ", " * (number > 0)
            self.write(child)
        self.text += ")"


def constant_text(pattern: Constant) -> str:
    return f"{pattern.value:g}" if isinstance(pattern.value, float) else str(pattern.value)


def pattern_text(pattern: Pattern) -> str:
    writer = _Writer()
    writer.write(pattern)
    return writer.text


def rule_text(rule: Rule) -> str:
    """``x + 0  ->  x``, with ``<->`` for rows that hold both ways."""
    return f"{pattern_text(rule.left)}  {'<->' if rule.both else '->'}  {pattern_text(rule.right)}"


def pointed(left: Pattern, right: Pattern, name: str, *, at_right: bool | None = None) -> str:
    """The rule on one line, and under it a caret at the first ``name``.

    ``at_right`` says in which side to look, None for the left one if it stands there.
    """
    first, second = _Writer(), _Writer()
    first.write(left)
    second.write(right)
    if at_right is None:
        at_right = name not in first.places and name in second.places
    arrow = "  ->  "
    offset = len(first.text) + len(arrow) if at_right else 0
    place = (second if at_right else first).places.get(name, 0)
    line = first.text + arrow + second.text
    if len(line) > 96 and at_right:  # a polynomial: its beginning will do
        line = line[:93] + "..."
        place = min(place, max(0, 92 - offset))
    return f"    {line}\n    {' ' * (offset + place)}^"
