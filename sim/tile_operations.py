"""Tile instructions on NumPy arrays: the fast form of what the records say.

``tile_reference`` evaluates the records themselves; the tests hold the two together.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from oxegg.isa import Instruction
from oxegg.sim import fp8
from oxegg.sim.faults import StateFault
from oxegg.sim.host_float import NAN, bf16_narrow, fma32_array, minimum_number
from oxegg.sim.native_tiles import float_product
from oxegg.sim.state import State
from oxegg.sim.tile import FIRST_ACCUMULATOR, Array, Tiles
from oxegg.sim.vector_groups import ReservedEncoding
from oxegg.sim.vector_memory import Access

U64 = (1 << 64) - 1
Operation = Callable[..., int | None]


@dataclass(frozen=True)
class TileSite:
    """One tile instruction; ``rd``, ``rs1`` and ``rs2`` are its register numbers."""

    record: Instruction
    rd: int
    rs1: int
    rs2: int
    tiles: Tiles
    state: State
    access: Access

    @property
    def last(self) -> str:
        """The last part of the mnemonic: ``"bf16"`` of ``ox.mm.bf16``."""
        return self.record.name.rpartition(".")[2]

    def write(self, elements: Array, width: int) -> None:
        """Elements to the upper left of rd; zero elsewhere."""
        target = self.tiles.register(self.rd).view(f"u{width // 8}")
        rows, columns = elements.shape
        if elements.shape != target.shape:
            target.fill(0)
        target[:rows, :columns] = elements

    def accumulator(self, number: int, kind: str) -> Array:
        """The tm x tn elements of an accumulator."""
        m, n, _ = self.tiles.shape
        return self.tiles.elements(number, 32, kind)[:m, :n]


def compile_tile(
    record: Instruction, values: tuple[int | bool, ...], tiles: Tiles, state: State, access: Access
) -> Operation:
    """The function of a tile instruction; it takes its x sources, the address first.

    Raises ``ReservedEncoding`` for register numbers that the instruction refuses.
    """
    numbers = {o.name: int(value) for o, value in zip(record.operands, values, strict=True)}
    site = TileSite(
        record, numbers.get("rd", 0), numbers.get("rs1", 0), numbers.get("rs2", 0),
        tiles, state, access,
    )  # fmt: skip
    return BUILDERS[record.timing](site)


# Shape


def _set_shape(site: TileSite) -> Operation:
    tiles = site.tiles
    setters = {"m": tiles.set_m, "n": tiles.set_n, "k": tiles.set_k}
    return tiles.release if site.record.name == "ox.trel" else setters[site.last]


def _shape(site: TileSite, letter: str) -> tuple[int, int]:
    """Rows and bytes of a row of the a, b or c shape."""
    m, n, k = site.tiles.shape
    return {"a": (m, k), "b": (n, k), "c": (m, 4 * n)}[letter]


# Memory


def _load(site: TileSite) -> Operation:
    memory, access, letter = site.access.memory.bytes, site.access, site.last
    alignment = 4 if letter == "c" else 1

    def load(address: int, stride: int) -> None:
        rows, size = _shape(site, letter)
        aligned = not (address | stride) & (alignment - 1)
        data = access.rows(address, stride, rows, size, write=False) if aligned else None
        if data is None:
            data = np.empty((rows, size), np.uint8)
            for i in range(rows if size else 0):
                start = address + i * stride & U64
                access.block(start, size, alignment, write=False)
                data[i] = memory[start : start + size]
        site.write(data, 8)

    return load


def _load_transposed(site: TileSite) -> Operation:
    memory, access = site.access.memory.bytes, site.access
    size = (site.record.operands[0].width or 8) // 8
    letter = site.record.name[len("ox.tld")]

    def load(address: int, stride: int) -> None:
        rows, row_bytes = _shape(site, letter)
        columns = row_bytes // size
        aligned = not (address | stride) & (size - 1)
        lines = access.rows(address, stride, columns, rows * size, write=False) if aligned else None
        if lines is None:
            data = np.empty((rows, columns), f"u{size}")
            for k in range(columns if rows else 0):
                start = address + k * stride & U64
                access.block(start, rows * size, size, write=False)
                data[:, k] = memory[start : start + rows * size].view(data.dtype)
        else:
            data = lines.view(f"u{size}").T
        site.write(data, 8 * size)

    return load


def _load_row(site: TileSite) -> Operation:
    memory, access = site.access.memory.bytes, site.access
    letter = "c" if site.rd >= FIRST_ACCUMULATOR else "a"

    def load(address: int) -> None:
        rows, size = _shape(site, letter)
        if rows and size:
            access.block(address, size, 4 if letter == "c" else 1, write=False)
        row = memory[address : address + size]
        site.write(np.broadcast_to(row, (rows, size)), 8)

    return load


def _store(site: TileSite) -> Operation:
    memory, access, letter = site.access.memory.bytes, site.access, site.last
    data = site.tiles.register(site.rd)
    alignment = 4 if letter == "c" else 1

    def store(address: int, stride: int) -> None:
        rows, size = _shape(site, letter)
        aligned = not (address | stride) & (alignment - 1)
        places = access.rows(address, stride, rows, size, write=True) if aligned else None
        if places is not None:
            places[...] = data[:rows, :size]
            return
        for i in range(rows if size else 0):
            start = address + i * stride & U64
            access.block(start, size, alignment, write=True)
            memory[start : start + size] = data[i, :size]

    return store


# The array

HOT_PRODUCTS = 20
"""Executions of an instruction after which native code for float products pays."""


def _multiply(site: TileSite) -> Operation:
    # Sums of 128 products of 17 bits are exact in binary64, which has the fast product.
    kinds = {"uu": "uu", "us": "ui", "su": "iu", "ss": "ii"}.get(site.last)
    read = FLOAT_ELEMENTS.get(site.last)

    def integers() -> None:
        m, n, k = site.tiles.shape
        assert kinds is not None
        a = site.tiles.elements(site.rs1, 8, kinds[0])[:m, :k].astype(np.float64)
        b = site.tiles.elements(site.rs2, 8, kinds[1])[:n, :k].astype(np.float64)
        product = (a @ b.T).astype(np.int64).astype(np.uint32)
        site.write(site.accumulator(site.rd, "u") + product, 32)

    products = 0

    def floats() -> None:
        nonlocal products
        products += 1
        m, n, k = site.tiles.shape
        assert read is not None
        a = read(site.tiles.register(site.rs1)[:m, :k])
        b = read(site.tiles.register(site.rs2)[:n, :k])
        c = site.accumulator(site.rd, "f")
        native = float_product() if products > HOT_PRODUCTS else None
        if native is not None and m * n * k:
            c = native(a, b, c)
        else:
            c = c.copy()
            for step in range(a.shape[1]):
                c = fma32_array(a[:, step, None], b[None, :, step], c).astype(np.float32)
            c[np.isnan(c)] = NAN
        site.write(c.view(np.uint32), 32)

    return floats if read else integers


def _bfloats(data: Array) -> Array:
    bits = np.ascontiguousarray(data).view(np.uint16).astype(np.uint32)
    return (bits << np.uint32(16)).view(np.float32)


def _narrow(name: str) -> Callable[[Array], Array]:
    return lambda data: fp8.table(name)[data]


FLOAT_ELEMENTS: Mapping[str, Callable[[Array], Array]] = {
    "bf16": _bfloats,
    "f16": lambda data: np.ascontiguousarray(data).view(np.float16).astype(np.float32),
    "f32": lambda data: np.ascontiguousarray(data).view(np.float32),
    "e4m3": _narrow("e4m3"),
    "e5m2": _narrow("e5m2"),
}


# Element by element


def _zero(site: TileSite) -> Operation:
    target = site.tiles.register(site.rd)
    return lambda: target.fill(0)


def _move(site: TileSite) -> Operation:
    if (site.rd >= FIRST_ACCUMULATOR) != (site.rs1 >= FIRST_ACCUMULATOR):
        raise ReservedEncoding("ox.tmv copies a tile to a tile or an accumulator to an accumulator")
    source, target = site.tiles.register(site.rs1), site.tiles.register(site.rd)
    return lambda: np.copyto(target, source)


def _add(site: TileSite) -> Operation:
    kind = "u" if site.last == "w" else "f"

    def add() -> None:
        total = site.accumulator(site.rd, kind) + site.accumulator(site.rs1, kind)
        site.write(_canonical(total), 32)

    return add


def _relu(site: TileSite) -> Operation:
    def integers() -> None:
        site.write(np.maximum(site.accumulator(site.rs1, "i"), 0).view(np.uint32), 32)

    def floats() -> None:
        values = site.accumulator(site.rs1, "f")
        site.write(_canonical(minimum_number(values, np.zeros_like(values), True)), 32)

    return integers if site.last == "w" else floats


def _canonical(result: Array) -> Array:
    """Bit patterns of a result, NaNs canonical."""
    if result.dtype.kind == "f":
        result[np.isnan(result)] = NAN
    return result.view(np.uint32)


def _requantize(site: TileSite) -> Operation:
    def requantize(parameters: int) -> None:
        factor = (parameters & 0xFFFF_FFFF ^ 1 << 31) - (1 << 31)
        shift, zero = parameters >> 32 & 63, (parameters >> 40 & 0xFF ^ 0x80) - 0x80
        product = site.accumulator(site.rs1, "i").astype(np.int64) * factor
        # The highest bit that is shifted out rounds half up; adding a half could overflow.
        scaled = (product >> shift) + (product >> shift - 1 & 1 if shift else 0)
        site.write(np.clip(scaled + zero, -128, 127).astype(np.int8).view(np.uint8), 8)

    return requantize


def _convert(site: TileSite) -> Operation:
    def narrow() -> None:
        site.write(bf16_narrow(site.accumulator(site.rs1, "u")).astype(np.uint16), 16)

    def to_float() -> None:
        values = site.accumulator(site.rs1, "i").astype(np.float32)
        site.write(values.view(np.uint32), 32)

    return narrow if site.record.name == "ox.tcvt.bf16.s" else to_float


# To and from the vector registers


def _vector_group(site: TileSite, first: int) -> Array:
    """The bytes of the aligned vector registers that a tile row fills or partly fills."""
    state, size = site.state, 4 * site.tiles.rows
    count = -(-size // state.vlenb)
    if first % count:
        raise ReservedEncoding(f"v{first} doesn't start a group of {count} registers")
    return state.v[first * state.vlenb : (first + count) * state.vlenb]


def _checked_row(site: TileSite, row: int) -> int:
    if row >= site.tiles.rows:
        raise StateFault(f"row {row} of a tile of {site.tiles.rows} rows")
    return row


def _to_vector(site: TileSite) -> Operation:
    target, size = _vector_group(site, site.rd), 4 * site.tiles.rows
    source = site.tiles.register(site.rs1)

    def move(row: int) -> None:
        target[:size] = source[_checked_row(site, row)]
        target[size:] = 0

    return move


def _from_vector(site: TileSite) -> Operation:
    source, size = _vector_group(site, site.rs1), 4 * site.tiles.rows
    target = site.tiles.register(site.rd)

    def move(row: int) -> None:
        target[_checked_row(site, row)] = source[:size]

    return move


BUILDERS: Mapping[str, Callable[[TileSite], Operation | Any]] = {
    "tset": _set_shape, "tzero": _zero, "tmove": _move,
    "tload": _load, "tload_transpose": _load_transposed, "tload_row": _load_row, "tstore": _store,
    "tmm": _multiply, "tmm_f32": _multiply,
    "tadd": _add, "trelu": _relu, "trequantize": _requantize, "tcvt": _convert,
    "tile_to_vector": _to_vector, "vector_to_tile": _from_vector,
}  # fmt: skip
