"""Must-sets: the classes that every choice for a class needs."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from oxegg.extraction.reduction.components import strong_components
from oxegg.extraction.reduction.residual import Option, Residual

_EVERYTHING = -1  # the mask of all bits: what is not known yet


@dataclass(frozen=True)
class MustSets:
    """``of_class[c]`` as a bit set over positions in ``order``; components leaves first.

    ``bit[c]`` is the set of ``c`` alone.

    A class must have itself and whatever all of its options must have through their children:
    the greatest fixpoint; options that always lead back to the class don't count. ``cyclic``
    holds the classes of components with more than one member.
    """

    order: list[int]
    position: dict[int, int]
    bit: dict[int, int]
    of_class: dict[int, int]
    component: dict[int, int]
    cyclic: frozenset[int]

    def of_children(self, option: Option) -> int:
        """The union of the must-sets of the option's children."""
        union = 0
        for child in option.children:
            union |= self.of_class[child]
        return union

    @classmethod
    def of(cls, residual: Residual) -> MustSets:
        """Worklist from the leaves up; every class of ``residual`` must be buildable."""
        options = residual.options
        successors = {
            eclass: set[int]().union(*(option.children for option in choices))
            for eclass, choices in options.items()
        }
        parts = strong_components(successors)
        order = [eclass for part in parts for eclass in part]
        position = {eclass: index for index, eclass in enumerate(order)}
        bit = {eclass: 1 << index for eclass, index in position.items()}
        component = {eclass: index for index, part in enumerate(parts) for eclass in part}
        of_class = dict.fromkeys(order, _EVERYTHING)
        for part in parts:
            if len(part) == 1:
                eclass = part[0]
                meet = _meet(options[eclass], of_class, 0)
                of_class[eclass] = (meet or 0) | bit[eclass]
            else:
                _fixpoint(part, options, successors, position, of_class)
        cyclic = frozenset(eclass for part in parts if len(part) > 1 for eclass in part)
        return cls(order, position, bit, of_class, component, cyclic)


def _meet(options: list[Option], known: dict[int, int], own: int) -> int | None:
    """The intersection over options; None while every option waits for an unknown class."""
    meet = _EVERYTHING
    for option in options:
        union = 0
        for child in option.children:
            union |= known[child]
        if union & own or union == _EVERYTHING:
            continue
        meet &= union
        if not meet:
            return 0
    return None if meet == _EVERYTHING else meet


def _fixpoint(
    part: list[int],
    options: dict[int, list[Option]],
    successors: dict[int, set[int]],
    position: dict[int, int],
    of_class: dict[int, int],
) -> None:
    """Greatest fixpoint inside one component: unknown means "everything" and only shrinks."""
    inside = set(part)
    users: dict[int, list[int]] = {eclass: [] for eclass in part}
    for eclass in part:
        for child in successors[eclass] & inside:
            users[child].append(eclass)
    heap = [(position[eclass], eclass) for eclass in part]
    heapify(heap)
    waiting = set(part)
    while heap:
        _, eclass = heappop(heap)
        waiting.discard(eclass)
        own = 1 << position[eclass]
        meet = _meet(options[eclass], of_class, own)
        if meet is None or of_class[eclass] == meet | own:
            continue
        of_class[eclass] = meet | own
        for user in users[eclass]:
            if user not in waiting:
                waiting.add(user)
                heappush(heap, (position[user], user))
