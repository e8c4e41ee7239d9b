"""Registers that a loop tree keeps alive at once, before any scheduling or allocation."""

from __future__ import annotations

from collections.abc import Mapping

from oxegg.emit.program import Bank, Loop, Operation, Register

LIMITS: Mapping[Bank, int] = {"x": 26, "f": 32, "v": 32}
"""Registers that kernels can use: x less the stack pointer, zero and their like."""


def excess_pressure(body: list[Operation | Loop]) -> int:
    """Registers beyond the files' sizes at the worst point of each file, in text order."""
    ranges = _Ranges(body)
    return sum(max(0, ranges.most(bank) - limit) for bank, limit in LIMITS.items())


class _Ranges:
    """First and last position of every register; loops keep what comes from outside alive."""

    def __init__(self, body: list[Operation | Loop]) -> None:
        self.first: dict[Register, int] = {}
        self.last: dict[Register, int] = {}
        self.position = 0
        self._visit(body, inside=False)

    def _visit(self, items: list[Operation | Loop], inside: bool) -> None:
        before = set(self.first)
        used: set[Register] = set()
        for item in items:
            if isinstance(item, Loop):
                self._visit(item.body, inside=True)
                continue
            self.position += 1
            for operand in item.operands:
                if isinstance(operand, Register):
                    self.first.setdefault(operand, self.position)
                    self.last[operand] = self.position
                    used.add(operand)
        if inside:
            for register in used & before:
                self.last[register] = self.position

    def most(self, bank: Bank) -> int:
        events: dict[int, int] = {}
        for register, begin in self.first.items():
            if register.bank == bank and self.last[register] > begin:
                end = self.last[register]
                events[begin] = events.get(begin, 0) + register.group
                events[end] = events.get(end, 0) - register.group
        live = most = 0
        for point in sorted(events):
            live += events[point]
            most = max(most, live)
        return most
