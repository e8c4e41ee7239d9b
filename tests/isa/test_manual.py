"""The manual says what the records say."""

import re
from pathlib import Path

from oxegg.isa import TABLE
from oxegg.isa.manual import INDEX, manual

FOLDER = Path(__file__).parents[2] / "docs" / "isa"


def test_the_written_manual_is_up_to_date():
    pages = manual()
    assert {path.name for path in FOLDER.iterdir()} == set(pages)
    for name, text in pages.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, "run `oxegg isa doc`"


def test_each_instruction_stands_on_the_page_of_its_extension():
    pages = manual()
    for record in TABLE.values():
        row = re.search(rf"^\| `{re.escape(record.name)}[ `].*$", pages[f"{record.extension}.md"],
                        re.MULTILINE)  # fmt: skip
        assert row is not None, record.name
        assert record.timing in row[0]


def test_oxm1_pages_say_whose_it_is():
    pages = manual()
    for name in (INDEX, "Xoxt.md", "Xoxn.md", "Xoxd.md", "Xoxw.md"):
        assert "not OXMIQ's ISA" in pages[name]
