"""The IR function of a region: registers as local variables, memory accesses, and the ways out.

Registers x and f live in ``alloca``s, which LLVM turns into machine registers; the single exit
writes the changed ones back. The function leaves with a status: ``status = node << 16 | place << 8
| way``.
"""

from dataclasses import dataclass, field

from oxegg.sim.memory import LINE, LINE_SHIFT
from oxegg.sim.native_ir import BRANCH_WEIGHTS, Code
from oxegg.sim.native_runtime import (
    ADVANCE,
    REFUSED,
    access_function,
    load_word,
    store_word,
)
from oxegg.sim.region import REDO

LOCALS = ("status", "pc", "config", "vl", "budget", "event0", "event1", "state")
LOADED = ("budget", "state")
EVENT_BITS = 64


@dataclass(frozen=True)
class Place:
    """An instruction of a region: its block's number in the region, and its number there."""

    node: int
    index: int

    def status(self, way: int) -> int:
        return self.node << 16 | self.index << 8 | way


@dataclass
class Frame:
    """The function being written."""

    timed: bool
    vlenb: int
    code: Code = field(default_factory=Code)
    event_bits: list[int] = field(default_factory=lambda: [0, 0])
    """Bits of the two event words used so far in the present block."""
    _xs: set[int] = field(default_factory=set[int])
    _fs: set[int] = field(default_factory=set[int])
    _written: set[str] = field(default_factory=set[str])

    # Registers

    def x(self, register: int) -> str:
        """The value of an integer register."""
        if register == 0:
            return "0"
        self._xs.add(register)
        return self.code.let(f"load i64, ptr %x{register}")

    def set_x(self, register: int, value: str) -> None:
        """Write an integer register; x0 stays."""
        if register:
            self._xs.add(register)
            self._written.add(f"x{register}")
            self.code.do(f"store i64 {value}, ptr %x{register}")

    def f(self, register: int) -> str:
        """The 64 bits of a float register."""
        self._fs.add(register)
        return self.code.let(f"load i64, ptr %f{register}")

    def set_f(self, register: int, value: str) -> None:
        """Write the 64 bits of a float register."""
        self._fs.add(register)
        self._written.add(f"f{register}")
        self.code.do(f"store i64 {value}, ptr %f{register}")

    def vector(self, register: int, offset: int | str = 0) -> str:
        """Address of a byte of the vector register file."""
        pointer = self.code.offset("%v", register * self.vlenb)
        return self.code.offset(pointer, offset)

    # Ways out

    def leave(self, status: int, **locals_: int | str) -> None:
        """Leave the function; ``locals_`` are put into the context."""
        for name, value in locals_.items():
            self.code.do(f"store i64 {value}, ptr %{name}.l")
        self.code.do(f"store i64 {status}, ptr %status.l")
        self.code.jump("leave")

    def refuse_unless(self, condition: str, place: Place) -> None:
        """Let a lower tier execute the instruction at ``place`` unless the condition holds."""
        ahead, refused = self.code.new_label("ahead"), self.code.new_label("refused")
        self.code.branch(condition, ahead, refused, rare=refused)
        self.code.place(refused)
        self.leave(place.status(REDO))
        self.code.place(ahead)

    # Memory

    def pointer(self, address: str) -> str:
        """Host address of guest memory."""
        return self.code.offset("%memory", address)

    def check(self, address: str, size: int, place: Place, *, write: bool) -> None:
        """Check an aligned scalar access; refuses a misaligned or forbidden one."""
        let, code = self.code.let, self.code
        line = let(f"lshr i64 {address}, {LINE_SHIFT}")
        line = let(f"call i64 @llvm.umin.i64(i64 {line}, i64 %lines)")
        table = "%quick_writable" if write else "%quick_readable"
        have = let(f"zext i8 {let(f'load i8, ptr {code.offset(table, line)}')} to i64")
        end = let(f"add i64 {let(f'and i64 {address}, {LINE - 1}')}, {size}")
        good = let(f"icmp ule i64 {end}, {have}")
        if size > 1:
            low = let(f"and i64 {address}, {size - 1}")
            good = let(f"and i1 {good}, {let(f'icmp eq i64 {low}, 0')}")
        if not self.timed:
            self.refuse_unless(good, place)
            return
        quick, slow = code.new_label("quick"), code.new_label("slow")
        code.branch(good, quick, slow)
        code.place(slow)
        self.check_range(address, size, size, place, write=write, most=1)
        code.jump(quick)
        code.place(quick)

    def check_range(
        self,
        address: str,
        size: int | str,
        align: int,
        place: Place,
        *,
        write: bool,
        most: int,
    ) -> None:
        """Check bytes side by side that touch at most ``most`` lines first."""
        new = self.access(address, size, align, write=write)
        self.refuse_unless(self.code.let(f"icmp ne i64 {new}, {REFUSED}"), place)
        self.note(new, most)

    def access(self, address: str, size: int | str, align: int, *, write: bool) -> str:
        """A call of ``@access``."""
        return self.code.let(
            f"call preserve_mostcc i64 @access(ptr %context, i64 {address}, i64 {size}, "
            f"i64 {align}, i1 {'true' if write else 'false'})"
        )

    def note(self, new: str, most: int) -> None:
        """Tell the clock about an access: -1, or the lines it touched first."""
        if not self.timed:
            return
        word, position, _ = self.event_place(most)
        let = self.code.let
        bits = let(f"shl i64 {let(f'add i64 {new}, 1')}, {position}")
        old = let(f"load i64, ptr %event{word}.l")
        self.code.do(f"store i64 {let(f'or i64 {old}, {bits}')}, ptr %event{word}.l")
        self.event_bits[word] = max(self.event_bits[word], position + event_width(most))

    def event_place(self, most: int) -> tuple[int, int, int]:
        """Word, position and width of the next event."""
        width = event_width(most)
        for word in (0, 1):
            if self.event_bits[word] + width <= EVENT_BITS:
                return word, self.event_bits[word], width
        raise EventOverflow

    # The whole function

    def text(self, entries: int, name: str) -> str:
        """IR module of the finished function, which has ``entries`` blocks to enter at."""
        registers = [f"x{r}" for r in sorted(self._xs)] + [f"f{r}" for r in sorted(self._fs)]
        words = ("memory", "quick_readable", "quick_writable", "x", "f", "v", "counts")
        cases = " ".join(f"i64 {i}, label %node{i}" for i in range(entries))
        enter = [
            f"define i64 @{name}(ptr noalias %context, i64 %entry) {{",
            "start:",
            *(load_word(word, "ptr").rstrip() for word in words),
            load_word("lines").rstrip(),
            *(f"  %{local}.l = alloca i64" for local in LOCALS),
            *(f"  store i64 0, ptr %{local}.l" for local in LOCALS if local not in LOADED),
            *(f"{load_word(local)}  store i64 %{local}, ptr %{local}.l" for local in LOADED),
            *(line for register in registers for line in _load_register(register)),
            f"  switch i64 %entry, label %leave [ {cases} ]",
        ]
        leave = [
            "leave:",
            *(line for register in sorted(self._written) for line in _save_register(register)),
            *(
                f"  %{local}.out = load i64, ptr %{local}.l\n"
                + store_word(local, f"%{local}.out").replace(f"%{local}.p", f"%{local}.q")
                for local in LOCALS
            ),
            "  ret i64 0",
            "}",
        ]
        helpers = access_function(self.timed) + (ADVANCE if self.timed else "")
        return "\n".join([*enter, *self.code.lines, *leave, helpers, BRANCH_WEIGHTS])


class EventOverflow(Exception):
    """A block whose events don't fit into the key of the transition table."""


def event_width(most: int) -> int:
    """Bits of an event: 0 for none, else the number of lines plus 1."""
    return (most + 1).bit_length()


def _load_register(register: str) -> tuple[str, ...]:
    bank, number = register[0], int(register[1:])
    return (
        f"  %{register} = alloca i64",
        f"  %{register}.p = getelementptr i64, ptr %{bank}, i64 {number}",
        f"  %{register}.v = load i64, ptr %{register}.p",
        f"  store i64 %{register}.v, ptr %{register}",
    )


def _save_register(register: str) -> tuple[str, ...]:
    return (
        f"  %{register}.n = load i64, ptr %{register}",
        f"  store i64 %{register}.n, ptr %{register}.p",
    )
