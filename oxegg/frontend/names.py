"""Axis names of the kernel being traced.

Within a kernel a name has one size. Derived axes (a slice of ``n``, a second copy of ``n`` for an
outer product) get the first fitting name of ``n, n_1, n_2 ...``: the same request gives the same
axis, so that equal views become equal terms without renaming.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from oxegg.errors import LoweringError
from oxegg.ir import Axis


class Names:
    """All axis names of one kernel."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._roots: dict[str, str] = {}
        self._private: set[str] = set()
        self._declared: set[str] = set()

    def declare(self, name: str, size: int) -> Axis:
        """An axis that the user named in an annotation."""
        self._declared.add(name)
        known = self._sizes.setdefault(name, size)
        if known != size:
            raise LoweringError(f"axis {name} has size {known} and size {size}")
        return Axis(name, size)

    def derive(self, like: str, size: int, avoid: Collection[Axis] = ()) -> Axis:
        """An axis of ``size`` named after the axis ``like`` that is none of ``avoid``."""
        for name in self._candidates(like):
            known = self._sizes.get(name)
            if known is None:
                return self._register(name, like, size)
            if known == size and Axis(name, size) not in avoid and name not in self._private:
                return Axis(name, size)
        raise AssertionError("candidates never end")

    def is_declared(self, axis: Axis) -> bool:
        """Whether the name is one that the user wrote."""
        return axis.name in self._declared

    def private(self, like: str, size: int) -> Axis:
        """An axis that :meth:`derive` never hands out again (the counter of a loop)."""
        name = next(n for n in self._candidates(like) if n not in self._sizes)
        self._private.add(name)
        return self._register(name, like, size)

    def _register(self, name: str, like: str, size: int) -> Axis:
        self._sizes[name] = size
        self._roots[name] = self._roots.get(like, like)
        return Axis(name, size)

    def _candidates(self, like: str) -> Iterator[str]:
        root = self._roots.get(like, like)
        yield root
        count = 0
        while True:
            count += 1
            yield f"{root}_{count}"


_CURRENT: ContextVar[Names | None] = ContextVar("oxegg_names", default=None)


def tracing() -> bool:
    """Whether a kernel is being traced right now."""
    return _CURRENT.get() is not None


def names() -> Names:
    """The names of the kernel being traced."""
    current = _CURRENT.get()
    if current is None:
        raise LoweringError("arrays of a traced kernel are of no use outside of it")
    return current


@contextmanager
def new_names() -> Generator[Names]:
    """Trace a kernel: names start afresh."""
    token = _CURRENT.set(Names())
    try:
        yield names()
    finally:
        _CURRENT.reset(token)
