"""Instructions that overwrite an operand read its copy, so that the operand can end there."""

from oxegg.emit.coalescing import coalesced
from oxegg.emit.lowering.ties import Choice, TiedOperation, resolve
from oxegg.emit.program import Operation, Program, Register, operations
from tests.emit.backend.programs import state, v, x

KEPT = state(32, 1, 8, mask_undisturbed=True)
STATE = state(32, 1, 8)


def merged(name: str, old: Register, mask: Register, *sources: Register | int) -> TiedOperation:
    """``name`` into a new register whose masked-off lanes are those of ``old``."""
    target = v(9)
    choice = Choice(name, (target, *sources, mask), old)
    return TiedOperation("tied", (target, old, mask), KEPT, target=target, choices=(choice,))


def names(operation: TiedOperation) -> list[str]:
    """What is left of a loaded operand, its mask, the operation and a store."""
    load = Operation("vle32.v", (v(1), x(1)), STATE)
    mask = Operation("vmseq.vi", (v(2), v(1), 0), STATE)
    store = Operation("vse32.v", (v(9), x(1)), STATE)
    program = Program("p", (x(1),), resolve([load, mask, operation, store]))
    return [left.name for left in operations(coalesced(program, shared=True).body)]


def test_a_masked_sum_takes_the_place_of_its_operand() -> None:
    text = names(merged("vadd.vi", v(1), v(2), v(1), 1))
    assert text == ["vle32.v", "vmseq.vi", "vadd.vi", "vse32.v"]


def test_a_gather_may_not_lie_on_its_source() -> None:
    text = names(merged("vrgather.vi", v(1), v(2), v(1), 1))
    assert text == ["vle32.v", "vmseq.vi", "vmv1r.v", "vrgather.vi", "vse32.v"]
