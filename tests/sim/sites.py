"""Random sites for ``differential``: every instruction, legal ones and (on request) others."""

import random
from collections.abc import Callable, Iterator
from fractions import Fraction

from oxegg.isa import TABLE, Instruction, VType
from oxegg.isa.fields import FIELDS
from oxegg.isa.registers import CSR_NUMBERS
from oxegg.isa.semantics import operations
from oxegg.isa.vtype import LMULS
from oxegg.sim.faults import ReservedEncoding
from oxegg.sim.vector import FROM_ELEMENT_0
from oxegg.sim.vector_groups import groups_of
from tests.sim.differential import FREE_X, SCRATCH_BYTES, TEMP, Site
from tests.sim.programs import Line

DIRECTED = {
    "sc.": "fence.s",  # alone, because other machines may let it fail for no reason
    "fence": "fence.s", "ecall": "modes.s", "ebreak": "machine.s", "mret": "modes.s",
    "sret": "modes.s", "wfi": "modes.s", "sfence.vma": "modes.s",
}  # fmt: skip
"""Instructions (by the start of their name) that no oracle judges, and their own tests."""
BASE, SECOND, INDEX_GROUP = 10, 11, 24
CSRS = [CSR_NUMBERS[name] for name in ("fflags", "frm", "fcsr", "vxsat", "vxrm", "vcsr")]
INSTRUCTIONS = [
    r for r in TABLE.values()
    if not r.is_custom and not r.name.startswith(tuple(DIRECTED))
]  # fmt: skip
INDEX_MASK = {8: 0xF8}
MAX_STRIDE = 24


def site(
    rng: random.Random, record: Instruction, vlen: int, *, legal: bool = True, vstart: bool = False
) -> Site:
    """The instruction with random operands.

    With ``legal`` none that RVV reserves; with ``vstart`` from an element in the middle on.
    """
    if record.is_vector:
        return _vector(rng, record, vlen, legal, vstart)
    if record.timing == "vset":
        return Site(record, _distinct(rng, record))
    values = [_scalar_value(rng, record, operand.name) for operand in record.operands]
    names = [operand.name for operand in record.operands]
    if record.memory:
        values[names.index("rs1")] = BASE
        if "rs2" in names and record.operands[names.index("rs2")].kind == "x":
            values[names.index("rs2")] = rng.choice([0, SECOND])
    before: tuple[Line, ...] = ()
    if record.name == "jalr":
        values = [rng.choice([0, 1, 5]), 16, BASE]
        before = (("auipc", BASE, 0),)
    return Site(record, tuple(values), before=before)


def _distinct(rng: random.Random, record: Instruction) -> tuple[int, ...]:
    """Operands of a vset instruction: not the form that keeps vl, which may be reserved."""
    values = [_scalar_value(rng, record, operand.name) for operand in record.operands]
    return (rng.choice(FREE_X), *values[1:])


def _scalar_value(rng: random.Random, record: Instruction, name: str) -> int:
    operand = next(o for o in record.operands if o.name == name)
    match operand.kind:
        case "x":
            return rng.choice([0, *FREE_X])
        case "f":
            return rng.randrange(32)
        case "rm":
            return rng.choice([0, 1, 2, 3, 4, 7])
        case "csr":
            return rng.choice(CSRS)
        case "label":
            return 8
        case _ if record.memory:
            return rng.randrange(-512, 512) & -8
        case _:
            field = FIELDS[name]
            return rng.randrange(field.minimum, field.maximum + 1) // field.align * field.align


def _vector(rng: random.Random, record: Instruction, vlen: int, legal: bool, vstart: bool) -> Site:
    for _ in range(500):
        sew, lmul = rng.choice((8, 16, 32, 64)), rng.choice(list(LMULS))
        if lmul < Fraction(sew, 64):
            continue
        vtype = VType(sew, lmul, rng.random() < 0.5, rng.random() < 0.5)
        values = tuple(_vector_value(rng, record, o.name, vtype, legal) for o in record.operands)
        if legal and not is_legal(record, values, vtype):
            continue
        limit = vtype.vlmax(vlen)
        vl = rng.choice([limit, rng.randrange(limit + 1), rng.randrange(limit + 1)])
        if "strided" in record.semantics or "indexed" in record.semantics:
            vl = min(vl, SCRATCH_BYTES // 2 // (MAX_STRIDE + 8))
        start = rng.randrange(vl + 1) if vstart and starts_anywhere(record) else 0
        return Site(record, values, vtype, vl, start, before=_indices(record))
    raise AssertionError(f"no legal operands found for {record.name}")


def starts_anywhere(record: Instruction) -> bool:
    """Whether RVV gives the instruction a meaning for any vstart."""
    return not set(operations(record.statements[0].value)) & FROM_ELEMENT_0


def is_legal(record: Instruction, values: tuple[int | bool, ...], vtype: VType) -> bool:
    """Whether RVV allows the operands under the vtype."""
    try:
        groups_of(record, values, vtype)
    except ReservedEncoding:
        return False
    return True


def _vector_value(
    rng: random.Random, record: Instruction, name: str, vtype: VType, legal: bool
) -> int | bool:
    operand = next(o for o in record.operands if o.name == name)
    match operand.kind:
        case "x" if record.memory:
            return BASE if name == "rs1" else SECOND
        case "v" if record.memory and name == "vs2":
            return INDEX_GROUP
        case "v":
            emul = operand.emul(vtype.sew, vtype.lmul)
            step = max(1, int(min(emul, 8))) if legal or rng.random() < 0.7 else 1
            return rng.randrange(0, INDEX_GROUP if record.memory else 32, step)
        case "mask":
            return rng.random() < 0.5
        case "v0":
            return True
        case _:
            return _scalar_value(rng, record, name)


def _indices(record: Instruction) -> tuple[Line, ...]:
    """Make the index group multiples of 8 below 2 KiB (below 256 when they are bytes)."""
    if "indexed" not in record.semantics:
        return ()
    width = next(o.width for o in record.operands if o.name == "vs2") or 8
    setup = VType(width, Fraction(8)).encode()
    return (
        ("addi", TEMP, 0, INDEX_MASK.get(width, 0x7F8)),
        ("addi", SECOND, 0, -1),
        ("vsetvli", SECOND, SECOND, setup),
        ("vand.vx", INDEX_GROUP, INDEX_GROUP, TEMP),
    )


def sites(
    rng: random.Random,
    count: int,
    vlen: int,
    wanted: Callable[[Instruction], bool],
    fits: Callable[[Site], bool] = lambda _: True,
    *,
    legal: bool = True,
    vstart: bool = False,
) -> Iterator[Site]:
    """``count`` sites that fit, going round the wanted instructions in random order."""
    records = [record for record in INSTRUCTIONS if wanted(record)]
    order: list[Instruction] = []
    for _ in range(count):
        if not order:
            order = rng.sample(records, len(records))
        record = order.pop()
        tries = (site(rng, record, vlen, legal=legal, vstart=vstart) for _ in range(200))
        yield next(found for found in tries if fits(found))
