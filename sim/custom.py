"""From a decoded instruction of OXM-1's own to the function that executes it."""

from collections.abc import Callable
from typing import NoReturn

from oxegg.isa import Instruction
from oxegg.sim.domain import Domain
from oxegg.sim.domains import has_float, tile_context
from oxegg.sim.events import Event, TileEvent
from oxegg.sim.faults import StateFault
from oxegg.sim.near_memory_operations import compile_near_memory
from oxegg.sim.state import State
from oxegg.sim.tile import Tiles
from oxegg.sim.tile_operations import compile_tile
from oxegg.sim.tile_reference import TileReference
from oxegg.sim.vector_groups import scalar_sources
from oxegg.sim.vector_memory import Access

Operation = Callable[..., int | None]
Values = tuple[int | bool, ...]
NO_ENGINE = "this machine has no {}"
Note = Callable[[Event], None]


def compile_custom(
    record: Instruction, values: Values, state: State, access: Access, note: Note
) -> Operation:
    """The function of one instruction; it takes its x sources and gives the value of an x result.

    ``note`` tells the clock what the time of this execution depends on. Raises ``StateFault`` when
    the machine doesn't have the engine, ``ReservedEncoding`` for operands that it refuses.
    """
    return COMPILERS[record.extension](record, values, state, access, note)


def _tile(
    record: Instruction, values: Values, state: State, access: Access, note: Note
) -> Operation:
    tiles = state.accelerators.tiles
    if tiles is None:
        raise StateFault(NO_ENGINE.format("tensor engine"))
    operation = (
        _tile_over(state.domain, record, values, tiles)
        if state.domain is not None and has_float(record)
        else compile_tile(record, values, tiles, state, access)
    )
    if not access.timed:
        return operation

    def timed(*sources: int) -> int | None:
        if not tiles.is_full:
            note(TileEvent(*tiles.shape))
        return operation(*sources)

    return timed


def _tile_over(domain: Domain, record: Instruction, values: Values, tiles: Tiles) -> Operation:
    """A computing tile instruction by the records, over a number domain."""

    def no_memory(*_: int) -> NoReturn:
        raise AssertionError(f"{record.name} computes on registers")

    reference = TileReference(tiles, no_memory, no_memory, context=tile_context(domain))
    names = scalar_sources(record)
    numbers = [int(value) for value in values]

    def operation(*sources: int) -> int | None:
        return reference.execute(record, numbers, dict(zip(names, sources, strict=True)))

    return operation


def _near_memory(
    record: Instruction, values: Values, state: State, access: Access, note: Note
) -> Operation:
    units = state.accelerators.near_memory
    if units is None:
        raise StateFault(NO_ENGINE.format("near-memory units"))
    return compile_near_memory(record, values, units, access, note)


def _dma(
    record: Instruction, values: Values, state: State, access: Access, note: Note
) -> Operation:
    engine = state.accelerators.dma
    if engine is None:
        raise StateFault(NO_ENGINE.format("DMA engine"))

    def start(address: int, queue: int) -> int:
        handle, event = engine.start(address, queue)
        note(event)
        return handle

    def wait(handle: int) -> None:
        note(engine.wait(handle))

    operations: dict[str, Operation] = {
        "ox.dma": start,
        "ox.dma.wait": wait,
        "ox.dma.fence": engine.fence,
    }
    return operations[record.name]


COMPILERS = {"Xoxt": _tile, "Xoxn": _near_memory, "Xoxd": _dma}
