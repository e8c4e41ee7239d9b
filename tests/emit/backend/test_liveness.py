"""Live ranges over loops, against a walk of every path."""

from hypothesis import given
from hypothesis import strategies as st

from oxegg.emit.liveness import liveness, read_point, write_point
from oxegg.emit.program import ZERO, Loop, Operation, Program, Register
from tests.emit.backend.programs import x

POOL = [x(n) for n in range(1, 5)]


def op(target: int, *sources: int) -> Operation:
    first, second = (*(x(s) for s in sources), ZERO, ZERO)[:2]
    return Operation("add", (x(target) if target else ZERO, first, second))


def points(program: Program, register: Register) -> list[int]:
    taken = liveness(program).ranges[register]
    return [k for k in range(taken.bit_length()) if taken >> k & 1]


def test_a_value_lives_from_its_write_to_its_last_read():
    program = Program("p", (), [op(1), op(2, 1), op(3, 1)])
    assert points(program, x(1)) == [write_point(0), read_point(1), write_point(1), read_point(2)]


def test_a_result_nobody_reads_still_takes_its_place():
    assert points(Program("p", (), [op(1), op(2)]), x(1)) == [write_point(0)]


def test_an_argument_lives_from_the_entry():
    assert points(Program("p", (x(1),), [op(2), op(3, 1)]), x(1)) == [0, 1, 2, 3]


def test_a_value_read_in_a_loop_lives_through_all_of_it():
    loop = Loop(".L", 2, [op(2, 1), op(3), op(4)])
    assert points(Program("p", (), [op(1), loop]), x(1)) == list(range(2, 9))


def test_a_value_written_before_it_is_read_does_not_cross_the_back_edge():
    loop = Loop(".L", 2, [op(1), op(2, 1), op(3)])
    assert points(Program("p", (), [loop]), x(1)) == [write_point(0), read_point(1)]


@st.composite
def bodies(draw: st.DrawFn, depth: int = 2) -> list[Operation | Loop]:
    numbers = st.integers(0, len(POOL))
    body: list[Operation | Loop] = []
    for _ in range(draw(st.integers(1, 4))):
        if depth and draw(st.booleans()):
            body.append(Loop(".L", 2, draw(bodies(depth=depth - 1))))
        else:
            body.append(op(draw(numbers), draw(numbers), draw(numbers)))
    return body


def trace(body: list[Operation | Loop], index: int = 0) -> tuple[list[int], int]:
    """Operation indices in the order of execution, two trips per loop."""
    executed: list[int] = []
    for item in body:
        if isinstance(item, Loop):
            first, end = trace(item.body, index)
            executed += first * 2
            index = end
        else:
            executed.append(index)
            index += 1
    return executed, index


@given(bodies())
def test_agrees_with_execution(body: list[Operation | Loop]):
    program = Program("p", tuple(POOL), body)
    live = liveness(program)
    executed, _ = trace(body)
    needed: dict[Register, set[int]] = {register: set() for register in POOL}
    for register in POOL:
        alive = False
        for index in reversed(executed):
            effect = live.effects[index]
            if alive:
                needed[register].add(write_point(index))
            if register in effect.writes:
                needed[register].add(write_point(index))
                alive = False
            alive = alive or register in effect.reads
            if alive:
                needed[register].add(read_point(index))
        needed[register].add(0)
    for register in POOL:
        assert set(points(program, register)) == needed[register]
