"""``oxegg isa``: typed instructions become the words that llvm-mc 22 gives for the same text."""

import json
from pathlib import Path

import pytest

from oxegg.cli import main

# What llvm-mc 22 printed for each line (--triple=riscv64 -mattr=+m,+a,+f,+d,+v).
WORDS = {
    "addi a0, a1, -5": 0xFFB58513,
    "lw t0, 8(sp)": 0x00812283,
    "beq a0, zero, 16": 0x00050863,
    "vsetvli t0, a0, e32, m4, ta, ma": 0x0D2572D7,
    "vle32.v v8, (a0)": 0x02056407,
    "vfmacc.vf v8, fa0, v16, v0.t": 0xB1055457,
    "fadd.s fa0, fa1, fa2": 0x00C5F553,
    "fadd.s fa0, fa1, fa2, rtz": 0x00C59553,
    "fence rw, w": 0x0310000F,
    "amoadd.w a0, a1, (a2)": 0x00B6252F,
    "csrrw t0, vl, zero": 0xC20012F3,
    "vmerge.vvm v8, v16, v24, v0": 0x5D0C0457,
}


@pytest.mark.parametrize("text", WORDS)
def test_encode(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["isa", "encode", text, "--json"]) == 0
    assert int(json.loads(capsys.readouterr().out)["word"], 16) == WORDS[text]


def test_decode_is_the_way_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["isa", "decode", *(f"{word:#x}" for word in WORDS.values())]) == 0
    for line, (text, word) in zip(capsys.readouterr().out.splitlines(), WORDS.items(), strict=True):
        shown, mnemonic = line.split()[:2]
        assert int(shown, 16) == word
        assert mnemonic == text.split()[0]


def test_list_is_filtered_by_name_and_extension(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["isa", "list", "^addi?$", "--json"]) == 0
    assert {row["name"] for row in json.loads(capsys.readouterr().out)} == {"add", "addi"}
    assert main(["isa", "list", "add", "--extension", "V", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert "vadd.vv" in {row["name"] for row in rows}
    assert {row["extension"] for row in rows} == {"V"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("frob a0", "there is no instruction 'frob'"),
        ("addi a0, a1", "operand imm12 is missing"),
        ("addi a0, a1, 1, 2", "there is no operand for '2'"),
        ("addi a0, f1, 1", "'f1' is not a value for operand rs1"),
        ("addi a0, a1, x", "'x' is not a number for operand imm12"),
        ("addi a0, a1, 5000", "imm12 = 5000 does not fit"),
        ("vsetvli t0, a0, e32, m3", "'m3' is not part of a vtype"),
        ("vsetvli t0, a0", "'nothing' is not part of a vtype"),
    ],
)
def test_what_can_not_be_encoded(
    text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["isa", "encode", text]) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert "hint: " in shown


@pytest.mark.parametrize("word", ["0x0", "0xffffffff", "zz"])
def test_what_can_not_be_decoded(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["isa", "decode", word]) == 2
    assert "error: " in capsys.readouterr().err


def test_the_manual_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["isa", "doc", "-o", str(tmp_path / "isa"), "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert len(files) > 15
    assert all(Path(file).read_text().startswith("# ") for file in files)
