"""Machine code: lines with hardware registers, layout, branch ranges, bytes and assembly text."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from oxegg.emit.arch import arch_string
from oxegg.emit.constants import materialize_constant
from oxegg.emit.effects import LA, LI, PSEUDO, bind
from oxegg.emit.program import Operation, Register
from oxegg.errors import EmitError
from oxegg.isa import TABLE, assembly, encode

CONSTANT_ALIGNMENT = 64
WORD = 4

INVERTED = {
    "beq": "bne",
    "bne": "beq",
    "blt": "bge",
    "bge": "blt",
    "bltu": "bgeu",
    "bgeu": "bltu",
}
BRANCH_RANGE = range(-(1 << 12), 1 << 12, 2)


@dataclass(frozen=True)
class Line:
    """One instruction; operands are hardware register numbers, constants, labels."""

    name: str
    operands: tuple[int | str, ...]
    note: str = ""


@dataclass(frozen=True)
class Label:
    """The place that branches name, with a comment about the loop that begins here."""

    name: str
    comment: str = ""


@dataclass(frozen=True)
class Assembled:
    """``code`` includes the constants behind the instructions; ``labels`` are byte offsets."""

    code: bytes
    text: str
    labels: Mapping[str, int]
    instructions: int


def lines_of(operation: Operation, homes: Mapping[Register, int]) -> Iterator[Line]:
    """``operation`` with hardware registers; ``li`` becomes its instructions."""
    if operation.name == LI:
        target, value = operation.operands
        assert isinstance(target, Register)
        assert isinstance(value, int)
        for part in materialize_constant(target, value):
            yield from lines_of(part, homes)
        return
    if operation.name == LA:
        target, name = operation.operands
        assert isinstance(target, Register)
        assert isinstance(name, str)
        yield Line(LA, (homes[target], name), operation.note)
        return
    operands: list[int | str] = []
    for bound in bind(operation):
        if not bound.values:
            continue
        value = bound.values[0]
        if bound.operand.kind in ("mask", "v0"):
            assert isinstance(value, Register)
            if homes[value] != 0:
                raise EmitError(f"the mask of {operation.name} is not in v0")
            operands.append(True)
        else:
            operands.append(homes[value] if isinstance(value, Register) else value)
    yield Line(operation.name, tuple(operands), operation.note)


def assemble(
    name: str, items: Sequence[Line | Label], constants: Mapping[str, bytes], heading: str = ""
) -> Assembled:
    """Lay out, resolve labels (far branches go over a jump), encode and print a function.

    The text needs no options: it says itself which extensions it uses.
    """
    items = list(items)
    arch = arch_string(extensions(items))
    while True:
        labels, end = _layout(items)
        far = _far_branches(items, labels)
        if not far:
            break
        items = list(_lengthen(items, far, labels))
    places = _place_constants(constants, end)
    pool = _pool(constants, places, end)
    words: list[int] = []
    text = list(_header(name, heading, arch))
    for item in items:
        if isinstance(item, Label):
            text.append(f"{item.name}:" + (f"  # {item.comment}" if item.comment else ""))
            continue
        for line, shown in _expanded(item, WORD * len(words), labels, places):
            words.append(encode(line.name, _numbers(line)))
            text.append(_print(shown))
    code = b"".join(word.to_bytes(WORD, "little") for word in words)
    text.extend(_print_pool(constants, places, end))
    text.append(f"    .size {name}, .-{name}")
    return Assembled(code + pool, "\n".join(text) + "\n", labels, len(words))


def _size(item: Line | Label) -> int:
    if isinstance(item, Label):
        return 0
    return 2 * WORD if item.name == LA else WORD


def _layout(items: Sequence[Line | Label]) -> tuple[dict[str, int], int]:
    """Byte offsets of labels and of the end."""
    labels: dict[str, int] = {}
    offset = 0
    for item in items:
        if isinstance(item, Label):
            if item.name in labels:
                raise EmitError(f"the label {item.name} is defined twice")
            labels[item.name] = offset
        offset += _size(item)
    return labels, offset


def _far_branches(items: Sequence[Line | Label], labels: Mapping[str, int]) -> set[int]:
    """Indices of conditional branches that don't reach."""
    far: set[int] = set()
    offset = 0
    for index, item in enumerate(items):
        if isinstance(item, Line) and item.name in INVERTED:
            target = item.operands[-1]
            if isinstance(target, str) and _target(target, labels) - offset not in BRANCH_RANGE:
                far.add(index)
        offset += _size(item)
    return far


def _lengthen(
    items: Sequence[Line | Label], far: set[int], labels: Mapping[str, int]
) -> Iterator[Line | Label]:
    """Far branches as the inverted branch over a ``jal``."""
    for index, item in enumerate(items):
        if index in far:
            assert isinstance(item, Line)
            # An offset, not a label: the branch skips exactly the jump.
            yield Line(INVERTED[item.name], (*item.operands[:-1], 2 * WORD), item.note)
            yield Line("jal", (0, item.operands[-1]), "far")
        else:
            yield item


def _target(label: str, labels: Mapping[str, int]) -> int:
    try:
        return labels[label]
    except KeyError:
        raise EmitError(f"the label {label} is not defined") from None


def _expanded(
    line: Line, offset: int, labels: Mapping[str, int], places: Mapping[str, int]
) -> Iterator[tuple[Line, Line]]:
    """Instructions of a line, each as it is encoded and as it is shown."""
    if line.name == LA:
        register, name = line.operands
        assert isinstance(name, str)
        distance = _target(name, places) - offset
        low = (distance + 0x800 & 0xFFF) - 0x800
        high = (distance - low) >> 12 & 0xFFFFF
        for part in (
            Line("auipc", (register, high), f"&{name}"),
            Line("addi", (register, register, low)),
        ):
            yield part, part
        return
    target = line.operands[-1] if line.operands else 0
    if isinstance(target, str):
        distance = _target(target, labels) - offset
        yield Line(line.name, (*line.operands[:-1], distance), line.note), line
    else:
        yield line, line


def _numbers(line: Line) -> tuple[int, ...]:
    numbers = tuple(value for value in line.operands if isinstance(value, int))
    assert len(numbers) == len(line.operands)
    return numbers


def _print(line: Line) -> str:
    label = line.operands[-1] if line.operands else None
    numbers = tuple(value if isinstance(value, int) else 0 for value in line.operands)
    code, _, comment = assembly(line.name, numbers).partition(" # ")
    if isinstance(label, str):
        code = f"{code.rsplit(None, 1)[0]} {label}"
    comment = ": ".join(part for part in (comment, line.note) if part)
    return f"    {code:<32}  # {comment}" if comment else f"    {code}"


def _place_constants(constants: Mapping[str, bytes], end: int) -> dict[str, int]:
    """Offsets of the constants behind the code."""
    places: dict[str, int] = {}
    for name, data in constants.items():
        places[name] = -(-end // CONSTANT_ALIGNMENT) * CONSTANT_ALIGNMENT
        end = places[name] + len(data)
    return places


def _pool(constants: Mapping[str, bytes], places: Mapping[str, int], start: int) -> bytes:
    pool = bytearray()
    for name, data in constants.items():
        pool.extend(bytes(places[name] - start - len(pool)))
        pool.extend(data)
    return bytes(pool)


BYTES_PER_LINE = 16


def _print_pool(
    constants: Mapping[str, bytes], places: Mapping[str, int], end: int
) -> Iterator[str]:
    for name, data in constants.items():
        if places[name] > end:
            yield f"    .zero {places[name] - end}"
        yield f"{name}:"
        for k in range(0, len(data), BYTES_PER_LINE):
            yield "    .byte " + ", ".join(str(byte) for byte in data[k : k + BYTES_PER_LINE])
        end = places[name] + len(data)


def _header(name: str, heading: str, arch: str) -> Iterator[str]:
    yield from (f"# {line}" for line in heading.splitlines())
    yield f'    .attribute arch, "{arch}"'
    yield "    .text"
    yield "    .option norvc"
    yield "    .option norelax"
    yield f"    .balign {CONSTANT_ALIGNMENT}"
    yield f"    .globl {name}"
    yield f"    .type {name}, @function"
    yield f"{name}:"


def extensions(items: Sequence[Line | Label]) -> frozenset[str]:
    """ISA extensions that the instructions belong to."""
    return frozenset(
        TABLE[item.name].extension
        for item in items
        if isinstance(item, Line) and item.name not in PSEUDO
    )
