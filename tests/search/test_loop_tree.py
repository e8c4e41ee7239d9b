"""Loop trees and stages of hand-made physical programs."""

from dataclasses import replace

import pytest

from oxegg.emit.loop_tree import Level, LoopConflict, LoopNode, build
from oxegg.emit.physical import Access, Buffer, PhysicalProgram, Value
from oxegg.emit.stages import buffers_read, split
from oxegg.errors import EmitError
from oxegg.ir import TYPES, Axis

F32 = TYPES["f32"]
R, C = Axis("i", 3), Axis("j", 8)


def access(name: str, *axes: Axis) -> Access:
    """Dense row-major: the last axis is innermost."""
    strides: list[tuple[Axis, int]] = []
    size = 1
    for axis in reversed(axes):
        strides.append((axis, 4 * size))
        size *= axis.size
    ordered = tuple(sorted(strides, key=lambda item: item[0].name))
    return Access(Buffer(name, F32, size, "output", 0), ordered)


def load(name: str, *axes: Axis) -> Value:
    return Value("load", F32, frozenset(axes), access=access(name, *axes))


def scalar(form: str, *operands: Value) -> Value:
    axes = frozenset[Axis]().union(*(o.axes for o in operands))
    return Value("scalar", F32, axes, operands=operands, form=form)


def reduction(operator: str, axis: Axis, operand: Value) -> Value:
    return Value(
        "accumulate", F32, operand.axes - {axis}, operands=(operand,), axis=axis, name=operator
    )


def store(name: str, value: Value, *axes: Axis, lane: Axis | None = None) -> Value:
    return Value("store", F32, frozenset(axes), lane, operands=(value,), access=access(name, *axes))


def loops(level: Level) -> list[LoopNode]:
    return [item for item in level.items if isinstance(item, LoopNode)]


def values(level: Level) -> list[Value]:
    return [item for item in level.items if isinstance(item, Value)]


def test_invariants_are_hoisted_to_the_outermost_level_with_their_axes() -> None:
    constant = load("a")
    row = scalar("mul.f32", load("x", R), constant)
    out = store("y", scalar("add.f32", load("z", R, C), row), R, C)
    top = build([out], [R, C])
    assert constant in values(top)
    (outer,) = loops(top)
    assert outer.axis == R
    assert row in values(outer.body)
    (inner,) = loops(outer.body)
    assert inner.axis == C
    assert row not in values(inner.body)
    assert constant not in [*values(outer.body), *values(inner.body)]
    assert out in values(inner.body)


def test_order_decides_which_loop_is_outermost() -> None:
    out = store("y", load("x", R, C), R, C)
    (outer,) = loops(build([out], [C, R]))
    assert outer.axis == C
    assert [node.axis for node in loops(outer.body)] == [R]


def test_softmax_takes_three_loops_one_after_the_other() -> None:
    x = load("x", R, C)
    largest = reduction("max", C, x)
    power = scalar("exp.f32", scalar("sub.f32", x, largest))
    total = reduction("add", C, power)
    top = build([store("y", scalar("div.f32", power, total), R, C)], [R, C])
    (row,) = loops(top)
    phases = loops(row.body)
    assert [node.axis for node in phases] == [C, C, C]
    assert [[t.kind for t in node.tasks] for node in phases] == [
        ["accumulate"], ["accumulate"], ["store"],
    ]  # fmt: skip
    assert phases[0].closing == [largest]
    assert phases[1].closing == [total]
    assert phases[2].closing == []


def test_independent_reductions_share_a_loop() -> None:
    x = load("x", R, C)
    low, high = reduction("min", C, x), reduction("max", C, x)
    (row,) = loops(build([store("y", scalar("sub.f32", high, low), R)], [R, C]))
    (shared,) = loops(row.body)
    assert shared.axis == C
    assert {id(t) for t in shared.closing} == {id(low), id(high)}


def test_the_loop_of_a_reduction_lies_inside_those_of_its_result() -> None:
    total = reduction("add", C, load("x", R, C))
    (outer,) = loops(build([store("y", total, R)], [C, R]))
    assert outer.axis == R
    (inner,) = loops(outer.body)
    assert inner.axis == C
    assert inner.closing == [total]


def test_strips_are_the_loops_of_the_lane_axis() -> None:
    out = store("y", load("x", R, C), R, C, lane=C)
    (outer,) = loops(build([out], [R, C]))
    (inner,) = loops(outer.body)
    assert (outer.step[0], inner.step[0]) == ("element", "lanes")


def test_values_that_wait_for_each_other_are_refused() -> None:
    first = load("x", R)
    total = reduction("add", R, scalar("add.f32", first))
    total.operands = (scalar("add.f32", first, reduction("max", R, scalar("neg.f32", first))),)
    inner = total.operands[0].operands[1]
    inner.operands = (scalar("add.f32", first, total),)
    with pytest.raises(EmitError, match="wait for each other"):
        build([store("y", total)], [R])


def running(axis: Axis, operand: Value) -> Value:
    return Value("scan", F32, operand.axes, operands=(operand,), axis=axis, name="add")


def test_a_scan_runs_along_the_innermost_of_its_loops() -> None:
    total = running(R, load("x", R, C))
    (outer,) = loops(build([store("y", total, R, C)], [R, C]))
    (inner,) = loops(outer.body)
    assert (outer.axis, inner.axis) == (C, R)
    assert total in values(inner.body)


@pytest.mark.parametrize("order", [[R, C], [C, R]])
def test_two_carried_values_do_not_share_their_loops(order: list[Axis]) -> None:
    """The sum over C needs the loop over C innermost, the running sum along R that over R."""
    first = running(R, load("x", R, C))
    for result in (
        store("y", reduction("add", C, first), R),
        store("y", running(C, first), R, C),
    ):
        with pytest.raises(LoopConflict) as conflict:
            build([result], order)
        assert conflict.value.value is first
        (stage,) = split(program(result))
        kept, last = stage.stores
        assert (kept.note, kept.operands) == ("spill", (first,))
        assert last is result
        build(stage.stores, order)


def spilled(lane: Axis | None) -> tuple[Value, Value]:
    """A store of a kept value, and a load of it along ``lane``."""
    kept = access("kept", R, C)
    spill = Value("store", F32, frozenset({R, C}), None, operands=(load("x", R, C),), access=kept)
    again = Value("load", F32, spill.axes, lane, access=kept, note="spilled")
    return replace(spill, note="spill"), again


def test_kept_values_are_read_in_the_iteration_that_writes_them() -> None:
    spill, again = spilled(lane=None)
    total = reduction("add", C, again)
    (row,) = loops(build([store("y", total, R), spill], [R, C]))
    (column,) = loops(row.body)
    body = values(column.body)
    assert {id(task) for task in column.tasks} == {id(total), id(spill)}
    assert [v for v in body if v in (spill, again)] == [spill, again]


def test_kept_values_read_in_other_steps_wait_for_their_loop() -> None:
    spill, again = spilled(lane=C)
    folded = store("y", scalar("neg.f32", again), R, C, lane=C)
    writes, reads = loops(build([folded, spill], [C, R]))
    assert writes.tasks == [spill]
    assert reads.tasks == [folded]


def test_lanes_that_were_folded_are_kept_as_scalars() -> None:
    total = Value("lanes", F32, frozenset({R}), C, operands=(load("x", R, C),), axis=C, name="add")
    product = scalar("mul.f32", total, load("z", R, C))
    (stage,) = split(program(store("y", reduction("add", R, product), C, lane=C)))
    kept, _ = stage.stores
    assert kept.operands == (total,)
    assert kept.lane is None


def program(*stores: Value) -> PhysicalProgram:
    return PhysicalProgram("p", (), (), list(stores))


def test_stores_over_the_same_axes_and_lanes_share_a_stage() -> None:
    x = load("x", R, C)
    first, second = store("y", x, R, C, lane=C), store("z", x, R, C, lane=C)
    (stage,) = split(program(first, second))
    assert stage.stores == [first, second]
    assert stage.axes == [R, C]


@pytest.mark.parametrize(
    "second",
    [
        store("z", load("x", R, C), R, C, lane=R),
        store("z", load("x", R), R, lane=None),
        store("z", load("y", R, C), R, C, lane=C),
    ],
    ids=["other lanes", "other axes", "reads what the first writes"],
)
def test_other_stores_start_a_stage(second: Value) -> None:
    first = store("y", load("x", R, C), R, C, lane=C)
    stages = split(program(first, second))
    assert [stage.stores for stage in stages] == [[first], [second]]


def test_results_axes_come_first_in_memory_order() -> None:
    total = reduction("add", Axis("a", 5), load("x", Axis("a", 5), C, R))
    (stage,) = split(program(store("y", total, C, R)))
    assert [axis.name for axis in stage.axes] == ["j", "i", "a"]


def test_what_one_stage_keeps_in_memory_is_nothing_to_an_earlier_one() -> None:
    x = load("x", R, C)
    negated = scalar("neg.f32", running(R, x))
    first = store("y", scalar("add.f32", negated, load("z", R, C)), R, C)
    second = store("s", reduction("add", C, negated), R)
    early, late = split(program(first, second))
    assert early.stores == [first]
    assert buffers_read(early.stores) == {"x", "z"}
    kept, last = late.stores
    assert last is second
    assert kept.access is not None
    assert buffers_read([last]) == {kept.access.buffer.name}
    assert buffers_read([kept]) == {"x"}


def shared(steps: int) -> list[Value]:
    """A matrix of vectors that so many instructions compute, and the sum of each row."""
    vector = Value("load", F32, frozenset({R, C}), R, "v", access=access("x", R, C))
    for _ in range(steps):
        vector = Value("instruction", F32, vector.axes, R, "v", (vector,), form="vfmul.vf")
    total = Value("accumulate", F32, frozenset({R}), R, "v", (vector,), axis=C, name="add")
    return [store("sums", total, R, lane=R), store("weights", vector, R, C, lane=R)]


def test_a_matrix_and_its_sums_come_from_one_loop() -> None:
    for stores in (shared(4), shared(4)[::-1]):
        (stage,) = split(PhysicalProgram("f", (), (), stores))
        assert len(stage.stores) == 2
        top = build(stage.stores, [R, C])
        (lanes,) = loops(top)
        assert [node.axis for node in loops(lanes.body)] == [C]


def test_what_is_cheap_to_compute_twice_keeps_its_own_loop() -> None:
    assert len(split(PhysicalProgram("f", (), (), shared(1)))) == 2
