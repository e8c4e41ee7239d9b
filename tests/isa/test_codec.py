"""Encoder and decoder are inverse, and no word has two meanings."""

import random

import pytest

from oxegg.errors import OxeggError
from oxegg.isa import TABLE, assembly, decode, encode, overlaps
from tests.isa.operands import random_operands


def test_no_two_instructions_share_a_word():
    assert list(overlaps()) == []


def test_decode_inverts_encode():
    rng = random.Random(1)
    for name, record in TABLE.items():
        for _ in range(20):
            operands = random_operands(record, rng)
            decoded, values = decode(encode(name, operands))
            assert (decoded.name, values) == (name, operands)


def test_encode_inverts_decode_on_random_words():
    rng = random.Random(2)
    defined = 0
    for _ in range(20_000):
        word = rng.getrandbits(32) | 3
        try:
            record, values = decode(word)
        except OxeggError:
            continue
        defined += 1
        assert encode(record.name, values) == word
    assert defined > 1000


@pytest.mark.parametrize(
    ("name", "operands", "word"),
    [
        ("addi", (10, 11, -1), 0xFFF58513),
        ("beq", (1, 2, -4096), 0x80208063),
        ("jal", (1, 0x800), 0x001000EF),
        ("vle32.v", (8, 10), 0x02056407),
        ("vle32.v", (8, 10, True), 0x00056407),
        ("vfmacc.vf", (8, 10, 16), 0xB3055457),
        ("ox.mm.ss", (16, 0, 1), 0x0610282B),
    ],
)
def test_known_words(name: str, operands: tuple[int | bool, ...], word: int):
    assert encode(name, operands) == word


def test_branch_target_may_be_an_address():
    assert encode("bne", (5, 0, 0x1000), pc=0x1010) == encode("bne", (5, 0, -16))


@pytest.mark.parametrize(
    ("name", "operands", "message"),
    [
        ("addi", (1, 2, 2048), "imm12 = 2048 does not fit"),
        ("beq", (1, 2, 3), "a multiple of 2"),
        ("addi", (1, 2), "takes 3 operands"),
        ("ox.mm.ss", (0, 0, 1), "rd cannot be acc 0"),
        ("nonsense", (), "no such instruction"),
    ],
)
def test_misuse_is_explained(name: str, operands: tuple[int, ...], message: str):
    with pytest.raises(OxeggError, match=message):
        encode(name, operands)


@pytest.mark.parametrize("word", [0, 0xFFFF_FFFF, 0x0000_0057 | 7 << 12 | 0x84 << 24])
def test_undefined_words_are_refused(word: int):
    with pytest.raises(OxeggError, match="undefined instruction word"):
        decode(word)


def test_custom_instructions_print_as_insn():
    assert assembly("ox.mm.ss", (16, 0, 1)) == (
        ".insn r 0x2b, 2, 3, x16, x0, x1 # ox.mm.ss acc0, tr0, tr1"
    )
