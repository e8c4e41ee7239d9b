"""vset instructions: as few as possible, out of loops, in the cheapest form."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import count

import pytest

from oxegg.emit.program import Loop, Operation, Program, VectorState, operations
from oxegg.emit.vector_state import insert_vector_states
from oxegg.errors import EmitError
from tests.emit.backend.programs import counted, state, v, x

VLEN = 512


def vsets(body: Sequence[Operation | Loop]) -> list[str]:
    """The vset instructions that a body gets, in text order; loops as brackets."""
    program = insert_vector_states(Program("p", (), [*body]), VLEN, count(1000))
    return [text for item in program.body for text in _texts(item)]


def _texts(item: Operation | Loop) -> list[str]:
    if isinstance(item, Loop):
        return ["[", *(text for inner in item.body for text in _texts(inner)), "]"]
    return [f"{item.name} {item.note}"] if item.name.startswith("vset") else []


def add(vector_state: VectorState, group: int = 1) -> Operation:
    return Operation("vadd.vv", (v(1, group), v(2, group), v(3, group)), vector_state)


def test_one_state_serves_a_run():
    assert vsets([add(state(32, 1, 8)), add(state(32, 1, 8))]) == ["vsetivli e32,m1,ta,ma,vl=8"]


def test_a_uniform_loop_gets_its_state_before():
    body = [*counted(".L1", 4, x(1), [add(state(32, 1, 16)), add(state(32, 1, 16))])]
    assert vsets(body) == ["vsetivli e32,m1,ta,ma,vl=16", "[", "]"]


def test_a_uniform_nest_gets_its_state_before_the_outermost_loop():
    inner = [*counted(".L2", 4, x(2), [add(state(32, 1, 16))])]
    body = [*counted(".L1", 4, x(1), [*inner, add(state(32, 1, 16))])]
    assert vsets(body) == ["vsetivli e32,m1,ta,ma,vl=16", "[", "[", "]", "]"]


def test_a_loop_that_changes_its_state_is_entered_in_its_last_one():
    wide, narrow = add(state(32, 1, 16)), add(state(8, 1, 3))
    body = [*counted(".L1", 4, x(1), [wide, narrow, wide])]
    texts = vsets(body)
    assert texts[0] == "vsetivli e32,m1,ta,ma,vl=16"
    assert len(texts[2:-1]) == 2


def test_the_same_ratio_keeps_vl():
    program = insert_vector_states(
        Program("p", (), [add(state(32, 2, 32), 2), add(state(16, 1, 32))]), VLEN, count(1000)
    )
    second = [op for op in operations(program.body) if op.name == "vsetvli"][1]
    assert [str(operand) for operand in second.operands[:2]] == ["%x0", "%x0"]


@pytest.mark.parametrize(
    ("vl", "names"),
    [(31, ["vsetivli"]), (64, ["vsetvli"]), (33, ["li", "vsetvli"])],
)
def test_forms(vl: int, names: list[str]):
    body: list[Operation | Loop] = [add(state(32, 4, vl), 4)]
    program = insert_vector_states(Program("p", (), body), VLEN, count(1000))
    assert [op.name for op in operations(program.body)][:-1] == names


def test_vector_lengths_leave_loops():
    body = [*counted(".L1", 4, x(1), [add(state(32, 4, 33), 4), add(state(32, 4, 44), 4)])]
    program = insert_vector_states(Program("p", (), body), VLEN, count(1000))
    loop = next(item for item in program.body if isinstance(item, Loop))
    assert not [op for op in operations(loop.body) if op.name == "li"]
    here = insert_vector_states(Program("p", (), body), VLEN, count(1000), hoist=False)
    loop = next(item for item in here.body if isinstance(item, Loop))
    assert len([op for op in operations(loop.body) if op.name == "li"]) == 2


@pytest.mark.parametrize(
    "second",
    [
        Operation("vmand.mm", (v(4), v(5), v(6)), state(8, Fraction(1, 4), 16)),
        Operation("vle8.v", (v(4), x(1)), state(8, Fraction(1, 4), 16)),
        Operation("vse64.v", (v(4, 2), x(1)), state(64, 2, 16)),
        Operation("vmv.x.s", (x(1), v(4)), state(32, 1, 1)),
        Operation("vmv4r.v", (v(4, 4), v(5, 4))),
        Operation("vl2re8.v", (v(4, 2), x(1))),
        Operation("vs8r.v", (v(4, 8), x(1))),
        add(state(32, 1, 16)),
    ],
    ids=lambda operation: operation.name,
)
def test_what_an_instruction_ignores_forces_nothing(second: Operation):
    first = add(state(32, 1, 16, tail_undisturbed=True, mask_undisturbed=True))
    assert len(vsets([first, second])) == 1


def test_undisturbed_needs_undisturbed():
    agnostic, undisturbed = state(64, 1, 8), state(64, 1, 8, tail_undisturbed=True)
    assert len(vsets([add(undisturbed), add(agnostic)])) == 1
    changes = [add(state(32, 1, 8)), add(agnostic), add(undisturbed)]
    # The second change already sets the policy that the third operation needs.
    assert vsets(changes)[-1] == "vsetivli e64,m1,tu,ma,vl=8"
    assert len(vsets(changes)) == 2


def test_a_load_takes_the_width_of_the_next_operation():
    load = Operation("vle8.v", (v(4), x(1)), state(8, Fraction(1, 2), 32))
    assert vsets([load, add(state(32, 2, 32), 2)]) == ["vsetvli e32,m2,ta,ma,vl=32"]


def test_a_mask_length_that_one_register_cannot_have_is_not_merged():
    masks = Operation("vmand.mm", (v(4), v(5), v(6)), state(8, 8, 512))
    scalar = Operation("vmv.x.s", (x(1), v(4)), state(64, 1, 1))
    assert len(vsets([masks, scalar])) == 2


def test_impossible_states_are_refused():
    with pytest.raises(EmitError, match="no vector state"):
        vsets([add(state(64, Fraction(1, 2), 2))])
