"""Vector loads and stores."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from oxegg.isa.v_memory import WIDTH_FIELD
from oxegg.sim.faults import Cause, MemoryFault
from oxegg.sim.integers import Array
from oxegg.sim.memory import LINE, LINE_SHIFT, Memory
from oxegg.sim.vector_groups import Group
from oxegg.sim.vector_permute import Site
from oxegg.sim.vector_views import ONES, Views

Operation = Callable[..., Any]
U64 = (1 << 64) - 1
FEW_LINES = 1 << 12  # are looked up faster with the gaps between them than row by row
# By the width field of the encoding: the element size that vstart counts in.
ELEMENT_BYTES = {field: width // 8 for width, field in WIDTH_FIELD.items()}


@dataclass(frozen=True)
class Access:
    """How vector accesses reach memory: with or without a clock that wants to know the lines."""

    memory: Memory
    timed: bool
    report: Callable[[int], None]
    """Told how many lines a DRAM access touched first (-1: none of it was DRAM)."""

    def block(self, address: int, size: int, alignment: int, *, write: bool) -> slice | Array:
        """Check ``size`` consecutive bytes; gives their places in memory."""
        table = self.memory.timed if self.timed else self.memory.functional
        first, last = address >> LINE_SHIFT, (address + size - 1 >> LINE_SHIFT) + 1
        if address & (alignment - 1) or table.count(1, first, last) != last - first:
            new = self.memory.check(address, size, alignment, write=write)
            if self.timed and new >= 0:
                self.report(new)
        return slice(address, address + size)

    def certain(self, start: int, stop: int) -> bool:
        """Whether all bytes of a range may be accessed without telling the clock."""
        table = self.memory.timed if self.timed else self.memory.functional
        first, last = start >> LINE_SHIFT, (stop - 1 >> LINE_SHIFT) + 1
        return table.count(1, first, last) == last - first

    def rows(self, address: int, stride: int, rows: int, size: int, *, write: bool) -> Array | None:
        """Check rows of ``size`` bytes, ``stride`` bytes apart; gives a view of them in memory.

        None, and nothing checked, where rows overlap, lie in several regions, or are rare.
        """
        end, last_end = address + rows * stride, address + (rows - 1) * stride + size
        if not (0 < size <= min(stride, LINE) and rows and end <= self.memory.space):
            return None
        near = end - address <= FEW_LINES << LINE_SHIFT
        if not (near and self.certain(address, last_end)):
            region = self.memory.holder(address, last_end - address)
            if region is None or not (region.writable or not write):
                return None
            if region.place not in ("spm", "dram"):
                return None
            if self.timed and region.place == "dram":
                self.report(self._fresh_lines(np.arange(address, end, stride), size))
        return self.memory.bytes[address:end].reshape(rows, stride)[:, :size]

    def _fresh_lines(self, starts: Array, size: int) -> int:
        """Lines under pieces of at most a line that are touched for the first time."""
        touched = self.memory.touched_lines
        lines = np.concatenate((starts >> LINE_SHIFT, starts + (size - 1) >> LINE_SHIFT))
        fresh = lines[touched[lines] == 0]
        touched[fresh] = 1
        return len(np.unique(fresh)) if len(fresh) else 0

    def reachable(self, address: int, size: int) -> bool:
        """Whether ``size`` consecutive bytes can be read."""
        return self.memory.holder(address, size) is not None

    def scattered(self, addresses: Array, size: int, *, write: bool) -> Array:
        """Check elements of ``size`` bytes at ``addresses`` (int64, modulo 2^64; at least one);
        gives their places in memory."""
        low, high = int(addresses.min()), int(addresses.max()) + size
        aligned = not int(np.bitwise_or.reduce(addresses)) & (size - 1)
        if not aligned or low < 0 or high > self.memory.space:
            self.line_by_line(addresses.view(np.uint64), size, write=write)
            return addresses
        # An aligned element lies in one line.
        lines = addresses >> LINE_SHIFT
        table = self.memory.timed_lines if self.timed else self.memory.functional_lines
        if table[lines].all():
            return addresses
        region = self.memory.holder(low, high - low)
        if region is None or (write and not region.writable):
            self.line_by_line(addresses.view(np.uint64), size, write=write)
        elif self.timed and region.place == "dram":
            self.report(self._fresh_lines(addresses, 1))
        return addresses

    def line_by_line(self, addresses: Array, size: int, *, write: bool) -> None:
        """The check of accesses that fault or reach into several regions."""
        refuse_misaligned(addresses, size, write=write)
        total = -1
        for line in np.unique(addresses >> np.uint64(LINE_SHIFT)):
            inside = addresses[addresses >> np.uint64(LINE_SHIFT) == line]
            low, high = int(inside.min()), int(inside.max()) + size
            new = self.memory.check(low, high - low, 1, write=write)
            if new >= 0:
                total = max(total, 0) + new
        if self.timed and total >= 0:
            self.report(total)


def refuse_misaligned(addresses: Array, size: int, *, write: bool) -> None:
    """Raise ``MemoryFault`` for the first of the addresses (uint64) that isn't aligned."""
    misaligned = np.flatnonzero(addresses & np.uint64(size - 1))
    if len(misaligned):
        address = int(addresses[misaligned[0]])
        cause = Cause.STORE_MISALIGNED if write else Cause.LOAD_MISALIGNED
        reason = f"misaligned vector element of {size} bytes at {address:#x}"
        raise MemoryFault(reason, cause, address)


def unit_stride(site: Site, access: Access, group: Group, *, write: bool) -> Operation:
    """vle, vse: elements side by side."""
    views, size = site.views, group.width // 8
    data = views.elements(group, views.vl).view(np.uint8)
    length, memory = views.vl * size, access.memory.bytes
    tail = None if write else views.tail(group, views.vl)

    def load(address: int) -> None:
        data[:] = memory[access.block(address, length, size, write=False)]
        if tail is not None:
            tail[:] = ONES

    def store(address: int) -> None:
        memory[access.block(address, length, size, write=True)] = data

    return store if write else load


def elements_at(
    site: Site, access: Access, group: Group, offsets: Callable[..., Array], *, write: bool
) -> Operation:
    """Elements at ``base + offsets(...)``; fields of a segment side by side."""
    views, size, fields = site.views, group.width // 8, group.operand.fields
    data = [views.elements(group, views.vl, field=field) for field in range(fields)]
    writers = [views.writer(group, field=field) for field in range(fields)] if not write else []
    memory, shift = access.memory.bytes.view(f"u{size}"), size.bit_length() - 1
    steps = np.arange(fields) * size
    # Masked loads leave the inactive elements of this alone, and so do the writers.
    result = np.zeros(views.vl, f"u{size}")

    def operation(address: int, *arguments: int) -> None:
        starts = (offsets(*arguments) + np.uint64(address)).view(np.int64)
        active = views.mask() if views.masked else ...
        starts = starts[active]
        # Element by element, each with all its fields: the order that overlapping stores show.
        spread = starts if fields == 1 else starts[:, None] + steps
        if spread.size:
            spread = access.scattered(spread.ravel(), size, write=write).reshape(spread.shape)
        places = spread >> shift
        if write:
            values = [field[active] for field in data]
            memory[places] = values[0] if fields == 1 else np.stack(values, axis=1)
            return
        for field, writer in enumerate(writers):
            result[active] = memory[places if fields == 1 else places[:, field]]
            writer(result)

    return operation


def strided(site: Site, access: Access, group: Group, *, write: bool) -> Operation:
    """vlse, vsse without a mask: a slice of memory when the stride is positive."""
    views, size = site.views, group.width // 8
    data = views.elements(group, views.vl)
    memory, shift, last = access.memory.bytes.view(f"u{size}"), size.bit_length() - 1, views.vl - 1
    tail = None if write else views.tail(group, views.vl)
    general = elements_at(site, access, group, _strided_offsets(site, group), write=write)

    def operation(address: int, stride: int) -> None:
        end = address + last * stride + size
        if stride <= 0 or not access.certain(address, end) or (address | stride) & (size - 1):
            general(address, stride)
            return
        elements = memory[address >> shift : end >> shift : stride >> shift]
        if write:
            elements[...] = data
            return
        data[...] = elements
        if tail is not None:
            tail[:] = ONES

    return operation


def fault_first(site: Site, access: Access, group: Group) -> Operation:
    """vle*ff: shortens vl to end before the first element that faults; element 0 may not."""
    views, size = site.views, group.width // 8
    state, step = views.state, size * group.operand.fields
    inner = elements_at(site, access, group, _unit_offsets(site, group), write=False)

    def reachable(address: int) -> int:
        """Elements before the first active one that faults."""
        if not address & (size - 1) and access.reachable(address, views.vl * step):
            return views.vl
        for i in np.flatnonzero(views.mask()).tolist():
            start = (address + i * step) & U64
            if start & (size - 1) or not access.reachable(start, step):
                if i == 0:
                    fields = np.uint64(start) + np.arange(0, step, size, dtype=np.uint64)
                    access.scattered(fields.view(np.int64), size, write=False)
                return int(i)
        return views.vl

    def operation(address: int) -> None:
        count = reachable(address)
        if count == views.vl:
            inner(address)
            return
        state.vl = count
        shorter = Views(state, replace(views.config, vl=count), views.vtype, views.by_v0)
        place = Site(site.record, site.groups, shorter, site.sew)
        elements_at(place, access, group, _unit_offsets(place, group), write=False)(address)

    return operation


def _unit_offsets(site: Site, group: Group) -> Callable[[], Array]:
    step = group.width // 8 * group.operand.fields
    offsets = np.arange(site.views.vl, dtype=np.uint64) * np.uint64(step)
    return lambda: offsets


def _strided_offsets(site: Site, group: Group) -> Callable[[int], Array]:
    del group
    numbers = np.arange(site.views.vl, dtype=np.uint64)
    return lambda stride: numbers * np.uint64(stride & U64)


def _indexed_offsets(site: Site, group: Group) -> Callable[[], Array]:
    del group
    index = site.views.elements(site.groups["vs2"], site.views.vl)
    return lambda: index.astype(np.uint64)


def whole_registers(
    site: Site, access: Access, group: Group, count: int, *, write: bool
) -> Operation:
    """vl1r, vs1r, vlm, vsm: ``count`` bytes from element vstart on, whatever vl is."""
    views = site.views
    step = ELEMENT_BYTES[site.record.match >> 12 & 7]
    start, state = views.vstart * step, views.state
    registers = views.registers(group.register, group.registers)
    data, memory = registers[start:count], access.memory.bytes
    rest = registers[count:] if state.fill_agnostic else registers[:0]
    if start >= count:
        return _nothing

    def move(address: int, stop: int) -> None:
        """Move the bytes from ``start`` to ``stop``."""
        places = access.block(address + start, stop - start, 1, write=write)
        if write:
            memory[places] = data[: stop - start]
        else:
            data[: stop - start] = memory[places]

    def run(address: int) -> None:
        try:
            move(address, count)
        except MemoryFault:
            for at in range(start, count, step):
                try:
                    access.block(address + at, step, 1, write=write)
                except MemoryFault:
                    if at > start:
                        move(address, at)
                    state.vstart = at // step
                    state.refresh()
                    raise
            raise
        if not write:
            rest[:] = ONES

    return run


def _nothing(*_: int) -> None:
    """All elements lie before vstart or behind vl."""


def memory_operation(site: Site, access: Access, way: str) -> Operation:
    """The function of a load or store; ``way`` is its operation in the semantics."""
    direction, _, mode = way.partition("_")
    write = direction == "store"
    group = site.groups["vs3" if write else "vd"]
    views = site.views
    if mode == "whole":
        return whole_registers(
            site, access, group, group.registers * views.state.vlenb, write=write
        )
    if views.vl <= views.vstart:
        return _nothing
    if mode == "mask":
        return whole_registers(site, access, group, (views.vl + 7) // 8, write=write)
    if mode == "fault_first":
        return fault_first(site, access, group)
    plain = group.operand.fields == 1 and not views.masked
    if plain and mode in PLAIN:
        operation = PLAIN[mode](site, access, group, write=write)
    else:
        operation = elements_at(site, access, group, OFFSETS[mode](site, group), write=write)
    return resumable(operation, site, access, group, mode, write=write)


PLAIN: Mapping[str, Callable[..., Operation]] = {"unit": unit_stride, "strided": strided}
OFFSETS: Mapping[str, Callable[[Site, Group], Callable[..., Array]]] = {
    "unit": _unit_offsets,
    "strided": _strided_offsets,
    "indexed": _indexed_offsets,
}


def resumable(
    operation: Operation, site: Site, access: Access, group: Group, mode: str, *, write: bool
) -> Operation:
    """``operation`` that, where it faults, has happened up to the element at fault.

    That element's number is in vstart then. The operation itself does nothing when it faults.
    """
    views, size = site.views, group.width // 8
    state, fields = views.state, np.arange(group.operand.fields, dtype=np.uint64) * np.uint64(size)
    offsets = OFFSETS[mode](site, group)

    def run(address: int, *arguments: int) -> None:
        try:
            operation(address, *arguments)
        except MemoryFault:
            # Ones in agnostic elements would be ones in elements that are still to come.
            if state.fill_agnostic:
                raise
            starts = offsets(*arguments) + np.uint64(address)
            for i in np.flatnonzero(views.mask()).tolist():
                try:
                    access.scattered((starts[i] + fields).view(np.int64), size, write=write)
                except MemoryFault:
                    _before(i, site, access, group, mode, write=write)(address, *arguments)
                    state.vstart = i
                    state.refresh()
                    raise
            raise

    return run


def _before(
    count: int, site: Site, access: Access, group: Group, mode: str, *, write: bool
) -> Operation:
    """The accesses of the first ``count`` elements alone."""
    views = site.views
    if count <= views.vstart:
        return _nothing
    shorter = Views(views.state, replace(views.config, vl=count), views.vtype, views.by_v0)
    place = Site(site.record, site.groups, shorter, site.sew)
    return elements_at(place, access, group, OFFSETS[mode](place, group), write=write)
