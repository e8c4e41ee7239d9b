"""From a decoded vector instruction and a configuration to the Python function that executes it."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from oxegg.isa import Instruction, VType
from oxegg.isa.semantics import WHOLE_VECTOR, Apply
from oxegg.sim.state import State, VectorConfig
from oxegg.sim.vector_elementwise import elementwise
from oxegg.sim.vector_groups import ReservedEncoding, groups_of
from oxegg.sim.vector_memory import Access, memory_operation
from oxegg.sim.vector_permute import ALWAYS, BUILDERS, Site
from oxegg.sim.vector_views import Views

Values = tuple[int | bool, ...]
# Operations that RVV reserves when vstart isn't 0: their elements depend on each other.
FROM_ELEMENT_0 = frozenset({
    "compress", "iota", "mask_popcount", "mask_first", "mask_before", "mask_including",
    "mask_only", *(operation for operation in BUILDERS if operation.startswith("reduce_")),
})  # fmt: skip


def compile_vector(
    record: Instruction, values: Values, config: VectorConfig, state: State, access: Access
) -> Callable[..., Any]:
    """The function of one vector instruction under ``config``.

    It takes the values of ``scalar_sources`` (f registers as their 64 bits) and returns the new
    value of a scalar destination. Raises ``ReservedEncoding`` for encodings that RVV reserves.
    """
    expression = record.statements[0].value
    operation = expression.operation if isinstance(expression, Apply) else "move"
    vtype = config.vtype
    if vtype is None and operation in ("load_whole", "store_whole"):
        vtype = VType(8, Fraction(1))
    if vtype is None:
        raise ReservedEncoding("vtype is illegal (vill); no vsetvli came before")
    if config.vstart and operation in FROM_ELEMENT_0:
        raise ReservedEncoding(f"vstart = {config.vstart}: the instruction starts at element 0")
    masked = any(o.kind == "mask" and v for o, v in zip(record.operands, values, strict=True))
    groups = groups_of(record, values, vtype)
    views = Views(state, config, vtype, masked)
    site = Site(record, groups, views, vtype.sew)
    if record.memory:
        return memory_operation(site, access, operation)
    if config.vl <= config.vstart and operation not in ALWAYS:
        return _nothing
    if operation in WHOLE_VECTOR:
        return BUILDERS[operation](site)
    return elementwise(record, groups, views, vtype.sew)


def _nothing(*_: int) -> None:
    """With vstart >= vl nothing is written, not even a tail."""
