"""Vector registers that a loop tree keeps alive at once, before any allocation."""

from __future__ import annotations

from oxegg.emit.program import Loop, Operation, Register


def vector_pressure(body: list[Operation | Loop]) -> int:
    """Most vector registers (groups counted in full) live at one point, in text order."""
    first: dict[Register, int] = {}
    last: dict[Register, int] = {}
    position = 0

    def visit(items: list[Operation | Loop]) -> None:
        nonlocal position
        start = position
        before = set(first)
        used: set[Register] = set()
        for item in items:
            if isinstance(item, Loop):
                visit(item.body)
                continue
            position += 1
            for operand in item.operands:
                if isinstance(operand, Register) and operand.bank == "v":
                    first.setdefault(operand, position)
                    last[operand] = position
                    used.add(operand)
        if start:  # values from outside stay alive until the loop ends
            for register in used & before:
                last[register] = position

    position = 1
    visit(body)
    events: dict[int, int] = {}
    for register, begin in first.items():
        if last[register] > begin:
            events[begin] = events.get(begin, 0) + register.group
            events[last[register]] = events.get(last[register], 0) - register.group
    live = most = 0
    for point in sorted(events):
        live += events[point]
        most = max(most, live)
    return most
