"""Rules that shrink a residual; each keeps a choice that beats ``upper`` if there was one.

Rules may leave a class without options, or without users: ``drop_unbuildable`` and
``drop_unreachable`` clean up and notice when nothing is left to find.
"""

from __future__ import annotations

import time

from oxegg.extraction.reduction.residual import Option, Residual, add


def drop_unbuildable(residual: Residual) -> None:
    """Options with a child that has no finite term, and classes without options, go."""
    done = _buildable(residual.options)
    if len(done) == len(residual.options):
        return
    residual.hopeless = not residual.roots <= done
    residual.options = {
        eclass: [option for option in options if option.children <= done]
        for eclass, options in residual.options.items()
        if eclass in done
    }


def _buildable(options: dict[int, list[Option]]) -> set[int]:
    """Classes with a finite term; each option waits for one missing child at a time."""
    done: set[int] = set()
    waiting: dict[int, list[tuple[int, Option]]] = {}
    # Classes are kept in the order of discovery from the roots: children tend to come later.
    for start in reversed(options):
        ready = [(start, option) for option in options[start]]
        while ready:
            eclass, option = ready.pop()
            if eclass in done:
                continue
            for child in option.children:
                if child not in done:
                    waiting.setdefault(child, []).append((eclass, option))
                    break
            else:
                done.add(eclass)
                ready.extend(waiting.pop(eclass, ()))
    return done


def drop_unreachable(residual: Residual) -> None:
    """Classes that no root can need go."""
    seen = set(residual.roots)
    stack = list(seen)
    while stack:
        for option in residual.options[stack.pop()]:
            for child in option.children:
                if child not in seen:
                    seen.add(child)
                    stack.append(child)
    if len(seen) == len(residual.options):
        return
    residual.options = {c: options for c, options in residual.options.items() if c in seen}


def drop_parallel(residual: Residual) -> None:
    """Of options of a class with the same children, the cheapest stays (``a + b``, ``b + a``)."""
    if len(residual.paid) > 1:
        return  # cost vectors need not be comparable; dominance looks at them one by one
    for eclass, options in residual.options.items():
        best: dict[frozenset[int], Option] = {}
        for option in options:
            rival = best.setdefault(option.children, option)
            if option.cost < rival.cost:
                best[option.children] = option
        if len(best) < len(options):
            residual.options[eclass] = list(best.values())


def drop_uses_of_sole_root(residual: Residual) -> None:
    """Everything chosen lies below a sole root, so needing that root closes a cycle."""
    if len(residual.roots) != 1:
        return
    root = next(iter(residual.roots))
    for eclass, options in residual.options.items():
        kept = [option for option in options if root not in option.children]
        if len(kept) < len(options):
            residual.options[eclass] = kept


def take_free_leaves(residual: Residual) -> None:
    """A class with a free option that needs settled classes only is settled by it everywhere."""
    waiting: dict[int, list[tuple[int, int]]] = {}
    missing: dict[tuple[int, int], int] = {}
    ready: list[tuple[int, int]] = []
    for eclass, options in residual.options.items():
        for index, option in enumerate(options):
            if any(option.cost):
                continue
            missing[eclass, index] = len(option.children)
            for child in option.children:
                waiting.setdefault(child, []).append((eclass, index))
            if not option.children:
                ready.append((eclass, index))
    settled: dict[int, Option] = {}
    while ready:
        eclass, index = ready.pop()
        if eclass in settled:
            continue
        settled[eclass] = residual.options[eclass][index]
        for key in waiting.get(eclass, ()):
            missing[key] -= 1
            if not missing[key]:
                ready.append(key)
    if not settled:
        return
    for eclass, leaf in settled.items():
        residual.settle(eclass, leaf.without(settled))
    for options in residual.options.values():
        for index, option in enumerate(options):
            if not settled.keys().isdisjoint(option.children):
                options[index] = option.without(settled)


def inline(residual: Residual, deadline: float, *, widest: int = 2**62) -> bool:
    """Replace classes by their options inside their users where that does not grow the whole.

    Two cases: a single free option, whose children the users take over; and all uses in one class,
    where each use is multiplied out (the class is then needed at most once). Stops at ``deadline``.
    Users with more than ``widest`` options stay as they are: each class inlined there copies them.
    Returns whether there was anything to inline: what it leaves may be worth another pass.
    """
    users = residual.users()
    changed = False
    for eclass in list(residual.options):
        if time.perf_counter() >= deadline:
            break
        above = users[eclass]
        options = residual.options[eclass]
        if eclass in residual.roots or eclass in above or not above:
            continue
        if any(len(residual.options[user]) > widest for user in above):
            continue
        if not _worth_inlining(residual, eclass, above):
            continue
        for user in above:
            merged: list[Option] = []
            for option in residual.options[user]:
                if eclass in option.children:
                    merged += _multiplied(user, option, eclass, options)
                else:
                    merged.append(option)
            residual.options[user] = merged
        # From here on `users` may hold a class too many, which only makes this rule more timid.
        for option in options:
            for child in option.children:
                users[child].discard(eclass)
                users[child] |= above
        del residual.options[eclass]
        changed = True
    return changed


def _worth_inlining(residual: Residual, eclass: int, above: set[int]) -> bool:
    options = residual.options[eclass]
    free = len(options) == 1 and not any(options[0].cost)
    if not free and len(above) > 1:
        return False
    if len(options) > 1 and any(
        user in residual.roots and len(residual.options[user]) == 1 for user in above
    ):
        return False  # a root with one option is settled soon, as long as it has one
    uses = 0
    for user in above:
        for option in residual.options[user]:
            uses += eclass in option.children
    if free:
        width = len(options[0].children)
        return uses * width <= uses + width + 4
    return uses * len(options) <= uses + len(options)


def _multiplied(user: int, option: Option, eclass: int, inner: list[Option]) -> list[Option]:
    outer = option.children - {eclass}
    return [
        Option(add(option.cost, each.cost), outer | each.children, option.picks + each.picks)
        for each in inner
        if user not in each.children
    ]
