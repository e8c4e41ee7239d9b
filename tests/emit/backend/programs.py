"""Short ways to write programs by hand."""

from collections.abc import Iterator
from fractions import Fraction

from oxegg.emit.program import ZERO, Loop, MemoryRef, Operation, Register, VectorState


def x(number: int) -> Register:
    return Register("x", number)


def f(number: int) -> Register:
    return Register("f", number)


def v(number: int, group: int = 1) -> Register:
    return Register("v", number, group)


def state(
    sew: int,
    lmul: int | Fraction,
    vl: int,
    *,
    tail_undisturbed: bool = False,
    mask_undisturbed: bool = False,
) -> VectorState:
    return VectorState(sew, Fraction(lmul), vl, tail_undisturbed, mask_undisturbed)


def counted(
    label: str, trips: int, counter: Register, body: list[Operation | Loop]
) -> Iterator[Operation | Loop]:
    """A loop with its counter."""
    yield Operation("li", (counter, trips))
    step = Operation("addi", (counter, counter, -1))
    yield Loop(label, trips, [*body, step, Operation("bne", (counter, ZERO, label))])


def saxpy_step(index: int, bytes_per_step: int, vector_state: VectorState) -> list[Operation]:
    """y = a * x + y on one strip: pointers x1, x2 and scalar f1."""
    group = int(vector_state.lmul)
    offset = index * bytes_per_step
    a, b, pointer = v(10 + 2 * index, group), v(11 + 2 * index, group), x(20 + index)
    target = x(40 + index)
    return [
        Operation("addi", (pointer, x(1), offset)),
        Operation("vle32.v", (a, pointer), vector_state, _ref("x", "load", offset, vector_state)),
        Operation("addi", (target, x(2), offset)),
        Operation("vle32.v", (b, target), vector_state, _ref("y", "load", offset, vector_state)),
        Operation("vfmacc.vf", (b, f(1), a), vector_state),
        Operation("vse32.v", (b, target), vector_state, _ref("y", "store", offset, vector_state)),
    ]


def _ref(buffer: str, kind: str, offset: int, vector_state: VectorState) -> MemoryRef:
    assert kind in ("load", "store")
    return MemoryRef(buffer, kind, offset, vector_state.vl * vector_state.sew // 8)
