"""Vector instructions that move elements or fold them: slides, gathers, reductions, masks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from oxegg.isa import Instruction
from oxegg.isa.semantics import Apply, Expression
from oxegg.sim import ieee
from oxegg.sim.domains import fold
from oxegg.sim.host_float import canonical
from oxegg.sim.integers import Array
from oxegg.sim.vector_groups import Group
from oxegg.sim.vector_views import ONES, Views

Operation = Callable[..., Any]
U64 = (1 << 64) - 1


@dataclass(frozen=True)
class Site:
    """What a builder needs: the instruction, its groups, its views, its constants."""

    record: Instruction
    groups: Mapping[str, Group]
    views: Views
    sew: int

    @property
    def arguments(self) -> tuple[Expression, ...]:
        value = self.record.statements[0].value
        assert isinstance(value, Apply)
        return value.arguments

    def scalar(self, value: int) -> int:
        """An x or f register value cut to SEW, NaN-boxing checked."""
        is_float = any(o.kind == "f" for o in self.record.operands)
        if is_float and self.sew < 64 and value >> self.sew != (1 << (64 - self.sew)) - 1:
            return ieee.FORMATS[self.sew].nan
        return value & ((1 << self.sew) - 1)


def slide_up(site: Site) -> Operation:
    views, source, target = site.views, site.groups["vs2"], site.groups["vd"]
    data, write = views.whole(source), views.writer(target)
    keep = views.elements(target, views.vl)

    def operation(offset: int) -> None:
        offset = min(offset, views.vl)
        before = keep[:offset].copy()
        result = keep.copy()
        result[offset:] = data[: views.vl - offset]
        write(result)
        # Elements below the offset are untouched whatever the mask policy says.
        keep[:offset] = before

    return operation


def slide_down(site: Site) -> Operation:
    views, source = site.views, site.groups["vs2"]
    limit = site.views.vtype.vlmax(views.state.vlen)
    data, write = views.elements(source, limit), views.writer(site.groups["vd"])

    def operation(offset: int) -> None:
        result = np.zeros(views.vl, data.dtype)
        taken = data[min(offset, limit) :][: views.vl]
        result[: len(taken)] = taken
        write(result)

    return operation


def slide1_up(site: Site) -> Operation:
    views = site.views
    data, write = views.elements(site.groups["vs2"], views.vl), views.writer(site.groups["vd"])

    def operation(value: int) -> None:
        result = np.empty(views.vl, data.dtype)
        result[0], result[1:] = site.scalar(value), data[:-1]
        write(result)

    return operation


def slide1_down(site: Site) -> Operation:
    views = site.views
    data, write = views.elements(site.groups["vs2"], views.vl), views.writer(site.groups["vd"])

    def operation(value: int) -> None:
        result = np.empty(views.vl, data.dtype)
        result[-1], result[:-1] = site.scalar(value), data[1:]
        write(result)

    return operation


def gather(site: Site) -> Operation:
    views = site.views
    limit = views.vtype.vlmax(views.state.vlen)
    data, write = views.elements(site.groups["vs2"], limit), views.writer(site.groups["vd"])
    indices = site.groups.get("vs1")

    def pick(index: Array) -> None:
        inside = index < limit
        write(np.where(inside, data[np.where(inside, index, 0).astype(np.int64)], 0))

    def pick_one(index: int) -> None:
        pick(np.full(views.vl, index, np.uint64))

    if indices is None:
        return pick_one
    index_view = views.elements(indices, views.vl)
    return lambda: pick(index_view)


def compress(site: Site) -> Operation:
    views, target = site.views, site.groups["vd"]
    data = views.elements(site.groups["vs2"], views.vl)
    selector, out = site.groups["vs1"].register, views.elements(target, views.vl)
    tail = views.tail(target, 0)

    def operation() -> None:
        chosen = data[views.bits(selector, views.vl).view(np.bool_)]
        out[: len(chosen)] = chosen
        # Elements between the last one chosen and vl are tail as well.
        if tail is not None:
            tail[len(chosen) * target.width // 8 :] = ONES

    return operation


def index(site: Site) -> Operation:
    write, target = site.views.writer(site.groups["vd"]), site.groups["vd"]
    # Indices beyond the element type wrap.
    values = np.arange(site.views.vl).astype(f"u{target.width // 8}")
    return lambda: write(values)


def iota(site: Site) -> Operation:
    views, target = site.views, site.groups["vd"]
    write, source = views.writer(target), site.groups["vs2"].register

    def operation() -> None:
        bits = _active_bits(views, source).astype(np.int64)
        write((np.cumsum(bits) - bits).astype(f"u{target.width // 8}"))

    return operation


def _active_bits(views: Views, register: int) -> Array:
    bits = views.bits(register, views.vl).view(np.bool_)
    return bits & views.mask() if views.masked else bits


def mask_popcount(site: Site) -> Operation:
    source, views = site.groups["vs2"].register, site.views
    return lambda: int(np.count_nonzero(_active_bits(views, source)))


def mask_first(site: Site) -> Operation:
    source, views = site.groups["vs2"].register, site.views

    def operation() -> int:
        bits = _active_bits(views, source)
        return int(bits.argmax()) if bits.any() else U64

    return operation


def mask_prefix(*, before: bool, at: bool) -> Callable[[Site], Operation]:
    """vmsbf (before), vmsif (before and at) and vmsof (at the first set bit)."""

    def build(site: Site) -> Operation:
        views, source = site.views, site.groups["vs2"].register
        write = views.mask_writer(site.groups["vd"].register)

        def operation() -> None:
            bits = _active_bits(views, source)
            first = int(bits.argmax()) if bits.any() else views.vl
            result = np.zeros(views.vl, np.uint8)
            if before:
                result[:first] = 1
            if at:
                result[first : first + 1] = 1
            write(result)

        return operation

    return build


def element0(site: Site) -> Operation:
    group = site.groups["vs2"]
    signed = isinstance(site.arguments[0], Apply)
    source = site.views.elements(group, 1, kind="i" if signed else "u")
    # A float goes to its register NaN-boxed.
    is_float = any(o.kind == "f" for o in site.record.operands)
    box = U64 << group.width & U64 if is_float else 0
    return lambda: int(source[0]) & U64 | box


def insert0(site: Site) -> Operation:
    target = site.views.elements(site.groups["vd"], 1)
    tail = site.views.tail(site.groups["vd"], 1)

    def operation(value: int) -> None:
        target[0] = site.scalar(value)
        if tail is not None:
            tail[:] = ONES

    return operation


def copy(site: Site) -> Operation:
    """vmv<nr>r.v: from element vstart to the end of the registers, whatever vl is."""
    target, source = site.groups["vd"], site.groups["vs2"]
    start = site.views.vstart * site.sew // 8
    out = site.views.registers(target.register, target.registers)[start:]
    data = site.views.registers(source.register, source.registers)[start:]
    return lambda: np.copyto(out, data.copy())


INTEGER_FOLDS: Mapping[str, Callable[[Array, Any], Any]] = {
    "reduce_add": lambda data, start: int(data.sum(dtype=np.int64)) + int(start),
    "reduce_and": lambda data, start: np.bitwise_and.reduce(data, initial=start),
    "reduce_or": lambda data, start: np.bitwise_or.reduce(data, initial=start),
    "reduce_xor": lambda data, start: np.bitwise_xor.reduce(data, initial=start),
    "reduce_min": lambda data, start: data.min(initial=start),
    "reduce_max": lambda data, start: data.max(initial=start),
}


def integer_fold(name: str) -> Callable[[Site], Operation]:
    def build(site: Site) -> Operation:
        views, target = site.views, site.groups["vd"]
        kinds = ["i" if isinstance(a, Apply) and a.operation == "s" else "u"
                 for a in site.arguments]  # fmt: skip
        start = views.elements(site.groups["vs1"], 1, kind=kinds[0])
        data = views.elements(site.groups["vs2"], views.vl, kind=kinds[1])
        finish = _scalar_result(views, target)
        fold, mask = INTEGER_FOLDS[name], (1 << target.width) - 1

        def operation() -> None:
            chosen = data[views.mask()] if views.masked else data
            finish(int(fold(chosen, start[0])) & mask)

        return operation

    return build


def _scalar_result(views: Views, target: Group) -> Callable[[int], None]:
    """Write element 0 of a reduction's result and its tail."""
    out, tail = views.elements(target, 1), views.tail(target, 1)

    def write(bits: int) -> None:
        out[0] = bits
        if tail is not None:
            tail[:] = ONES

    return write


Step = Callable[[int, int], int]


def _fold_with(form: ieee.Format, name: str, mode: int, flags: ieee.Flags) -> Step:
    """The two-argument operation of a float fold, on bit patterns."""
    if name == "reduce_fmin":
        return lambda a, b: ieee.fmin(form, a, b, flags)
    if name == "reduce_fmax":
        return lambda a, b: ieee.fmax(form, a, b, flags)
    return lambda a, b: ieee.fadd(form, a, b, mode, flags)


def float_fold(name: str) -> Callable[[Site], Operation]:
    def build(site: Site) -> Operation:
        views, target = site.views, site.groups["vd"]
        form, flags = ieee.FORMATS[target.width], views.state.flags
        kind = np.dtype(f"f{target.width // 8}")
        start = views.elements(site.groups["vs1"], 1)
        data = views.elements(site.groups["vs2"], views.vl)
        source = ieee.FORMATS[8 * data.dtype.itemsize]
        finish = _scalar_result(views, target)
        mode = views.config.frm
        step = _fold_with(form, name, mode, flags)
        fast = name.startswith("reduce_fadd") and mode == ieee.NEAREST_EVEN
        fast = fast and not views.state.track_flags
        domain = views.state.domain

        def alone() -> int:
            """Without active elements. The unordered sum may make a NaN canonical, and does."""
            bits = int(start[0])
            return ieee.canonical(form, bits, flags) if name == "reduce_fadd" else bits

        def over_domain() -> None:
            assert domain is not None
            chosen = data[views.mask()] if views.masked else data
            finish(fold(domain, name, form, source, int(start[0]), list(map(int, chosen))))

        def operation() -> None:
            chosen = data[views.mask()] if views.masked else data
            if not len(chosen):
                finish(alone())
            elif fast:
                # A running sum adds in element order, one rounding each.
                values = chosen.view(f"f{data.dtype.itemsize}").astype(kind)
                wide = np.concatenate((start.view(kind), values))
                total = canonical(np.add.accumulate(wide, dtype=kind)[-1:])
                finish(int(total.view(start.dtype)[0]))
            elif source == form:
                finish(reduce(step, map(int, chosen), int(start[0])))
            else:
                wide = (ieee.fcvt(form, source, int(b), mode, flags) for b in chosen)
                finish(reduce(step, wide, int(start[0])))

        return operation if domain is None else over_domain

    return build


BUILDERS: Mapping[str, Callable[[Site], Operation]] = {
    "slide_up": slide_up, "slide_down": slide_down,
    "slide1_up": slide1_up, "slide1_down": slide1_down,
    "gather": gather, "compress": compress, "index": index, "iota": iota, "copy": copy,
    "mask_popcount": mask_popcount, "mask_first": mask_first,
    "mask_before": mask_prefix(before=True, at=False),
    "mask_including": mask_prefix(before=True, at=True),
    "mask_only": mask_prefix(before=False, at=True),
    "element0": element0, "insert0": insert0,
    **{name: integer_fold(name) for name in INTEGER_FOLDS},
    **{name: float_fold(name)
       for name in ("reduce_fadd", "reduce_fadd_ordered", "reduce_fmin", "reduce_fmax")},
}  # fmt: skip
ALWAYS = frozenset({"copy", "element0", "mask_popcount", "mask_first"})
"""Operations that also run when vl is 0."""
