"""``oxegg sim`` on the smallest ELF programs there are, written byte by byte."""

import json
import struct
from pathlib import Path

import pytest

from oxegg.cli import main
from oxegg.isa import encode

BASE = 0x10000
HEADERS = 64 + 56  # ELF header and one program header
A0, A7 = 10, 17


def write_program(path: Path, *instructions: tuple[str, tuple[int, ...]]) -> str:
    """A static RV64 executable that holds nothing but these instructions."""
    code = b"".join(struct.pack("<I", encode(name, values)) for name, values in instructions)
    identity = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    entry = BASE + HEADERS
    header = struct.pack("<HHIQQQIHHHHHH", 2, 243, 1, entry, 64, 0, 4, 64, 56, 1, 0, 0, 0)
    size = HEADERS + len(code)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, size, size, 4096)
    path.write_bytes(identity + header + segment + code)
    return str(path)


@pytest.fixture
def exits_with_seven(tmp_path: Path) -> str:
    return write_program(
        tmp_path / "seven.elf",
        ("addi", (A0, 0, 7)),
        ("addi", (A7, 0, 93)),
        ("ecall", ()),
    )


def test_exit_code_is_the_programs(
    exits_with_seven: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sim", exits_with_seven]) == 7
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("ox-card: exit code 7, 3 instructions, ")


def test_json(exits_with_seven: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", exits_with_seven, "--machine", "x60", "--json"]) == 7
    counts = json.loads(capsys.readouterr().out)
    assert counts["instructions"] == 3
    assert counts["machine"] == "x60"
    assert counts["cycles"] > 0


def test_cycles_are_null_without_timing(
    exits_with_seven: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sim", exits_with_seven, "--no-timing", "--json"]) == 7
    assert json.loads(capsys.readouterr().out)["cycles"] is None


def test_endless_programs_end_in_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    itself = write_program(tmp_path / "itself.elf", ("addi", (A0, 0, 7)), ("jal", (0, 0)))
    assert main(["sim", itself]) == 2
    assert f"instructions executed, pc = {BASE + HEADERS + 4:#x}" in capsys.readouterr().err
    longer = write_program(tmp_path / "longer.elf", ("addi", (A0, A0, 7)), ("jal", (0, -4)))
    for options in (["--no-timing"], []):
        assert main(["sim", longer, "--max-instructions", "100000", *options]) == 2
        assert "more than 100000 instructions" in capsys.readouterr().err


def test_undefined_instruction_is_reported_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_program(tmp_path / "bad.elf", ("addi", (A0, 0, 7)))
    assert main(["sim", path]) == 2
    assert f"{BASE + HEADERS + 4:#x}" in capsys.readouterr().err


def test_what_is_no_program_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "text.elf"
    text.write_text("not an ELF file")
    assert main(["sim", str(text)]) == 2
    shown = capsys.readouterr().err
    assert "text.elf: error: this is not an ELF file" in shown
    assert "hint: give a static RV64 program" in shown


def test_big_endian_programs_are_refused(
    exits_with_seven: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(exits_with_seven)
    little = path.read_bytes()
    fields = struct.unpack("<HHIQQQIHHHHHH", little[16:64])
    segment = struct.unpack("<IIQQQQQQ", little[64:120])
    headers = struct.pack(">HHIQQQIHHHHHH", *fields) + struct.pack(">IIQQQQQQ", *segment)
    path.write_bytes(little[:5] + b"\x02" + little[6:16] + headers + little[120:])
    assert main(["sim", exits_with_seven]) == 2
    assert "not a static RV64 program" in capsys.readouterr().err


def test_profile(exits_with_seven: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", exits_with_seven, "--profile"]) == 7
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "outside loops" in shown.err
    assert "waited for" in shown.err
    assert main(["sim", exits_with_seven, "--profile", "--json"]) == 7
    (loop,) = json.loads(capsys.readouterr().out)["profile"]
    assert (loop["loop"], loop["rounds"], loop["instructions"]) == ("outside loops", None, 2)


def test_traces(exits_with_seven: str, tmp_path: Path) -> None:
    timeline, pipeline = tmp_path / "t.json", tmp_path / "t.kanata"
    assert main(["sim", exits_with_seven, "--trace", str(timeline)]) == 7
    events = json.loads(timeline.read_text())["traceEvents"]
    assert [event["name"] for event in events if event["ph"] == "X"][:2] == [
        "addi a0, zero, 7", "addi a7, zero, 93"
    ]  # fmt: skip
    assert main(["sim", exits_with_seven, "--trace", str(pipeline)]) == 7
    assert pipeline.read_text().startswith("Kanata\t0004\n")


def test_a_trace_needs_a_file(exits_with_seven: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", exits_with_seven, "--trace", ""]) == 2
    assert "a folder can't be the output" in capsys.readouterr().err


def test_profiles_need_the_clock(exits_with_seven: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", exits_with_seven, "--no-timing", "--profile"]) == 2
    assert "need the clock" in capsys.readouterr().err
