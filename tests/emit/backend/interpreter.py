"""Programs over virtual registers, executed directly: what compiled code must agree with.

Values are bytes with a flag per byte that says whether the byte is specified (agnostic tails and
masked-off elements aren't). The semantics are written anew here, for the subset that the tests
use: nothing is shared with the ISA table or the simulator.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oxegg.emit.effects import effects
from oxegg.emit.program import ZERO, Loop, Operation, Program, Register, VectorState

WORD = (1 << 64) - 1
UNSIGNED = {8: np.uint8, 16: np.uint16, 32: np.uint32, 64: np.uint64}

Bytes = NDArray[np.uint8]
Known = NDArray[np.bool_]


@dataclass
class Value:
    """Contents of a register group (or of memory) and which of its bytes are specified."""

    data: Bytes
    known: Known

    @staticmethod
    def of(data: bytes) -> "Value":
        return Value(np.frombuffer(data, np.uint8).copy(), np.ones(len(data), np.bool_))


@dataclass
class Machine:
    """Registers, and one flat memory."""

    vlen: int
    memory: Value
    scalars: dict[Register, int | None] = field(default_factory=dict[Register, int | None])
    vectors: dict[Register, Value] = field(default_factory=dict[Register, Value])

    def scalar(self, register: Register) -> int | None:
        """The 64 bits of an x or f register; ``None`` when unspecified."""
        return 0 if register == ZERO else self.scalars[register]

    def elements(self, register: Register, width: int) -> tuple[NDArray[Any], Known]:
        value = self.vectors[register]
        whole: Known = np.all(value.known.reshape(-1, width // 8), axis=1)
        return value.data.view(UNSIGNED[width]), whole

    def bits(self, register: Register) -> tuple[Known, Known]:
        """A mask register as booleans."""
        value = self.vectors[register]
        data = np.unpackbits(value.data, bitorder="little").astype(np.bool_)
        return data, np.repeat(value.known, 8)


def run(program: Program, vlen: int, memory: bytes, arguments: list[int]) -> Value:
    """The memory after ``program``; arguments are addresses in it, or register contents."""
    machine = Machine(vlen, Value.of(memory))
    machine.scalars.update(zip(program.arguments, arguments, strict=True))
    _body(machine, program.body)
    return machine.memory


def operands(operation: Operation) -> tuple[Any, ...]:
    """Operands whose kinds follow from the mnemonic."""
    return operation.operands


def state_of(operation: Operation) -> VectorState:
    assert operation.state is not None
    return operation.state


def _body(machine: Machine, body: list[Operation | Loop]) -> None:
    for item in body:
        if isinstance(item, Loop):
            for _ in range(item.trips):
                _body(machine, item.body)
        elif item.name in SCALAR:
            _scalar(machine, item)
        elif item.name in MEMORY:
            MEMORY[item.name](machine, item)
        elif item.name != "bne":
            _vector(machine, item)


# --- scalar ---------------------------------------------------------------------------------


def _signed(value: int, bits: int = 64) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _xor(a: Any, b: Any) -> Any:
    return a ^ b


def _and(a: Any, b: Any) -> Any:
    return a & b


def _same(a: Any, *_: Any) -> Any:
    return a


def _multiply_add(b: Any, a: Any, d: Any) -> Any:
    return a * b + d


def _shift_right(a: Any, amount: Any) -> Any:
    # The amount is a number, or a vector of one number over and over.
    return a // 2 ** (amount if isinstance(amount, int) else int(amount[0]))


SIGN = 1 << 63


def _sign(change: Callable[[int, int], int]) -> Callable[[int, int], int]:
    """A sign injection; ``change`` gives bits of which only the sign counts."""

    def inject(a: int, b: int) -> int:
        return (a & ~SIGN) | (change(a, b) & SIGN)

    return inject


def _second(a: int, b: int) -> int:
    return b


def _inverted_second(a: int, b: int) -> int:
    return ~b


SCALAR: Mapping[str, Callable[..., int]] = {
    "li": _same,
    "addi": operator.add,
    "add": operator.add,
    "sub": operator.sub,
    "xor": _xor,
    "mul": operator.mul,
    "srli": _shift_right,
    "fmv.d.x": _same,
    "fmv.x.d": _same,
    "fsgnj.d": _sign(_second),
    "fsgnjn.d": _sign(_inverted_second),
    "fsgnjx.d": _sign(_xor),
}


def _scalar(machine: Machine, operation: Operation) -> None:
    target, *sources = operands(operation)
    assert isinstance(target, Register)
    values = [machine.scalar(s) if isinstance(s, Register) else s for s in sources]
    known = all(value is not None for value in values)
    result = SCALAR[operation.name](*values) & WORD if known else None
    if target != ZERO:
        machine.scalars[target] = result


# --- memory ---------------------------------------------------------------------------------


def _address(machine: Machine, register: Register) -> int:
    address = machine.scalar(register)
    assert address is not None, "the tests never compute addresses from unspecified values"
    return address


def _load_scalar(machine: Machine, operation: Operation) -> None:
    target, offset, base = operands(operation)
    at = _address(machine, base) + offset
    known = machine.memory.known[at : at + 8].all()
    value = int.from_bytes(machine.memory.data[at : at + 8].tobytes(), "little")
    machine.scalars[target] = value if known else None


def _store_scalar(machine: Machine, operation: Operation) -> None:
    source, offset, base = operands(operation)
    at = _address(machine, base) + offset
    value = machine.scalar(source)
    machine.memory.known[at : at + 8] = value is not None
    if value is not None:
        machine.memory.data[at : at + 8] = np.frombuffer(value.to_bytes(8, "little"), np.uint8)


def _load_whole(machine: Machine, operation: Operation) -> None:
    target, base = operands(operation)
    at, size = _address(machine, base), target.group * machine.vlen // 8
    part = slice(at, at + size)
    memory = machine.memory
    machine.vectors[target] = Value(memory.data[part].copy(), memory.known[part].copy())


def _store_whole(machine: Machine, operation: Operation) -> None:
    source, base = operands(operation)
    at, value = _address(machine, base), machine.vectors[source]
    machine.memory.data[at : at + len(value.data)] = value.data
    machine.memory.known[at : at + len(value.data)] = value.known


def _load_segments(machine: Machine, operation: Operation) -> None:
    *fields, base = operands(operation)
    at, step, state = _address(machine, base), len(fields), state_of(operation)
    width = int(operation.name.split("e")[-1].removesuffix(".v"))
    count = state.vl * step * width // 8
    memory = machine.memory
    data = memory.data[at : at + count].view(UNSIGNED[width]).reshape(-1, step)
    known: Known = np.all(memory.known[at : at + count].reshape(-1, step, width // 8), axis=2)
    for k, target in enumerate(fields):
        _write(machine, target, width, data[:, k].copy(), known[:, k].copy(), state, None)


MEMORY: Mapping[str, Callable[[Machine, Operation], None]] = {
    "ld": _load_scalar,
    "fld": _load_scalar,
    "sd": _store_scalar,
    "fsd": _store_scalar,
    **{f"vl{n}re8.v": _load_whole for n in (1, 2, 4, 8)},
    **{f"vs{n}r.v": _store_whole for n in (1, 2, 4, 8)},
    **{f"vlseg{n}e{w}.v": _load_segments for n in (2, 3, 4) for w in (8, 16, 32, 64)},
    **{f"vle{w}.v": _load_segments for w in (8, 16, 32, 64)},
}

# --- vector ---------------------------------------------------------------------------------


def _wide(a: NDArray[Any], bits: int, *, signed: bool = False) -> NDArray[Any]:
    numbers = [_signed(int(x), bits) if signed else int(x) for x in a]
    return np.array(numbers, dtype=object)


@dataclass(frozen=True)
class Shape:
    """Element widths relative to SEW of result and sources; ``old``: the result is a source."""

    function: Callable[..., Any]
    result: int = 1
    sources: tuple[int, ...] = (1, 1)
    old: bool = False
    signed: bool = False


ELEMENTWISE: Mapping[str, Shape] = {
    "vadd.vv": Shape(operator.add),
    "vsub.vv": Shape(operator.sub),
    "vxor.vv": Shape(_xor),
    "vmul.vv": Shape(operator.mul),
    "vadd.vx": Shape(operator.add),
    "vmul.vx": Shape(operator.mul),
    "vadd.vi": Shape(operator.add),
    "vmacc.vv": Shape(_multiply_add, old=True),
    "vmacc.vx": Shape(_multiply_add, old=True),
    "vmv.v.v": Shape(_same, sources=(1,)),
    "vmv.v.x": Shape(_same, sources=(1,)),
    "vmv.v.i": Shape(_same, sources=(1,)),
    "vwadd.vv": Shape(operator.add, 2, signed=True),
    "vwmulu.vv": Shape(operator.mul, 2),
    "vwmaccu.vv": Shape(_multiply_add, 2, old=True),
    "vwaddu.wv": Shape(operator.add, 2, (2, 1)),
    "vnsrl.wi": Shape(_shift_right, 1, (2, 1)),
}
COMPARES: Mapping[str, Callable[..., Any]] = {
    "vmseq.vv": operator.eq,
    "vmsltu.vv": operator.lt,
    "vmsgtu.vx": operator.gt,
}


def _or_not(a: Known, b: Known) -> Known:
    return a | ~b


MASK_LOGIC: Mapping[str, Callable[[Known, Known], Known]] = {
    "vmand.mm": _and,
    "vmxor.mm": _xor,
    "vmorn.mm": _or_not,
}


def _vector(machine: Machine, operation: Operation) -> None:
    name = operation.name
    if name in ELEMENTWISE:
        _elementwise(machine, operation, ELEMENTWISE[name])
    elif name in COMPARES:
        _compare(machine, operation)
    elif name in MASK_LOGIC:
        _mask_logic(machine, operation)
    else:
        SPECIAL[name](machine, operation)


def _source(
    machine: Machine, operand: Register | int, state: VectorState, width: int, signed: bool
) -> tuple[NDArray[Any], Known]:
    """The first vl elements of a vector operand, a scalar or an immediate as vector."""
    if isinstance(operand, Register) and operand.bank == "v":
        data, known = machine.elements(operand, width)
        return _wide(data[: state.vl], width, signed=signed), known[: state.vl]
    value = machine.scalar(operand) if isinstance(operand, Register) else operand
    number = _wide(np.array([(value or 0) & WORD], np.uint64), 64)[0] & ((1 << width) - 1)
    numbers = np.array([number] * state.vl, dtype=object)
    return numbers, np.full(state.vl, value is not None)


def _mask_of(machine: Machine, operation: Operation) -> tuple[Known, Known] | None:
    mask = effects(operation).mask
    return machine.bits(mask) if mask is not None else None


def _elementwise(machine: Machine, operation: Operation, shape: Shape) -> None:
    state = state_of(operation)
    target, *rest = operands(operation)
    inputs = rest[: len(shape.sources)]
    values = [
        _source(machine, operand, state, state.sew * scale, shape.signed)
        for operand, scale in zip(inputs, shape.sources, strict=True)
    ]
    if shape.old:
        values.append(_source(machine, target, state, state.sew * shape.result, shape.signed))
    width = state.sew * shape.result
    data = shape.function(*(value for value, _ in values)) & ((1 << width) - 1)
    known = np.logical_and.reduce([flags for _, flags in values])
    _write(machine, target, width, data, known, state, _mask_of(machine, operation))


def _write(
    machine: Machine,
    target: Register,
    width: int,
    data: NDArray[Any],
    known: Known,
    state: VectorState,
    mask: tuple[Known, Known] | None,
) -> None:
    """Put elements into a register group under the policies of ``state``."""
    size = target.group * machine.vlen // 8
    old = machine.vectors.get(target) or Value(np.zeros(size, np.uint8), np.zeros(size, np.bool_))
    result = Value(old.data.copy(), np.repeat(old.known, 1))
    elements = result.data.view(UNSIGNED[width])
    flags = result.known.reshape(-1, width // 8)
    count = len(data)
    active = np.ones(count, np.bool_) if mask is None else mask[0][:count]
    certain = np.ones(count, np.bool_) if mask is None else mask[1][:count]
    before = flags[:count].copy()
    elements[:count] = np.where(active, data.astype(UNSIGNED[width]), elements[:count])
    kept = before if state.mask_undisturbed else np.zeros_like(before)
    chosen = np.where(active[:, None], np.repeat(known[:, None], width // 8, axis=1), kept)
    flags[:count] = chosen & certain[:, None]
    if not state.tail_undisturbed:
        flags[count:] = False
    machine.vectors[target] = result


def _write_mask(
    machine: Machine, target: Register, bits: Known, known: Known, operation: Operation
) -> None:
    """Mask results: bytes with an unspecified bit count as unspecified; the tail is agnostic."""
    size = machine.vlen // 8
    data, flags = np.zeros(8 * size, np.bool_), np.zeros(8 * size, np.bool_)
    mask = _mask_of(machine, operation)
    if mask is not None:
        old = machine.vectors[target]
        before = np.unpackbits(old.data, bitorder="little").astype(np.bool_)[: len(bits)]
        sure = np.repeat(old.known, 8)[: len(bits)] & state_of(operation).mask_undisturbed
        active, certain = mask[0][: len(bits)], mask[1][: len(bits)]
        bits = np.where(active, bits, before)
        known = np.where(active, known, sure) & certain
    data[: len(bits)], flags[: len(bits)] = bits, known
    packed = np.packbits(data, bitorder="little")
    machine.vectors[target] = Value(packed, np.asarray(flags.reshape(-1, 8).all(axis=1)))


def _compare(machine: Machine, operation: Operation) -> None:
    target, first, second = operands(operation)[:3]
    state = state_of(operation)
    a, a_known = _source(machine, first, state, state.sew, False)
    b, b_known = _source(machine, second, state, state.sew, False)
    bits = COMPARES[operation.name](a, b).astype(np.bool_)
    _write_mask(machine, target, bits, a_known & b_known, operation)


def _mask_logic(machine: Machine, operation: Operation) -> None:
    target, first, second = operands(operation)
    vl = state_of(operation).vl
    (a, a_known), (b, b_known) = machine.bits(first), machine.bits(second)
    bits = MASK_LOGIC[operation.name](a[:vl], b[:vl])
    _write_mask(machine, target, bits, a_known[:vl] & b_known[:vl], operation)


def _merge(machine: Machine, operation: Operation) -> None:
    target, first, second, mask = operands(operation)
    state = state_of(operation)
    a, a_known = _source(machine, first, state, state.sew, False)
    b, b_known = _source(machine, second, state, state.sew, False)
    bits, certain = machine.bits(mask)
    bits, certain = bits[: state.vl], certain[: state.vl]
    known = np.where(bits, b_known, a_known) & certain
    _write(machine, target, state.sew, np.where(bits, b, a), known, state, None)


def _gather(machine: Machine, operation: Operation) -> None:
    target, source, indices = operands(operation)[:3]
    state = state_of(operation)
    data, known = machine.elements(source, state.sew)
    maximum = int(machine.vlen * state.lmul / state.sew)
    at, at_known = _source(machine, indices, state, state.sew, False)
    inside = [int(i) if i < maximum else None for i in at]
    values = np.array([0 if i is None else int(data[i]) for i in inside], dtype=object)
    flags = np.array([i is None or known[i] for i in inside], np.bool_) & at_known
    _write(machine, target, state.sew, values, flags, state, _mask_of(machine, operation))


def _slide_up(machine: Machine, operation: Operation) -> None:
    target, source, distance = operands(operation)[:3]
    state = state_of(operation)
    a, known = _source(machine, source, state, state.sew, False)
    old, old_known = _source(machine, target, state, state.sew, False)
    data, flags = old.copy(), old_known.copy()
    data[distance:] = a[: max(0, state.vl - distance)]
    flags[distance:] = known[: max(0, state.vl - distance)]
    _write(machine, target, state.sew, data, flags, state, None)


def _index(machine: Machine, operation: Operation) -> None:
    state = state_of(operation)
    data = np.arange(state.vl).astype(object) & ((1 << state.sew) - 1)
    known = np.ones(state.vl, np.bool_)
    _write(machine, operands(operation)[0], state.sew, data, known, state, None)


def _reduce(machine: Machine, operation: Operation) -> None:
    target, source, start = operands(operation)[:3]
    state = state_of(operation)
    a, known = _source(machine, source, state, state.sew, False)
    first, first_known = machine.elements(start, state.sew)
    total = (sum(int(x) for x in a) + int(first[0])) & ((1 << state.sew) - 1)
    flag = np.array([known.all() and first_known[0]], np.bool_)
    _write(machine, target, state.sew, np.array([total], dtype=object), flag, state, None)


def _to_scalar(machine: Machine, operation: Operation) -> None:
    target, source = operands(operation)
    data, known = machine.elements(source, state_of(operation).sew)
    value = _signed(int(data[0]), state_of(operation).sew) & WORD
    machine.scalars[target] = value if known[0] else None


def _extend(machine: Machine, operation: Operation) -> None:
    target, source = operands(operation)[:2]
    state = state_of(operation)
    a, known = _source(machine, source, state, state.sew // 2, False)
    mask = _mask_of(machine, operation)
    _write(machine, target, state.sew, a, known, state, mask)


def _move_whole(machine: Machine, operation: Operation) -> None:
    target, source = operands(operation)
    value = machine.vectors[source]
    machine.vectors[target] = Value(value.data.copy(), value.known.copy())


SPECIAL: Mapping[str, Callable[[Machine, Operation], None]] = {
    "vmerge.vvm": _merge,
    "vrgather.vv": _gather,
    "vslideup.vi": _slide_up,
    "vid.v": _index,
    "vredsum.vs": _reduce,
    "vmv.x.s": _to_scalar,
    "vzext.vf2": _extend,
    **{f"vmv{n}r.v": _move_whole for n in (1, 2, 4, 8)},
}
