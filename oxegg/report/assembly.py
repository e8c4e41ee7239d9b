"""Annotated assembly: comments, labels and mnemonics marked, each loop in its own colour."""

import re
from collections.abc import Sequence
from html import escape

LOOP_COLOURS = 4

_LABEL = re.compile(r"^\s*([.\w$]+):")
_MNEMONIC = re.compile(r"^(\s+)([.\w]+)")


def render_assembly(source: str, loops: Sequence[str]) -> str:
    """The text as HTML lines; ``loops`` are the labels whose bodies get a coloured edge.

    A loop reaches from its label to the last line that names the label again: its backward branch.
    """
    lines = source.splitlines()
    colour = {label: index % LOOP_COLOURS for index, label in enumerate(loops)}
    inside = _innermost_loop(lines, list(loops))
    return "\n".join(
        f'<span class="line{_edge(colour, label)}">{_mark(line)}</span>'
        for line, label in zip(lines, inside, strict=True)
    )


def _edge(colour: dict[str, int], label: str | None) -> str:
    return "" if label is None else f" loop{colour[label]}"


def _innermost_loop(lines: Sequence[str], loops: Sequence[str]) -> list[str | None]:
    inside: list[str | None] = [None] * len(lines)
    spans = [span for label in loops if (span := _span(lines, label)) is not None]
    for first, last, label in sorted(spans, key=lambda span: span[0] - span[1]):
        inside[first : last + 1] = [label] * (last + 1 - first)
    return inside


def _span(lines: Sequence[str], label: str) -> tuple[int, int, str] | None:
    named = re.compile(rf"(?<![\w.$]){re.escape(label)}(?![\w.$])")
    heads = [i for i, line in enumerate(lines) if (m := _LABEL.match(line)) and m[1] == label]
    if not heads:
        return None
    uses = [i for i, line in enumerate(lines) if i >= heads[0] and named.search(_code(line))]
    return heads[0], uses[-1], label


def _code(line: str) -> str:
    return line.partition("#")[0]


def _mark(line: str) -> str:
    code, hash_mark, comment = line.partition("#")
    if _LABEL.match(code):
        shown = f"<b>{escape(code)}</b>"
    else:
        shown = _MNEMONIC.sub(lambda m: f"{m[1]}\0{m[2]}\1", code)
        shown = escape(shown).replace("\0", "<i>").replace("\1", "</i>")
    return f"{shown}<q>{escape(hash_mark + comment)}</q>" if hash_mark else shown
