"""``oxegg.bench``: rows of the suite."""

from typing import Any

import pytest

import oxegg
from oxegg.errors import UsageError


@pytest.fixture(scope="module")
def row() -> dict[str, Any]:
    (found,) = oxegg.bench(["saxpy_64"], machine="x60", jobs=1)
    return found


def test_a_row_is_a_report(row: dict[str, Any]) -> None:
    assert row["kernel"] == "saxpy_64"
    assert row["machine"] == "x60"
    assert row["correct"] is True
    assert "error" not in row


def test_the_baseline_is_never_faster(row: dict[str, Any]) -> None:
    assert row["cycles"] <= row["cycles_generic"]
    assert row["roofline_cycles"] <= row["cycles"]


def test_fewest_instructions_are_an_objective_of_their_own(row: dict[str, Any]) -> None:
    (short,) = oxegg.bench(["saxpy_64"], machine="x60", jobs=1, objective="instructions")
    assert short["objective"] == "instructions"
    assert short["correct"] is True
    assert short["instructions"] <= row["instructions"]
    assert short["instructions"] <= short["instructions_generic"]


def test_progress_is_told_after_every_kernel() -> None:
    told: list[tuple[int, int, str]] = []

    def progress(done: int, total: int, name: str) -> None:
        told.append((done, total, name))

    oxegg.bench(["saxpy_64"], machine="x60", jobs=1, peers=(), progress=progress)
    assert told == [(1, 1, "saxpy_64")]


def test_an_unknown_name_is_refused_before_anything_runs() -> None:
    with pytest.raises(UsageError, match="saxpy_65"):
        oxegg.bench(["saxpy_64", "saxpy_65"], jobs=1)


def test_without_the_vector_engine_programs_are_scalar(row: dict[str, Any]) -> None:
    (scalar,) = oxegg.bench(
        ["saxpy_64"], machine="x60", jobs=1, peers=(), without=["vector-engine"]
    )
    assert scalar["correct"] is True
    assert scalar["engines"]["vector"] == 0.0
    assert scalar["cycles"] > row["cycles"]


def test_a_kernel_that_needs_a_family_is_refused_without_it() -> None:
    (refused,) = oxegg.bench(["expf_1024"], machine="x60", jobs=1, peers=(), without=["elementary"])
    assert "no instructions compute exp (f32)" in refused["error"]


def test_unknown_families_are_named() -> None:
    with pytest.raises(UsageError, match="--without algebrae: no such rule or family"):
        oxegg.bench(["saxpy_64"], without=["algebrae"])
