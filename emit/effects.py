"""What an operation does to registers and to the rest of the machine, read off the ISA table."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import islice

from oxegg.emit.colouring import Overlap, OverlapKind
from oxegg.emit.program import STACK_POINTER, ZERO, Operation, Register, VectorState
from oxegg.errors import EmitError
from oxegg.isa import TABLE, Instruction, Operand

LI = "li"
"""``li register, value``: a constant of any width, expanded when registers are known."""
LA = "la"
"""``la register, "name"``: the address of one of the program's constants."""
PSEUDO = (LI, LA)

FIXED = (ZERO, STACK_POINTER)

NO_STATE = VectorState(8, Fraction(1), 1)

# Results of these may not overlap a source whatever the element widths.
_DISJOINT_CLASSES = ("vgather", "vcompress", "vmask_index")
_DISJOINT_NAMES = ("vslideup", "vslide1up", "vfslide1up", "vmsbf", "vmsif", "vmsof")
_INDEXED_SEGMENTS = ("vluxseg", "vloxseg")

# Nothing moves across these.
_BARRIERS = ("csr", "fence", "system", "amo", "jump", "dma_fence")
# Commands to one engine keep their order: prefix of the timing class -> the engine's state.
_ENGINES = {"nm_": "near memory", "dma_": "dma", "simt_": "warps"}
_TILE_KINDS = ("t", "tr", "acc")
_TILE = "tile "
TILE_SHAPE = "tile shape"


@dataclass(frozen=True)
class Effects:
    """``reads`` and ``writes`` hold allocatable registers only (not ``x0`` and ``sp``).

    ``updates`` are the results that also are sources (an accumulator, an undisturbed tail).
    ``tuples`` are registers that must be consecutive, ``mask`` is the register wanted in v0,
    ``overlaps`` the constraints of the vector specification (section 5.2 and the sections of the
    permutation instructions) on where results may lie. ``uses`` and ``changes`` name other state:
    tiles, their shape, engines. A ``barrier`` keeps its place among all operations.
    """

    reads: tuple[Register, ...]
    writes: tuple[Register, ...]
    updates: tuple[Register, ...] = ()
    mask: Register | None = None
    overlaps: tuple[Overlap, ...] = ()
    tuples: tuple[tuple[Register, ...], ...] = ()
    uses: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    barrier: bool = False


@dataclass(frozen=True)
class Bound:
    """An operand of the instruction with what the operation passes: several for segments."""

    operand: Operand
    values: tuple[Register | int | str, ...]

    @property
    def registers(self) -> tuple[Register, ...]:
        return tuple(value for value in self.values if isinstance(value, Register))


def instruction_of(operation: Operation) -> Instruction:
    """The ISA record; raises ``EmitError`` when the mnemonic doesn't exist."""
    try:
        return TABLE[operation.name]
    except KeyError:
        raise EmitError(f'there is no instruction "{operation.name}"') from None


def bind(operation: Operation) -> tuple[Bound, ...]:
    """Pair operands with values; a trailing mask or rounding mode may be missing.

    A segment operand takes as many registers as the access has fields.
    """
    instruction = instruction_of(operation)
    values = iter(operation.operands)
    bound = tuple(
        Bound(operand, tuple(islice(values, operand.fields))) for operand in instruction.operands
    )
    left = len(list(values))
    missing = [b.operand for b in bound if len(b.values) < b.operand.fields]
    if left or any(operand.kind not in ("mask", "rm") for operand in missing):
        names = ", ".join(operand.name for operand in instruction.operands)
        raise EmitError(
            f"{operation.name} has {len(operation.operands)} operands", hint=f"it takes {names}"
        )
    return bound


@lru_cache(maxsize=1 << 14)
def effects(operation: Operation) -> Effects:
    """Registers read and written by ``operation``, and its constraints."""
    if operation.name in PSEUDO:
        target = operation.operands[0]
        assert isinstance(target, Register)
        return Effects((), (target,))
    bound = bind(operation)
    instruction = TABLE[operation.name]
    mask = next((r for b in bound if b.operand.kind in ("mask", "v0") for r in b.registers), None)
    keeps = _keeps_old_result(operation, instruction, masked=mask is not None)
    reads: list[Register] = []
    writes: list[Register] = []
    updates: list[Register] = []
    for b in bound:
        is_read = b.operand.reads or (b.operand.kind == "v" and b.operand.writes and keeps)
        if is_read:
            reads.extend(b.registers)
        if b.operand.writes:
            writes.extend(b.registers)
        if is_read and b.operand.writes:
            updates.extend(b.registers)
    return Effects(
        reads=tuple(r for r in dict.fromkeys(reads) if r not in FIXED),
        writes=tuple(r for r in dict.fromkeys(writes) if r not in FIXED),
        updates=tuple(dict.fromkeys(updates)),
        mask=mask,
        overlaps=tuple(_overlaps(operation, instruction, bound)),
        tuples=tuple(b.registers for b in bound if len(b.registers) > 1),
        uses=tuple(_uses(instruction, bound)),
        changes=tuple(_changes(instruction, bound)),
        barrier=instruction.timing in _BARRIERS,
    )


def operand_reads(operation: Operation) -> tuple[Register, ...]:
    """Registers that the machine waits for: no undisturbed elements of a result."""
    if operation.name in PSEUDO:
        return ()
    bound = [b for b in bind(operation) if b.operand.reads or b.operand.kind in ("mask", "v0")]
    return tuple(r for r in dict.fromkeys(r for b in bound for r in b.registers) if r not in FIXED)


def is_tile(state: str) -> bool:
    """Whether a name among ``uses`` and ``changes`` is that of a tile or accumulator."""
    return state.startswith(_TILE) and state != TILE_SHAPE


def _uses(instruction: Instruction, bound: tuple[Bound, ...]) -> Iterator[str]:
    """State outside the x, f and v registers that the instruction reads."""
    tiles = [b for b in bound if b.operand.kind in _TILE_KINDS]
    yield from (f"{_TILE}{b.values[0]}" for b in tiles if b.operand.reads)
    if tiles:
        yield TILE_SHAPE


def _changes(instruction: Instruction, bound: tuple[Bound, ...]) -> Iterator[str]:
    """State outside the x, f and v registers that the instruction writes."""
    yield from (
        f"{_TILE}{b.values[0]}" for b in bound if b.operand.kind in _TILE_KINDS and b.operand.writes
    )
    if instruction.timing == "tset":
        yield TILE_SHAPE
    yield from (
        state for prefix, state in _ENGINES.items() if instruction.timing.startswith(prefix)
    )


def _keeps_old_result(operation: Operation, instruction: Instruction, *, masked: bool) -> bool:
    """Whether elements of a vector result keep their old values, so that they are read."""
    state = operation.state
    if state is None:
        return False
    # The tail of a mask result is agnostic whatever vtype says.
    tail = state.tail_undisturbed and not instruction.writes_mask
    return tail or (masked and state.mask_undisturbed)


def _overlaps(
    operation: Operation, instruction: Instruction, bound: tuple[Bound, ...]
) -> Iterator[Overlap]:
    # A reduction's scalar result may lie anywhere.
    if instruction.is_reduction:
        return
    for result in bound:
        if result.operand.kind != "v" or not result.operand.writes:
            continue
        for source in bound:
            kind = _overlap_kind(operation, instruction, result.operand, source.operand)
            if kind is None or source is result:
                continue
            for a in result.registers:
                yield from (Overlap(a, b, kind) for b in source.registers)


def _overlap_kind(
    operation: Operation, instruction: Instruction, result: Operand, source: Operand
) -> OverlapKind | None:
    """The constraint between one result and one source operand, ``None`` if there is none."""
    if source.kind in ("mask", "v0"):
        return None if instruction.writes_mask and not _is_disjoint(instruction) else "disjoint"
    if source.kind != "v" or not source.reads:
        return None
    if _is_disjoint(instruction):
        return "disjoint"
    state = operation.state or NO_STATE
    wide, narrow = result.element_width(state.sew), source.element_width(state.sew)
    if wide == narrow:
        return None
    if wide < narrow:
        return "low"
    return "high" if source.emul(state.sew, state.lmul) >= 1 else "disjoint"


def _is_disjoint(instruction: Instruction) -> bool:
    return (
        instruction.timing in _DISJOINT_CLASSES
        or instruction.name.startswith(_DISJOINT_NAMES)
        or instruction.name.startswith(_INDEXED_SEGMENTS)
    )
