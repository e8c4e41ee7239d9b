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
    "memory", "readable", "writable", "dram", "touched", "lines", "x", "f", "v",
    # Tables without DRAM lines: an access by them needs no event.
    "quick_readable", "quick_writable",
    "counts", "budget", "status", "pc", "config", "vl", "event0", "event1",
    "state", "step", "ticks", "transitions", "mask", "exits", "callback", "failed", "vxsat",
    "scratch",
)  # fmt: skip
WORD = {name: number for number, name in enumerate(FIELDS)}
REFUSED = -2
"""Result of an access that needs the lower tier: a fault, or a misaligned address."""
ENTRY_WORDS = 8
"""Words of an entry of the transition table, a cache line: one is unused."""
KEY, EVENT0, EVENT1, TARGET, STEP, COUNT, TICKS = range(7)
MULTIPLIERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
HASH_SHIFT = 32


@dataclass(frozen=True)
class MemoryTables:
    """Which bytes of each line may be accessed, and which lines are DRAM."""

    readable: Bytes
    writable: Bytes
    quick_readable: Bytes
    quick_writable: Bytes
    dram: Bytes


def memory_tables(memory: Memory, timed: bool) -> MemoryTables:
    """The tables of all mapped regions; the entry after the last line is 0."""
    lines = (memory.space >> LINE_SHIFT) + 1
    # Zeros of NumPy take no memory before they are written.
    readable, writable, dram = (np.zeros(lines, np.uint8) for _ in range(3))
    quick = (
        (np.zeros(lines, np.uint8), np.zeros(lines, np.uint8)) if timed else (readable, writable)
    )
    for region in memory.regions:
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
    return MemoryTables(readable, writable, *quick, dram)


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

    It gives -1, for DRAM under a clock the number of lines touched first, or ``REFUSED``.
    """
    touch = (
        """\
  %known.p = getelementptr i8, ptr %touched, i64 %line
  %known = load i8, ptr %known.p
  %fresh = xor i8 %known, 1
  %fresh.w = zext i8 %fresh to i64
  %more = select i1 %far, i64 %fresh.w, i64 0
  %new.next = add i64 %new, %more
  %mark = select i1 %far, i8 1, i8 %known
  store i8 %mark, ptr %known.p
"""
        if timed
        else "  %new.next = add i64 %new, 0\n"
    )
    tables = "".join(load_word(name, "ptr") for name in ("readable", "writable", "dram", "touched"))
    result = "select i1 %far, i64 %new.next, i64 -1" if timed else "add i64 -1, 0"
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
  %kind.p = getelementptr i8, ptr %dram, i64 %first
  %kind = load i8, ptr %kind.p
  %far = icmp ne i8 %kind, 0
  %last.bytes.1 = and i64 %end, {LINE - 1}
  %last.bytes = add i64 %last.bytes.1, 1
  br label %each
each:
  %line = phi i64 [ %first, %lookup ], [ %line.next, %passed ]
  %new = phi i64 [ 0, %lookup ], [ %new.next, %passed ]
  %is.last = icmp eq i64 %line, %last
  %need = select i1 %is.last, i64 %last.bytes, i64 {LINE}
  %have.p = getelementptr i8, ptr %table, i64 %line
  %have.b = load i8, ptr %have.p
  %have = zext i8 %have.b to i64
  %enough = icmp uge i64 %have, %need
  %same.p = getelementptr i8, ptr %dram, i64 %line
  %same.b = load i8, ptr %same.p
  %same = icmp eq i8 %same.b, %kind
  %pass = and i1 %enough, %same
  br i1 %pass, label %passed, label %refused
passed:
{touch}\
  %line.next = add i64 %line, 1
  br i1 %is.last, label %done, label %each
done:
  %result = {result}
  ret i64 %result
refused:
  ret i64 {REFUSED}
}}
"""


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
