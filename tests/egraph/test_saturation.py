"""Phased saturation under limits, and the child process that holds it."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from oxegg.costmodels import load_machine
from oxegg.egraph.child import run_in_child
from oxegg.egraph.encode import encode
from oxegg.egraph.engine import Engine
from oxegg.egraph.saturate import Limits
from oxegg.egraph.schema import ANALYSIS, DECLARATIONS
from oxegg.errors import RuleError
from oxegg.ir import TYPES, Axis, Kernel, Output, Term, input_, pointwise, reduce
from oxegg.search import programs
from oxegg.search.saturation import Prepared, allowed_rules, prepare

Send = Callable[[Any], None]
F32 = TYPES["f32"]
ROW, COLUMN = Axis("r", 4), Axis("c", 40)


def softmax() -> Kernel:
    x = input_("x", F32, (ROW, COLUMN))
    powers = pointwise("exp", pointwise("sub", x, reduce("max", COLUMN, x)))
    value = pointwise("div", powers, reduce("add", COLUMN, powers))
    return Kernel("softmax", (x,), (Output("y", value, (ROW, COLUMN)),))


def long_sum(addends: int) -> Kernel:
    inputs = tuple(input_(f"x{i}", F32, (COLUMN,)) for i in range(addends))
    total: Term = inputs[0]
    for term in inputs[1:]:
        total = pointwise("add", total, term)
    return Kernel("total", inputs, (Output("y", total, (COLUMN,)),))


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepare(softmax(), allowed_rules("real"), Limits(algebra_iterations=2))


def test_saturation_tells_how_it_went(prepared: Prepared) -> None:
    saturated = prepared.saturated
    assert saturated.stopped_by in ("saturated", "iterations")
    phases = [g.phase for g in saturated.growth]
    assert phases == sorted(phases, key=["elementary", "algebra", "physical"].index)
    assert set(phases) == {"elementary", "algebra", "physical"}
    seconds = [g.seconds for g in saturated.growth]
    assert seconds == sorted(seconds)
    assert any(name.startswith("elementary.") for name, n in saturated.matches.items() if n)
    assert saturated.rules == sorted(set(saturated.rules))
    assert saturated.rows >= saturated.classes > 50


def test_tables_hold_the_kernel_and_its_instructions(prepared: Prepared) -> None:
    tables = prepared.saturated.tables
    assert {row[0] for row in tables["Leaf"].rows} == {0}
    operators = {row[0] for row in tables["P2"].rows}
    assert {"sub.f32", "div.f32", "mul.f32"} <= operators
    assert {row[0] for row in tables["Red"].rows} >= {"max.f32", "add.f32"}
    assert tables["Load"].rows
    assert len(prepared.graph.roots) == 1


def test_a_saturated_softmax_has_programs(prepared: Prepared) -> None:
    found = programs.candidates(prepared.graph, load_machine("x60"), "dag", "cycles")
    assert found
    for candidate in found:
        assert candidate.choice.program.stores
        assert candidate.choice.solution.lower_bound <= candidate.choice.solution.cost


def test_a_sum_stops_at_the_row_limit_and_still_has_a_program() -> None:
    limits = Limits(rows=20, algebra_iterations=8, seconds=20)
    prepared = prepare(long_sum(9), allowed_rules("real"), limits)
    assert prepared.saturated.stopped_by == "rows"
    assert prepared.saturated.growth[-1].phase == "physical"
    found = programs.candidates(prepared.graph, load_machine("x60"), "dag", "cycles")
    assert found[0].choice.program.stores


def test_a_small_sum_saturates() -> None:
    prepared = prepare(long_sum(2), allowed_rules("real"), Limits(algebra_iterations=8))
    assert prepared.saturated.stopped_by == "saturated"


def test_two_operations_of_one_instruction_meet_in_one_kernel() -> None:
    """Bools that differ are their exclusive or; i32 and u32 lose their upper half alike."""
    a, b = (input_(n, TYPES["bool"], (COLUMN,)) for n in "ab")
    i, u = (input_(n, TYPES[n], (COLUMN,)) for n in ("i32", "u32"))
    narrow = [pointwise("convert", x, to=TYPES["i16"]) for x in (i, u)]
    values = (pointwise("or", pointwise("ne", a, b), pointwise("xor", a, b)), *narrow)
    outputs = tuple(Output(f"y{n}", value, (COLUMN,)) for n, value in enumerate(values))
    prepared = prepare(Kernel("both", (a, b, i, u), outputs), allowed_rules("exact"), Limits())
    assert programs.candidates(prepared.graph, load_machine("x60"), "dag", "cycles")
    fired = {name for name, count in prepared.saturated.matches.items() if count}
    assert {f"vmxor.mm/x-y/mm/bool/bool {key}.bool" for key in ("ne", "xor")} <= fired
    assert {f"vnsrl.wi/x/v/i16/i16 convert.{of}.i16" for of in ("i32", "u32")} <= fired


def _equal_values(send: Send) -> None:
    engine = Engine()
    engine.run(DECLARATIONS + ANALYSIS)
    engine.run("(set (free (Leaf 0)) 3) (set (free (Leaf 1)) 6)")
    engine.run('(let s (P2 "sub.f32" (Leaf 0) (Leaf 0))) (let m (P2 "max.f32" (Leaf 0) (Leaf 1)))')
    engine.run('(let r (Red "add.f32" 1 (P1 "neg.f32" (Leaf 0))))')
    engine.saturate("analysis")
    before = engine.tables(["P2", "Red", "free"])
    engine.run('(union s (Const 0 "f32")) (union m (Leaf 1))')
    engine.saturate("analysis")
    send((before, engine.tables(["P2", "Red", "free", "Leaf"])))


def test_free_axes_are_those_of_every_equal_value() -> None:
    (before, after), _ = run_in_child(_equal_values, seconds=20, memory_mb=1000)

    def axes(tables: Any, table: str, key: str) -> int:
        free = dict(tables["free"].rows)
        return next(free[row[-1]] for row in tables[table].rows if row[0] == key)

    assert axes(before, "P2", "sub.f32") == 0b011
    assert axes(before, "P2", "max.f32") == 0b111
    assert axes(before, "Red", "add.f32") == 0b001
    assert axes(after, "P2", "sub.f32") == 0  # x - x is a constant
    assert axes(after, "P2", "max.f32") == 0b110


def test_encoding_gives_equal_terms_one_number() -> None:
    encoding = encode(softmax())
    assert len(encoding.roots) == 1
    assert len(encoding.leaves) == 1
    assert encoding.axes == [encoding.axis_at(0), encoding.axis_at(1)]
    assert {a.name for a in encoding.axes} == {"r", "c"}
    assert encoding.operators >= {"exp.f32", "reduce:max.f32", "reduce:add.f32", "div.f32"}


def _slow(send: Send) -> None:
    send("first")
    send("second")
    time.sleep(60)
    send("never")


def test_the_time_limit_keeps_the_last_result() -> None:
    started = time.monotonic()
    assert run_in_child(_slow, seconds=0.7, memory_mb=500) == ("second", "time")
    assert time.monotonic() - started < 20


def _greedy(send: Send) -> None:
    send("before")
    send(len(bytearray(1 << 30)))


def test_the_memory_limit_keeps_the_last_result() -> None:
    assert run_in_child(_greedy, seconds=20, memory_mb=100) == ("before", "memory")


def _failing(send: Send) -> None:
    send("before")
    raise RuleError("no such rule")


def test_an_error_in_the_child_is_raised_in_the_parent() -> None:
    with pytest.raises(RuleError, match="no such rule"):
        run_in_child(_failing, seconds=20, memory_mb=500)
