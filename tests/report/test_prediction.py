"""Predicted against simulated: ranks, ties, and the error's median."""

import pytest

from oxegg.report.prediction import accuracy, spearman


def test_ranks_count_and_not_distances() -> None:
    assert spearman([(1, 10), (2, 11), (3, 1000)]) == pytest.approx(1)
    assert spearman([(1, 3), (2, 2), (3, 1)]) == pytest.approx(-1)
    # By hand: ranks 1.5 1.5 3 against 1 2 3.
    assert spearman([(5, 1), (5, 2), (7, 3)]) == pytest.approx(0.8660254)
    assert spearman([(5, 1), (5, 2)]) is None


def test_programs_of_all_kernels_count_alike() -> None:
    first = {"tried": [{"predicted": p, "cycles": c} for p, c in ((110, 100), (80, 100), (30, 40))]}
    second = {"tried": [{"predicted": 900, "cycles": 1000}]}
    found = accuracy([first, second, {"error": "refused"}])
    assert found is not None
    assert (found.count, found.kernels) == (4, 2)
    assert found.error == pytest.approx(0.15)  # the mean of 10 % and 20 %
    assert accuracy([second]) is None
