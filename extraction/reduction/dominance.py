"""Rules that rest on must-sets: cyclic, too dear and dominated options; classes always needed."""

from __future__ import annotations

import time

import numpy as np

from oxegg.extraction.bitset import members, positions, weigh
from oxegg.extraction.reduction.must import MustSets
from oxegg.extraction.reduction.residual import Cost, Option, Residual, add, at_most

_MOST_RIVALS = 400  # comparing all pairs of options is quadratic


def prune(residual: Residual, deadline: float) -> None:
    """One pass of all rules of this module over every class, as far as ``deadline`` allows."""
    must = MustSets.of(residual)
    always = 0
    for root in residual.roots:
        always |= must.of_class[root]
    promoted = {must.order[index] for index in members(always)}
    residual.roots |= promoted
    bound = _Bound(residual, must, always)
    residual.lower = max(residual.lower, residual.objective(bound.base))
    if residual.lower >= residual.upper:
        residual.hopeless = True
        return
    for eclass, options in residual.options.items():
        if time.perf_counter() >= deadline:
            return  # some classes still refer to forced ones, which therefore can't be settled
        residual.options[eclass] = _prune_class(eclass, options, residual, must, bound)
    _settle_forced(residual, must)


def _prune_class(
    eclass: int, options: list[Option], residual: Residual, must: MustSets, bound: _Bound
) -> list[Option]:
    """The options still worth having."""
    own = must.bit[eclass]
    cyclic = eclass in must.cyclic
    kept: list[Option] = []
    closures: list[int] = []
    for option in options:
        closure = must.of_children(option)
        if closure & own or bound.too_dear(eclass, option, closure):
            continue
        # A class that is needed anyway is free to refer to, unless it takes part in cycles here.
        anyway = residual.roots.intersection(option.children)
        if cyclic:
            here = must.component[eclass]
            anyway = {child for child in anyway if must.component[child] != here}
        if anyway:
            option = option.without(anyway)
        kept.append(option)
        closures.append(closure)
    return _undominated(kept, closures, must)


def _undominated(options: list[Option], closures: list[int], must: MustSets) -> list[Option]:
    """Drop ``b`` for ``a`` when ``a`` is no dearer and needs only what ``b`` can't avoid."""
    if len(options) < 2:
        return options
    ranked = sorted(
        range(len(options)), key=lambda i: (sum(options[i].cost), len(options[i].children))
    )
    several = len(options[0].cost) > 1
    bit = must.bit
    kept: list[int] = []
    rivals: list[tuple[int, Cost]] = []
    for i in ranked:
        option = options[i]
        direct = 0
        for child in option.children:
            direct |= bit[child]
        beyond = ~(closures[i] | direct)
        for needs, cost in rivals:
            if not needs & beyond and (not several or at_most(cost, option.cost)):
                break
        else:
            kept.append(i)
            if len(rivals) < _MOST_RIVALS:
                rivals.append((direct, option.cost))
    return options if len(kept) == len(options) else [options[i] for i in sorted(kept)]


class _Bound:
    """Lower bounds on the objective from the cheapest option of every unavoidable class."""

    def __init__(self, residual: Residual, must: MustSets, always: int) -> None:
        self.residual = residual
        self.least: dict[int, Cost] = {
            eclass: tuple(map(min, zip(*(option.cost for option in options), strict=True)))
            for eclass, options in residual.options.items()
        }
        weights = np.array([self.least[eclass] for eclass in must.order], dtype=np.int64)
        weights = weights.reshape(len(must.order), len(residual.paid))
        self.base = add(residual.paid, tuple(weights[positions(always)].sum(axis=0).tolist()))
        everything = add(residual.paid, tuple(weights.sum(axis=0).tolist()))
        self.slack = residual.objective(everything) >= residual.upper
        self.avoidable = ~always
        self.totals: dict[int, Cost] = {}
        if self.slack:
            masks = {
                must.of_children(option) & self.avoidable
                for options in residual.options.values()
                for option in options
            }
            self.totals = weigh(masks, weights, residual.upper)

    def too_dear(self, eclass: int, option: Option, closure: int) -> bool:
        """True when choosing ``option`` can't beat the incumbent."""
        total = add(self.base, option.cost)
        if eclass in self.residual.roots:
            total = tuple(x - y for x, y in zip(total, self.least[eclass], strict=True))
        if self.slack:
            total = add(total, self.totals[closure & self.avoidable])
        return self.residual.objective(total) >= self.residual.upper


def _settle_forced(residual: Residual, must: MustSets) -> None:
    """Settle roots that have one option and no part in cycles: nothing refers to them any more."""
    forced = [
        root
        for root in residual.roots
        if len(residual.options[root]) == 1 and root not in must.cyclic
    ]
    for root in forced:
        residual.settle(root, residual.options[root][0])
