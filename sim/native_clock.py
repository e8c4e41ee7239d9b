"""The clock beside native code: its known steps as a hash table that native code walks.

The clock's states get numbers; an entry says to which state an execution of a block leads, and
counts how often it did. Steps that aren't in the table yet are computed by the clock.
"""

from dataclasses import dataclass, field

import numpy as np

from oxegg.sim.clock import Clock, ClockNode, Step
from oxegg.sim.native_runtime import (
    COUNT,
    ENTRY_WORDS,
    EVENT0,
    EVENT1,
    HASH_SHIFT,
    KEY,
    MULTIPLIERS,
    STEP,
    TARGET,
    TICKS,
    Words,
)

FIRST_ENTRIES = 1 << 12
U64 = (1 << 64) - 1


@dataclass
class Transitions:
    """The steps of ``clock`` that native code knows."""

    clock: Clock
    table: Words = field(init=False)
    _states: dict[ClockNode, int] = field(default_factory=dict[ClockNode, int])
    _nodes: list[ClockNode] = field(default_factory=list[ClockNode])
    _steps: list[Step] = field(default_factory=list[Step])

    def __post_init__(self) -> None:
        self.table = _empty(FIRST_ENTRIES)

    @property
    def mask(self) -> int:
        """What to cut a hash to."""
        return len(self.table) - 1

    def state(self) -> int:
        """Number of the clock's present state."""
        return self._number(self.clock.node)

    def _number(self, node: ClockNode) -> int:
        number = self._states.setdefault(node, len(self._nodes))
        if number == len(self._nodes):
            self._nodes.append(node)
        return number

    def learn(self, state: int, exit_: int, events: tuple[int, int], step: Step) -> None:
        """Make a step known: from ``state`` by exit ``exit_`` with these event words."""
        if 2 * len(self._steps) >= len(self.table):
            self._grow()
        entry = np.zeros(ENTRY_WORDS, np.uint64)
        entry[[KEY, EVENT0, EVENT1]] = state << 32 | exit_, *events
        entry[[TARGET, STEP, TICKS]] = self._number(step.target), len(self._steps), step.ticks
        self._steps.append(step)
        _insert(self.table, entry)

    def _grow(self) -> None:
        old = self.table
        self.table = _empty(2 * len(old))
        for entry in old[old[:, KEY] != 0]:
            _insert(self.table, entry)

    def arrive(self, last_step: int, ticks: int) -> None:
        """Move the clock to where native code has gone, by its last step (-1: nowhere)."""
        if last_step >= 0:
            self.clock.arrive(self._steps[last_step], ticks)

    def settle(self) -> None:
        """Count the executions of each step by native code."""
        counts = self.table[:, COUNT]
        for slot in np.flatnonzero(counts).tolist():
            self._steps[int(self.table[slot, STEP])].count += int(counts[slot])
        counts[:] = 0


def _empty(entries: int) -> Words:
    return np.zeros((entries, ENTRY_WORDS), np.uint64)


def _insert(table: Words, entry: Words) -> None:
    """Put an entry where ``@advance`` looks for it."""
    words = (int(entry[KEY]), int(entry[EVENT0]), int(entry[EVENT1]))
    slot = 0
    for word, multiplier in zip(words, MULTIPLIERS, strict=True):
        slot ^= word * multiplier & U64
    slot >>= HASH_SHIFT
    while table[slot & (len(table) - 1), KEY]:
        slot += 1
    table[slot & (len(table) - 1)] = entry
