"""LLVM IR as text: a builder for straight-line code, counted loops and side exits.

Values are names such as ``%t12``. With ``lanes`` types are vectors of that many elements; the
arithmetic is the same.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

FLOATS = {16: "half", 32: "float", 64: "double"}


class Unsupported(Exception):
    """The native tier has no code for this instruction; a lower tier executes it."""


def signed_literal(value: int, width: int) -> int:
    """The number that LLVM prints for the low ``width`` bits."""
    value &= (1 << width) - 1
    return value - (1 << width) if width > 1 and value >> (width - 1) else value


@dataclass
class Fold:
    """A loop with a carried value: the body reads ``value`` and sets ``next``.

    After the loop ``next`` is the final value.
    """

    index: str
    value: str
    next: str = ""


@dataclass
class Code:
    """IR of one function in the making."""

    lines: list[str] = field(default_factory=list[str])
    block: str = "start"
    """Label of the basic block that is being written."""
    _numbers: int = 0

    def _fresh(self, stem: str) -> str:
        self._numbers += 1
        return f"{stem}{self._numbers}"

    def let(self, operation: str) -> str:
        """Append an instruction with a result; gives the result's name."""
        name = "%" + self._fresh("t")
        self.lines.append(f"  {name} = {operation}")
        return name

    def do(self, operation: str) -> None:
        """Append an instruction without a result."""
        self.lines.append(f"  {operation}")

    def new_label(self, stem: str) -> str:
        """A label to branch to; it still has to be placed."""
        return self._fresh(stem)

    def place(self, label: str) -> None:
        """Start the basic block ``label``; the block before must have been left."""
        self.lines.append(f"{label}:")
        self.block = label

    def branch(self, condition: str, then: str, otherwise: str, *, rare: str = "") -> None:
        """Leave the block; ``rare`` names the successor that is unlikely."""
        weights = {then: ", !prof !0", otherwise: ", !prof !1"}.get(rare, "")
        self.do(f"br i1 {condition}, label %{then}, label %{otherwise}{weights}")

    def jump(self, label: str) -> None:
        """Leave the block."""
        self.do(f"br label %{label}")

    @contextmanager
    def loop(self, count: int | str, start: int | str = 0) -> Generator[str]:
        """Body executed for ``start`` <= index < ``count``, at least once. Yields the index."""
        with self.fold(count, "i1", "false", start) as fold:
            yield fold.index

    @contextmanager
    def fold(
        self, count: int | str, type_: str, initial: str, start: int | str = 0
    ) -> Generator["Fold"]:
        """As ``loop``, with a value that is carried from round to round."""
        head, latch, done = (self.new_label(stem) for stem in ("loop", "latch", "done"))
        fold = Fold("%" + self._fresh("i"), "%" + self._fresh("c"))
        before, fold.next = self.block, fold.value
        self.jump(head)
        self.place(head)
        self.do(f"{fold.index} = phi i64 [ {start}, %{before} ], [ {fold.index}.next, %{latch} ]")
        phi = len(self.lines)
        yield fold
        self.lines.insert(
            phi,
            f"  {fold.value} = phi {type_} [ {initial}, %{before} ], [ {fold.next}, %{latch} ]",
        )
        self.jump(latch)
        self.place(latch)
        self.do(f"{fold.index}.next = add nuw i64 {fold.index}, 1")
        more = self.let(f"icmp ult i64 {fold.index}.next, {count}")
        self.branch(more, head, done)
        self.place(done)

    def offset(self, pointer: str, offset: int | str) -> str:
        """``pointer`` plus bytes."""
        if offset == 0:
            return pointer
        return self.let(f"getelementptr i8, ptr {pointer}, i64 {offset}")


BRANCH_WEIGHTS = """\
!0 = !{!"branch_weights", i32 1, i32 1000}
!1 = !{!"branch_weights", i32 1000, i32 1}
"""
