"""NumPy views of the vector register file, and the writes that follow the tail and mask policy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.isa import VType
from oxegg.sim.state import State, VectorConfig
from oxegg.sim.vector_groups import Group

Array = npt.NDArray[Any]
ONES = 0xFF
FLOAT_BYTES = (2, 4, 8)


class Views:
    """Views for one instruction under one configuration; the register file never moves.

    ``masked`` says that some elements may be inactive: by ``v0.t``, or because they lie below
    vstart (those stay undisturbed whatever the policy says).
    """

    def __init__(self, state: State, config: VectorConfig, vtype: VType, masked: bool) -> None:
        self.state, self.config, self.vtype = state, config, vtype
        self.vl, self.vstart = config.vl, config.vstart
        self.by_v0, self.masked = masked, masked or config.vstart > 0
        self.tail_agnostic = vtype.tail_agnostic and state.fill_agnostic
        self.mask_agnostic = masked and vtype.mask_agnostic and state.fill_agnostic

    def registers(self, first: int, count: int) -> Array:
        """Bytes of ``count`` registers."""
        vlenb = self.state.vlenb
        return self.state.v[first * vlenb : (first + count) * vlenb]

    def elements(self, group: Group, count: int, *, field: int = 0, kind: str = "u") -> Array:
        """The first ``count`` elements of a group (of one field of a segment)."""
        per_field = group.registers // group.operand.fields
        data = self.registers(group.register + field * per_field, per_field)
        return data.view(f"{kind}{group.width // 8}")[:count]

    def whole(self, group: Group, kind: str = "u") -> Array:
        """All elements of a group's registers."""
        return self.elements(group, self.state.vlenb * 64, kind=kind)

    def bits(self, register: int, count: int) -> Array:
        """The first mask bits of a register, as 0 or 1 (a copy)."""
        return np.unpackbits(self.registers(register, 1), count=count, bitorder="little")

    def mask(self) -> Array:
        """The active elements, as booleans (a copy)."""
        active = self.bits(0, self.vl) if self.by_v0 else np.ones(self.vl, np.uint8)
        active[: self.vstart] = 0
        return active.view(np.bool_)

    def body(self, active: Array) -> Array:
        """The inactive elements that an agnostic mask policy fills."""
        inactive = ~active
        inactive[: self.vstart] = False
        return inactive

    def tail(self, group: Group, count: int, *, field: int = 0) -> Array | None:
        """Bytes after ``count`` elements that an agnostic tail fills; None to leave them."""
        if not self.tail_agnostic:
            return None
        per_field = group.registers // group.operand.fields
        data = self.registers(group.register + field * per_field, per_field)
        rest = data[count * group.width // 8 :]
        return rest if len(rest) else None

    def writer(self, group: Group, *, field: int = 0) -> Callable[[Array], None]:
        """A function that writes a result (bits of the element type) by the policies."""
        target = self.elements(group, self.vl, field=field)
        tail = self.tail(group, self.vl, field=field)
        if not self.masked:
            return _plain_writer(target, tail)
        agnostic, mask = self.mask_agnostic, self.mask
        ones = target.dtype.type((1 << group.width) - 1)

        def write(result: Array) -> None:
            active = mask()
            np.copyto(target, result, where=active)
            if agnostic:
                np.copyto(target, ones, where=self.body(active))
            if tail is not None:
                tail[:] = ONES

        return write

    def mask_writer(self, register: int) -> Callable[[Array], None]:
        """A function that writes mask bits; the tail of a mask is agnostic under any policy."""
        data = self.registers(register, 1)
        vl, vlen, fill = self.vl, self.state.vlen, self.state.fill_agnostic

        def write(result: Array) -> None:
            bits = np.ones(vlen, np.uint8) if fill else self.bits(register, vlen)
            if self.masked:
                active = self.mask()
                old = self.bits(register, vl)
                if self.mask_agnostic:
                    old[self.body(active)] = 1
                bits[:vl] = np.where(active, result, old)
            else:
                bits[:vl] = result
            data[:] = np.packbits(bits, bitorder="little")

        return write


def _plain_writer(target: Array, tail: Array | None) -> Callable[[Array], None]:
    if tail is None:
        return lambda result: np.copyto(target, result)

    def write(result: Array) -> None:
        target[...] = result
        tail[:] = ONES

    return write
