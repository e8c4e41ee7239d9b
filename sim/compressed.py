"""C: 16-bit instructions, each expanded to the 32-bit instruction that it abbreviates."""

from collections.abc import Callable

from oxegg.errors import OxeggError

Expansion = tuple[str, tuple[int, ...]]
SP, RA = 2, 1


def _bits(word: int, *pieces: tuple[int, int, int]) -> int:
    """Value with word bits ``high..low`` placed from bit ``start`` for each piece."""
    return sum((word >> low & (1 << (high - low + 1)) - 1) << start for high, low, start in pieces)


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


def _rd(word: int) -> int:
    return word >> 7 & 31


def _rs2(word: int) -> int:
    return word >> 2 & 31


def _rd3(word: int) -> int:
    return 8 + (word >> 2 & 7)


def _rs3(word: int) -> int:
    return 8 + (word >> 7 & 7)


def _imm6(word: int) -> int:
    return _signed(_bits(word, (12, 12, 5), (6, 2, 0)), 6)


def _shamt(word: int) -> int:
    return _bits(word, (12, 12, 5), (6, 2, 0))


def _offset_w(word: int) -> int:
    return _bits(word, (5, 5, 6), (12, 10, 3), (6, 6, 2))


def _offset_d(word: int) -> int:
    return _bits(word, (6, 5, 6), (12, 10, 3))


def _addi4spn(word: int) -> Expansion:
    immediate = _bits(word, (10, 7, 6), (12, 11, 4), (5, 5, 3), (6, 6, 2))
    if immediate == 0:
        raise OxeggError(f"undefined instruction word {word:#06x}")
    return "addi", (_rd3(word), SP, immediate)


def _lui_or_addi16sp(word: int) -> Expansion:
    if _rd(word) == SP:
        pieces = ((12, 12, 9), (4, 3, 7), (5, 5, 6), (2, 2, 5), (6, 6, 4))
        return "addi", (SP, SP, _signed(_bits(word, *pieces), 10))
    return "lui", (_rd(word), _imm6(word) & 0xFFFFF)


def _arithmetic(word: int) -> Expansion:
    rd = _rs3(word)
    match word >> 10 & 3:
        case 0:
            return "srli", (rd, rd, _shamt(word))
        case 1:
            return "srai", (rd, rd, _shamt(word))
        case 2:
            return "andi", (rd, rd, _imm6(word))
        case _:
            names = ("sub", "xor", "or", "and", "subw", "addw", "", "")
            name = names[_bits(word, (12, 12, 2), (6, 5, 0))]
            if not name:
                raise OxeggError(f"undefined instruction word {word:#06x}")
            return name, (rd, rd, _rd3(word))


def _jump(word: int) -> Expansion:
    pieces = ((12, 12, 11), (8, 8, 10), (10, 9, 8), (6, 6, 7), (7, 7, 6), (2, 2, 5), (11, 11, 4),
              (5, 3, 1))  # fmt: skip
    return "jal", (0, _signed(_bits(word, *pieces), 12))


def _branch(name: str) -> Callable[[int], Expansion]:
    pieces = ((12, 12, 8), (6, 5, 6), (2, 2, 5), (11, 10, 3), (4, 3, 1))
    return lambda word: (name, (_rs3(word), 0, _signed(_bits(word, *pieces), 9)))


def _jump_move_add(word: int) -> Expansion:
    rd, rs2 = _rd(word), _rs2(word)
    link = word >> 12 & 1
    if rs2 == 0:
        if rd == 0:
            return "ebreak", ()
        return "jalr", (link, 0, rd)
    return ("add", (rd, rd, rs2)) if link else ("add", (rd, 0, rs2))


def _stack_load(name: str, *pieces: tuple[int, int, int]) -> Callable[[int], Expansion]:
    return lambda word: (name, (_rd(word), _bits(word, *pieces), SP))


def _stack_store(name: str, *pieces: tuple[int, int, int]) -> Callable[[int], Expansion]:
    return lambda word: (name, (_rs2(word), _bits(word, *pieces), SP))


# By quadrant (bits 1..0) and funct3 (bits 15..13).
EXPANSIONS: dict[tuple[int, int], Callable[[int], Expansion]] = {
    (0, 0): _addi4spn,
    (0, 1): lambda word: ("fld", (_rd3(word), _offset_d(word), _rs3(word))),
    (0, 2): lambda word: ("lw", (_rd3(word), _offset_w(word), _rs3(word))),
    (0, 3): lambda word: ("ld", (_rd3(word), _offset_d(word), _rs3(word))),
    (0, 5): lambda word: ("fsd", (_rd3(word), _offset_d(word), _rs3(word))),
    (0, 6): lambda word: ("sw", (_rd3(word), _offset_w(word), _rs3(word))),
    (0, 7): lambda word: ("sd", (_rd3(word), _offset_d(word), _rs3(word))),
    (1, 0): lambda word: ("addi", (_rd(word), _rd(word), _imm6(word))),
    (1, 1): lambda word: ("addiw", (_rd(word), _rd(word), _imm6(word))),
    (1, 2): lambda word: ("addi", (_rd(word), 0, _imm6(word))),
    (1, 3): _lui_or_addi16sp,
    (1, 4): _arithmetic,
    (1, 5): _jump,
    (1, 6): _branch("beq"),
    (1, 7): _branch("bne"),
    (2, 0): lambda word: ("slli", (_rd(word), _rd(word), _shamt(word))),
    (2, 1): _stack_load("fld", (4, 2, 6), (12, 12, 5), (6, 5, 3)),
    (2, 2): _stack_load("lw", (3, 2, 6), (12, 12, 5), (6, 4, 2)),
    (2, 3): _stack_load("ld", (4, 2, 6), (12, 12, 5), (6, 5, 3)),
    (2, 4): _jump_move_add,
    (2, 5): _stack_store("fsd", (9, 7, 6), (12, 10, 3)),
    (2, 6): _stack_store("sw", (8, 7, 6), (12, 9, 2)),
    (2, 7): _stack_store("sd", (9, 7, 6), (12, 10, 3)),
}


def expand(word: int) -> Expansion:
    """Name and operands of the instruction that a 16-bit word stands for.

    Raises ``OxeggError`` for words without a meaning (an all-zero word among them).
    """
    expansion = EXPANSIONS.get((word & 3, word >> 13))
    if expansion is None or word == 0:
        raise OxeggError(f"undefined instruction word {word:#06x}")
    return expansion(word)
