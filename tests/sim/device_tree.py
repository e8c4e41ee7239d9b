#!/usr/bin/env python3
"""Device tree source to a blob, from standard input to output: the part of dtc that Spike uses.

Spike calls a program ``dtc`` for its own machine description; this one stands in where there is
none. The blob is as in the Devicetree Specification 0.4, chapter 5.
"""

import re
import struct
import sys

TOKEN = re.compile(r'"[^"]*"|[{};=<>]|[^\s{};=<>"]+')
BEGIN_NODE, END_NODE, PROPERTY, END = 1, 2, 3, 9
MAGIC, VERSION, COMPATIBLE_VERSION, HEADER_BYTES = 0xD00DFEED, 17, 16, 40


def _pad(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


class Compiler:
    """One pass over the tokens; ``labels`` numbers the labelled nodes (their phandles)."""

    def __init__(self, source: str) -> None:
        text = source.replace("/dts-v1/;", "")
        labels = re.findall(r"(\w+):", text)
        self.labels = {label: number for number, label in enumerate(labels, 1)}
        self.tokens = TOKEN.findall(text)
        self.at = 0
        self.structure = bytearray()
        self.strings = bytearray()

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def word(self, *values: int) -> None:
        self.structure += struct.pack(f">{len(values)}I", *values)

    def add(self, name: str, value: bytes) -> None:
        """A property of the open node."""
        key = name.encode() + b"\0"
        offset = self.strings.find(key)
        if offset < 0:
            offset = len(self.strings)
            self.strings += key
        self.word(PROPERTY, len(value), offset)
        self.structure += _pad(value)

    def value(self) -> bytes:
        """What stands between ``=`` and ``;``."""
        data = b""
        while (token := self.take()) != ";":
            if token.startswith('"'):
                data += token[1:-1].encode() + b"\0"
            elif token == "<":
                while (cell := self.take()) != ">":
                    number = self.labels[cell[1:]] if cell[0] == "&" else int(cell, 0)
                    data += struct.pack(">I", number)
            elif token.startswith("&"):
                data += token.encode() + b"\0"
        return data

    def node(self, name: str, label: str | None) -> None:
        self.word(BEGIN_NODE)
        self.structure += _pad(name.encode() + b"\0")
        if label is not None:
            self.add("phandle", struct.pack(">I", self.labels[label]))
        while (token := self.take()) != "}":
            label = None
            if token.endswith(":"):
                label, token = token[:-1], self.take()
            match self.take():
                case "{":
                    self.node(token, label)
                case "=":
                    self.add(token, self.value())
                case _:
                    self.add(token, b"")
        self.take()
        self.word(END_NODE)

    def blob(self) -> bytes:
        assert self.take() == "/"
        assert self.take() == "{"
        self.node("", None)
        self.word(END)
        reserved = bytes(16)
        structure = HEADER_BYTES + len(reserved)
        strings = structure + len(self.structure)
        header = struct.pack(
            ">10I", MAGIC, strings + len(self.strings), structure, strings, HEADER_BYTES, VERSION,
            COMPATIBLE_VERSION, 0, len(self.strings), len(self.structure),
        )  # fmt: skip
        return header + reserved + bytes(self.structure) + bytes(self.strings)


if __name__ == "__main__":
    sys.stdout.buffer.write(Compiler(sys.stdin.read()).blob())
