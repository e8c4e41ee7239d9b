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
    """Views for one instruction under one configuration; the register file never moves."""

    def __init__(self, state: State, config: VectorConfig, vtype: VType, masked: bool) -> None:
        self.state, self.config, self.vtype, self.masked = state, config, vtype, masked
        self.vl = config.vl

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
        return self.bits(0, self.vl).view(np.bool_)

    def tail(self, group: Group, count: int, *, field: int = 0) -> Array | None:
        """Bytes after ``count`` elements that an agnostic tail fills; None to leave them."""
        if not self.vtype.tail_agnostic:
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
        agnostic, mask = self.vtype.mask_agnostic, self.mask
        ones = target.dtype.type((1 << group.width) - 1)

        def write(result: Array) -> None:
            active = mask()
            np.copyto(target, result, where=active)
            if agnostic:
                np.copyto(target, ones, where=~active)
            if tail is not None:
                tail[:] = ONES

        return write

    def mask_writer(self, register: int) -> Callable[[Array], None]:
        """A function that writes mask bits; the tail of a mask is always agnostic."""
        data = self.registers(register, 1)
        vl, vlen, masked, agnostic = self.vl, self.state.vlen, self.masked, self.vtype.mask_agnostic

        def write(result: Array) -> None:
            bits = np.ones(vlen, np.uint8)
            bits[:vl] = result
            if masked:
                old = np.ones(vl, np.uint8) if agnostic else self.bits(register, vl)
                bits[:vl] = np.where(self.mask(), bits[:vl], old)
            data[:] = np.packbits(bits, bitorder="little")

        return write


def _plain_writer(target: Array, tail: Array | None) -> Callable[[Array], None]:
    if tail is None:
        return lambda result: np.copyto(target, result)

    def write(result: Array) -> None:
        target[...] = result
        tail[:] = ONES

    return write
