"""C source of the routines that lay constant matrices out in near-memory banks."""

from collections.abc import Iterator

from oxegg.emit.banked import GROUP, BankLayout, Blocks


def packing_routine(kernel: str, name: str, c_type: str, layout: BankLayout) -> Iterator[str]:
    """Lines of ``KERNEL_pack_NAME(array, first)``; ``first`` is the pointer that the kernel takes.

    The routine writes through ordinary stores: near-memory mode must be off.
    """
    blocks = layout.blocks
    assert blocks is not None, "arrays in their own order need no routine"
    order = {
        "turn": blocks.passes, "step": blocks.steps, "sum": blocks.accumulators, "access": GROUP,
        "lane": blocks.lanes, "along": blocks.along,
    }  # fmt: skip
    yield f"/* Lays {name} out in the banks: once, before the first call. */"
    yield f"static inline void {kernel}_pack_{name}(const {c_type} *array, {c_type} *first) {{"
    yield f"  for (uint64_t bank = 0; bank < {blocks.banks}; bank++) {{"
    yield f"    {c_type} *to = first + bank * {layout.distance // blocks.element}u;"
    for index, size in order.items():
        yield f"    for (uint64_t {index} = 0; {index} < {size}; {index}++)"
    yield "    {"
    yield f"      uint64_t row = {_row(blocks)};"
    yield f"      uint64_t depth = (step * {GROUP} + access) * {blocks.along} + along;"
    at = f"depth * {blocks.rows} + row" if blocks.transposed else f"row * {blocks.depth} + depth"
    inside = f"row < {blocks.rows} && depth < {blocks.depth}"
    yield f"      *to++ = {inside} ? array[{at}] : 0;"
    yield "    }"
    yield "  }"
    yield "}"


def _row(blocks: Blocks) -> str:
    turns = f"(turn * {blocks.banks} + bank) * {blocks.accumulators} + sum"
    return f"({turns}) * {blocks.lanes} + lane"
