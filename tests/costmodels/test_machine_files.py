"""Machine files: the numbers of the configurations, and what is refused, where and why."""

import pickle
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from oxegg.costmodels import load_machine, machine_names, timing
from oxegg.errors import MachineError

CARD = (files("oxegg.costmodels") / "machines" / "ox-card.toml").read_text()


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def refusal(tmp_path: Path, text: str) -> tuple[MachineError, str]:
    path = write(tmp_path, text)
    with pytest.raises(MachineError) as caught:
        load_machine(path)
    error = caught.value
    assert error.where is not None
    assert error.where.startswith(f"{path}:")
    line = text.splitlines()[int(error.where.rsplit(":", 1)[1]) - 1]
    return error, line


def test_names() -> None:
    expected = ("c908", "ox-card", "ox-dc", "ox-edge", "ox-tiny", "x280", "x390", "x60")
    assert machine_names() == expected
    assert tuple(load_machine(name).name for name in expected) == expected


DRAM = {"ox-tiny": (8.0, 88), "ox-edge": (14.2, 120), "ox-card": (10.0, 208), "ox-dc": (17.8, 252)}


@pytest.mark.parametrize(("name", "expected"), DRAM.items())
def test_share_of_dram(name: str, expected: tuple[float, ...]) -> None:
    machine = load_machine(name)
    assert (round(machine.dram_bytes_per_cycle, 1), machine.dram_latency) == expected


# VLEN, DLEN, pipes, MLEN, TPB, R: the table of configurations.
SHAPES = {
    "ox-tiny": (128, 64, 1, 8, 16, 4),
    "ox-edge": (256, 128, 1, 16, 32, 8),
    "ox-card": (512, 256, 1, 32, 128, 16),
    "ox-dc": (1024, 512, 2, 64, 256, 32),
}


@pytest.mark.parametrize(("name", "expected"), SHAPES.items())
def test_shapes(name: str, expected: tuple[float, ...]) -> None:
    m = load_machine(name)
    assert m.tensor is not None
    shape = (m.vlen, m.dlen, m.pipes, m.mlen_bytes, m.tensor.port_bytes, m.tensor.rows)
    assert shape == expected


@pytest.mark.parametrize("name", ["x280", "x390", "x60"])
def test_plain_vector_cores_have_no_other_engine(name: str) -> None:
    assert load_machine(name).engines == {"scalar", "vector"}


def test_base_is_inherited_and_overridden() -> None:
    x280, x390 = load_machine("x280"), load_machine("x390")
    assert (x390.vlen, x390.pipes) == (1024, 2)
    assert x390.scalar == x280.scalar
    assert timing(x390, "div") == timing(x280, "div")


def test_lanes_and_group_sizes() -> None:
    machine = load_machine("ox-dc")
    assert (machine.lanes(32), machine.lanes(8), machine.vlmax(32, 8)) == (32, 128, 256)


def test_machines_survive_pickling_and_tell_variants_apart() -> None:
    machine = load_machine("ox-card")
    assert pickle.loads(pickle.dumps(machine)) == machine
    slower = replace(machine, spm=replace(machine.spm, latency=20))
    assert timing(slower, "vle32.v", vl=8, sew=32).latency == 20
    assert timing(machine, "vle32.v", vl=8, sew=32).latency == 6


def test_own_file(tmp_path: Path) -> None:
    machine = load_machine(write(tmp_path, 'base = "ox-card"\nname = "mine"\ntensor = false\n'))
    assert machine.name == "mine"
    assert not machine.has_tensor
    with pytest.raises(MachineError, match="needs the tensor engine"):
        timing(machine, "ox.mm.ss")


def test_times_of_single_instructions_go_before_those_of_their_class(tmp_path: Path) -> None:
    tables = '[timing."vm[ai][nx]*"]\noccupancy = "77"\n[timing.vint]\nlatency = "9"\n'
    file = write(tmp_path, f'base = "ox-card"\nname = "mine"\n{tables}')
    found = timing(load_machine(file), "vmax.vv", vl=8, sew=32)
    assert (found.occupancy, found.latency) == (77, 9)
    assert timing(load_machine(file), "vadd.vv", vl=8, sew=32).occupancy == 1


@pytest.mark.parametrize(
    ("table", "hint"),
    [('[timing."vmim*"]\nlatency = "9"', "did you mean vfminmax"),
     ('[timing."vadd.vv"]\nlatency = "9 * R"', "known are"),
     ('[timing."*"]\nlatency = "vl"', "did you mean vlen")],
)  # fmt: skip
def test_mistakes_in_times_of_instructions(tmp_path: Path, table: str, hint: str) -> None:
    error, line = refusal(tmp_path, f"{CARD}\n{table}\n")
    assert line.split("=")[0].strip() in table
    assert hint in (error.hint or "")


# What is changed in ox-card.toml, the line the error points at, and words of message and hint.
MISTAKES = {
    "name of another folder": (
        ('name = "ox-card"', 'name = "../ox-card"'),
        "name",
        "a word of letters",
    ),
    "unknown key": (
        ("queue_depth = 8", "queue_dept = 8"),
        "queue_dept",
        "did you mean queue_depth",
    ),
    "unknown table": (("[spm]", "[spn]"), "[spn]", "did you mean spm"),
    "missing key": (("dlen = 256\n", ""), "[vector]", "datapath"),
    "vlen": (("vlen = 512", "vlen = 500"), "vlen = 500", "a power of two from 128 to 65536"),
    "dlen": (("dlen = 256", "dlen = 1024"), "dlen = 1024", "at most as wide as a register"),
    "type": (("dlen = 256", 'dlen = "256"'), "dlen", "a power of two"),
    "boolean": (("issue_width = 2", "issue_width = true"), "issue_width", "an integer from 1 to 8"),
    "negative": (("latency = 6", "latency = -6"), "latency = -6", "an integer from 1 to 1000"),
    "nan": (("latency_ns = 130", "latency_ns = nan"), "latency_ns", "a number from 1 to 10000"),
    "no TPB": (("port_bytes = 128\n", ""), "[tensor]", "TPB"),
    "l2 first": (("latency = 30", "latency = 3"), "latency = 3", "nearest memory"),
    "refresh": (("t_refi_ns = 3900", "t_refi_ns = 300"), "t_rfc_ns", "less than t_refi_ns"),
    "choice": (('kind = "dram"', 'kind = "sdram"'), 'kind = "sdram"', '"sram", "dram"'),
    "no table": (("[spm]", "[unknown]"), "[unknown]", "known are"),
    "syntax": (("cores = 32", "cores = = 32"), "cores = = 32", ""),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_refused_with_their_line(tmp_path: Path, mistake: str) -> None:
    (old, new), expected_line, hint = MISTAKES[mistake]
    assert CARD.count(old) >= 1
    error, line = refusal(tmp_path, CARD.replace(old, new, 1))
    assert expected_line in line
    assert hint in (error.hint or "")


def test_missing_engine_tables_are_absent_engines_but_the_core_is_required(tmp_path: Path) -> None:
    without = CARD.split("[tensor]")[0] + "[spm]" + CARD.split("[spm]")[1]
    assert not load_machine(write(tmp_path, without)).has_tensor
    error, _ = refusal(tmp_path, CARD.split("[vector]")[0])
    assert "vector is missing" in error.message


OVERRIDES = {
    '[timing.vmull]\nlatency = "4"': "did you mean vmul",
    '[timing.vmul]\nlatencies = "4"': "did you mean latency",
    "[timing.vmul]\nlatency = 4": "a formula",
    '[timing.vmul]\nlatency = "beat + 1"': "did you mean beats",
    '[timing.mul]\nlatency = "beats + 1"': "known are",
    '[timing.vmul]\nchains = "no"': "true or false",
    "[timing]\nvmul = 3": "write [timing.vmul]",
}


@pytest.mark.parametrize(("text", "hint"), OVERRIDES.items())
def test_wrong_overrides_are_refused(tmp_path: Path, text: str, hint: str) -> None:
    error, _ = refusal(tmp_path, f"{CARD}\n{text}\n")
    assert hint in (error.hint or "")


def test_formula_that_fails_names_its_table(tmp_path: Path) -> None:
    text = CARD + '\n[timing.vmul]\noccupancy = "8 // (vl - 1)"\n'
    path = write(tmp_path, text)
    with pytest.raises(MachineError, match=r"timing of vmul\.vv") as caught:
        timing(load_machine(path), "vmul.vv", vl=1, sew=32)
    assert caught.value.where == f"{path}:{text.splitlines().index('[timing.vmul]') + 1}"


def test_unknown_machine_and_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="ox-crad") as caught:
        load_machine("ox-crad")
    assert "did you mean ox-card?" in (caught.value.hint or "")
    with pytest.raises(MachineError, match="can't read"):
        load_machine(tmp_path / "none.toml")


def test_conflict_with_a_base_points_at_the_own_file(tmp_path: Path) -> None:
    own = 'base = "ox-dc"\nname = "mine"\n[vector]\nvlen = 256\n'
    error, line = refusal(tmp_path, own)
    assert "exceeds vector.vlen = 256" in error.message
    assert line == "vlen = 256"
    error, line = refusal(tmp_path, own.replace("256", "128\ndlen = 64\n[tensor]\nrows = 64"))
    assert line == "rows = 64"


BASES = {
    'base = "x391"': "did you mean x390",
    'base = "x390"': 'base = "x280"',
    "base = 3": "known",
}


@pytest.mark.parametrize(("text", "hint"), BASES.items())
def test_wrong_bases_are_refused(tmp_path: Path, text: str, hint: str) -> None:
    error, line = refusal(tmp_path, f"{text}\nname = 'mine'\n")
    assert line == text
    assert hint in (error.hint or "")
