"""The formula language does arithmetic and nothing else."""

import pytest

from oxegg.costmodels.formulas import compile_formula
from oxegg.costmodels.timing_classes import CLASSES, QUANTITIES


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ceil_div(vl, 4)", 3),
        ("2 * vl + 1", 19),
        ("log2(8)", 3),
        ("by_group(1, 10, 20, 30, 40)", 20),
        ("by_width(32, 1, 2, 3)", 2),
        ("vl if vl == 9 else 0", 9),
        ("clocks(1250, 800)", 1),
        ("clocks(1251, 800)", 2),
    ],
)
def test_values(text: str, value: int) -> None:
    evaluate, names = compile_formula(text)
    assert evaluate({"vl": 9}) == value
    assert names <= {"vl"}


@pytest.mark.parametrize(
    "text",
    [
        "vl +",
        "__import__('os')",
        "vl.real",
        "vl ** 9",
        "open(vl)",
        "1.5",
        "'a'",
        "[vl]",
        "lambda: 1",
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"formula|functions"):
        compile_formula(text)


@pytest.mark.parametrize("name", CLASSES)
def test_the_table_uses_known_quantities(name: str) -> None:
    row = CLASSES[name]
    for text in (row.occupancy, row.latency):
        assert compile_formula(text)[1] <= QUANTITIES[row.engine] | QUANTITIES["machine"]
