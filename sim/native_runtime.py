"""What native code shares with Python: the context of a run, memory tables, and helper functions.

``FIELDS`` are 64-bit words; native code gets their address. The memory tables have one byte per
64-byte line: how many bytes from the line's start may be accessed.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from oxegg.sim.memory import LINE, LINE_SHIFT, Memory

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]

FIELDS: tuple[str, ...] = (
    "memory", "readable", "writable", "dram", "owner", "touched", "lines", "x", "f", "v",
    # Tables without DRAM lines: an access by them needs no event.
    "quick_readable", "quick_writable",
    "counts", "budget", "status", "pc", "config", "vl", "event0", "event1",
    "state", "step", "ticks", "transitions", "mask", "exits", "callback", "failed", "vxsat",
    "scratch",
)  # fmt: skip
WORD = {name: number for number, name in enumerate(FIELDS)}
OWNERS = 256
LINES_AT_ONCE = 8
"""Lines that the count of touched ones takes as one word; the table has so many more at its end."""
ONE_OF_EACH = 0x0101_0101_0101_0101
REFUSED = -2
"""Result of an access that needs the lower tier: a fault, or a misaligned address."""
ENTRY_WORDS = 8
"""Words of an entry of the transition table, a cache line: one is unused."""
KEY, EVENT0, EVENT1, TARGET, STEP, COUNT, TICKS = range(7)
MULTIPLIERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
HASH_SHIFT = 32


@dataclass(frozen=True)
class MemoryTables:
    """Which bytes of each line may be accessed, which lines are DRAM, whose they are.

    ``owner`` has the number of the line's region, from 1; 0 where that doesn't fit a byte.
    """

    readable: Bytes
    writable: Bytes
    quick_readable: Bytes
    quick_writable: Bytes
    dram: Bytes
    owner: Bytes


def memory_tables(memory: Memory, timed: bool) -> MemoryTables:
    """The tables of all mapped regions; the entry after the last line is 0."""
    lines = (memory.space >> LINE_SHIFT) + 1
    # Zeros of NumPy take no memory before they are written.
    readable, writable, dram, owner = (np.zeros(lines, np.uint8) for _ in range(4))
    quick = (
        (np.zeros(lines, np.uint8), np.zeros(lines, np.uint8)) if timed else (readable, writable)
    )
    for number, region in enumerate(memory.regions, 1):
        # Near-memory buffers change their mode, stores to devices act: the lower tier does those.
        if region.place not in ("spm", "dram"):
            continue
        near = quick if region.place == "spm" else ()
        tables = (readable, *near[:1], *((writable, *near[1:]) if region.writable else ()))
        first, last = -(-region.start // LINE), region.stop // LINE
        for table in tables:
            table[first:last] = LINE
            if last >= first and region.stop % LINE:
                table[last] = max(table[last], region.stop % LINE)
        dram[first : last + 1] = region.place == "dram"
        owner[first : last + 1] = number if number < OWNERS else 0
    return MemoryTables(readable, writable, *quick, dram, owner)


def load_word(name: str, type_: str = "i64") -> str:
    """IR lines that load the context's word ``name`` into ``%name``."""
    return (
        f"  %{name}.p = getelementptr i64, ptr %context, i64 {WORD[name]}\n"
        f"  %{name} = load {type_}, ptr %{name}.p\n"
    )


def store_word(name: str, value: str) -> str:
    """IR lines that store an i64 into the context's word ``name``."""
    return (
        f"  %{name}.p = getelementptr i64, ptr %context, i64 {WORD[name]}\n"
        f"  store i64 {value}, ptr %{name}.p\n"
    )


def access_function(timed: bool) -> str:
    """IR of ``@access``: check bytes side by side.

    It gives -1, for DRAM under a clock the number of lines touched first, or ``REFUSED``. All lines
    but the last must be whole; when the first and the last are of one region, those between are.
    """
    names = ("readable", "writable", "dram", "owner", *(("touched",) if timed else ()))
    tables = "".join(load_word(name, "ptr") for name in names)
    return f"""
define internal preserve_mostcc i64 @access(
    ptr %context, i64 %address, i64 %size, i64 %align, i1 %write) noinline {{
start:
{load_word("lines")}{tables}\
  %low = sub i64 %align, 1
  %crooked = and i64 %address, %low
  %aligned = icmp eq i64 %crooked, 0
  %size.1 = sub i64 %size, 1
  %end = add i64 %address, %size.1
  %ordered = icmp uge i64 %end, %address
  %first = lshr i64 %address, {LINE_SHIFT}
  %last = lshr i64 %end, {LINE_SHIFT}
  %inside = icmp ult i64 %last, %lines
  %good.1 = and i1 %aligned, %ordered
  %good = and i1 %good.1, %inside
  br i1 %good, label %lookup, label %refused
lookup:
  %table = select i1 %write, ptr %writable, ptr %readable
  %begin.p = getelementptr i8, ptr %table, i64 %first
  %begin = load i8, ptr %begin.p
  %tail.p = getelementptr i8, ptr %table, i64 %last
  %tail = load i8, ptr %tail.p
  %need.1 = and i64 %end, {LINE - 1}
  %need = trunc i64 %need.1 to i8
  %enough = icmp ugt i8 %tail, %need
  %first.owner.p = getelementptr i8, ptr %owner, i64 %first
  %first.owner = load i8, ptr %first.owner.p
  %last.owner.p = getelementptr i8, ptr %owner, i64 %last
  %last.owner = load i8, ptr %last.owner.p
  %same = icmp eq i8 %first.owner, %last.owner
  %owned = icmp ne i8 %first.owner, 0
  %whole.1 = icmp eq i8 %begin, {LINE}
  %whole.2 = and i1 %whole.1, %same
  %whole = and i1 %whole.2, %owned
  %single = icmp eq i64 %first, %last
  %filled = or i1 %single, %whole
  %allowed = and i1 %enough, %filled
  br i1 %allowed, label %passed, label %refused
passed:
{_TOUCH if timed else "  ret i64 -1"}
refused:
  ret i64 {REFUSED}
}}
"""


_TOUCH = f"""\
  %kind.p = getelementptr i8, ptr %dram, i64 %first
  %kind = load i8, ptr %kind.p
  %near = icmp eq i8 %kind, 0
  br i1 %near, label %nothing, label %each
nothing:
  ret i64 -1
each:
  %line = phi i64 [ %first, %passed ], [ %line.next, %each ]
  %new = phi i64 [ 0, %passed ], [ %new.next, %each ]
  %known.p = getelementptr i8, ptr %touched, i64 %line
  %known = load i64, ptr %known.p, align 1
  %left = sub i64 %last, %line
  %others = sub i64 {LINES_AT_ONCE - 1}, %left
  %some = call i64 @llvm.smax.i64(i64 %others, i64 0)
  %shift = shl i64 %some, 3
  %wanted = lshr i64 {ONE_OF_EACH}, %shift
  %unknown = xor i64 %known, -1
  %fresh = and i64 %unknown, %wanted
  %more = call i64 @llvm.ctpop.i64(i64 %fresh)
  %new.next = add i64 %new, %more
  %marked = or i64 %known, %fresh
  store i64 %marked, ptr %known.p, align 1
  %line.next = add i64 %line, {LINES_AT_ONCE}
  %again = icmp ule i64 %line.next, %last
  br i1 %again, label %each, label %counted
counted:
  ret i64 %new.next"""


ADVANCE = f"""
define internal preserve_mostcc i64 @advance(
    ptr %context, i64 %state, i64 %exit, i64 %event0, i64 %event1) noinline {{
start:
{load_word("transitions", "ptr")}{load_word("mask")}{load_word("exits")}\
  %number = add i64 %exit, %exits
  %upper = shl i64 %state, 32
  %key = or i64 %upper, %number
  %h0 = mul i64 %key, {MULTIPLIERS[0]}
  %h1 = mul i64 %event0, {MULTIPLIERS[1]}
  %h2 = mul i64 %event1, {MULTIPLIERS[2]}
  %h3 = xor i64 %h0, %h1
  %h4 = xor i64 %h3, %h2
  %hash = lshr i64 %h4, {HASH_SHIFT}
  br label %probe
probe:
  %at = phi i64 [ %hash, %start ], [ %at.next, %other ]
  %slot = and i64 %at, %mask
  %word = mul i64 %slot, {ENTRY_WORDS}
  %entry = getelementptr i64, ptr %transitions, i64 %word
  %found = load i64, ptr %entry
  %e0.p = getelementptr i64, ptr %entry, i64 {EVENT0}
  %e0 = load i64, ptr %e0.p
  %e1.p = getelementptr i64, ptr %entry, i64 {EVENT1}
  %e1 = load i64, ptr %e1.p
  %same.key = icmp eq i64 %found, %key
  %same.0 = icmp eq i64 %e0, %event0
  %same.1 = icmp eq i64 %e1, %event1
  %same.01 = and i1 %same.0, %same.1
  %same = and i1 %same.key, %same.01
  br i1 %same, label %hit, label %miss
hit:
  %count.p = getelementptr i64, ptr %entry, i64 {COUNT}
  %count = load i64, ptr %count.p
  %count.next = add i64 %count, 1
  store i64 %count.next, ptr %count.p
  %step.now.p = getelementptr i64, ptr %entry, i64 {STEP}
  %step.now = load i64, ptr %step.now.p
{store_word("step", "%step.now")}\
  %ticks.more.p = getelementptr i64, ptr %entry, i64 {TICKS}
  %ticks.more = load i64, ptr %ticks.more.p
{load_word("ticks")}\
  %ticks.sum = add i64 %ticks, %ticks.more
  store i64 %ticks.sum, ptr %ticks.p
  %target.p = getelementptr i64, ptr %entry, i64 {TARGET}
  %target = load i64, ptr %target.p
  ret i64 %target
miss:
  %free = icmp eq i64 %found, 0
  br i1 %free, label %unknown, label %other
other:
  %at.next = add i64 %at, 1
  br label %probe
unknown:
  ret i64 -1
}}
"""
