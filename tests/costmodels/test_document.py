"""docs/machines.md shows the numbers of the machine files, and its example is a valid file."""

import re
from pathlib import Path

from oxegg.costmodels import load_machine, timing
from oxegg.costmodels.document import refresh

DOCUMENT = Path(__file__).parents[2] / "docs" / "machines.md"


def test_tables_are_up_to_date() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert refresh(text) == text
    assert "| **ox-card** |" in text
    assert "`vector.dlen`" in text


def test_the_example_loads(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    path = tmp_path / "my-card.toml"
    path.write_text(example[1])
    machine = load_machine(path)
    assert (machine.mlen_bytes, machine.has_near_memory) == (64, False)
    assert timing(machine, "vfdiv.vv", vl=8, sew=32).occupancy == 4
