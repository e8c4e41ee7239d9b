"""Insertion of vsetvli and vsetivli: the fewest changes of ``vtype`` and ``vl``, out of loops.

Operations demand only what they depend on: a load only the ratio SEW/LMUL and ``vl``, a mask
operation only ``vl``, ``vmv.x.s`` only SEW, a whole-register move any valid ``vtype``. Agnostic
operations run under an undisturbed policy too. Successive demands are merged as long as one
state can serve them all, and a loop that needs one state only gets it before the loop.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from oxegg.emit.program import (
    ELEMENT_WIDTHS,
    LMULS,
    ZERO,
    Loop,
    Operation,
    Program,
    Register,
    VectorState,
)
from oxegg.errors import EmitError
from oxegg.isa import TABLE

Body = Sequence[Operation | Loop]

MAXIMUM_IMMEDIATE_VL = 31
ELEN = 64


@dataclass(frozen=True)
class Demand:
    """What a vector operation needs of the state; ``None`` (or False) means that any will do."""

    sew: int | None = None
    ratio: Fraction | None = None
    vl: int | None = None
    tail_undisturbed: bool = False
    mask_undisturbed: bool = False

    def merge(self, other: "Demand") -> "Demand | None":
        """The demand of both together, ``None`` when no state serves both."""
        for mine, theirs in (
            (self.sew, other.sew),
            (self.ratio, other.ratio),
            (self.vl, other.vl),
        ):
            if mine is not None and theirs is not None and mine != theirs:
                return None
        merged = Demand(
            self.sew if self.sew is not None else other.sew,
            self.ratio if self.ratio is not None else other.ratio,
            self.vl if self.vl is not None else other.vl,
            self.tail_undisturbed or other.tail_undisturbed,
            self.mask_undisturbed or other.mask_undisturbed,
        )
        if merged.sew is not None and merged.ratio is not None:
            return merged if is_legal(merged.sew, merged.sew / merged.ratio) else None
        return merged

    def holds(self, state: VectorState | None) -> bool:
        """Whether ``state`` (``None``: unknown) serves this demand."""
        return (
            state is not None
            and self.sew in (None, state.sew)
            and self.ratio in (None, state.sew / state.lmul)
            and self.vl in (None, state.vl)
            and self.tail_undisturbed <= state.tail_undisturbed
            and self.mask_undisturbed <= state.mask_undisturbed
        )


def is_legal(sew: int, lmul: Fraction) -> bool:
    """Whether vtype has this combination: a fractional group holds SEW out of ELEN bits."""
    return lmul in LMULS and sew <= lmul * ELEN


# Timing class -> the parts of the state that the instruction depends on; others: all parts.
_DEPENDS: Mapping[str, frozenset[str]] = {
    "vmv_whole": frozenset(),
    "vload_mask": frozenset({"vl"}),
    "vstore_mask": frozenset({"vl"}),
    "vmask": frozenset({"vl"}),
    "vmask_scalar": frozenset({"vl"}),
    "vmv_to_scalar": frozenset({"sew"}),
    "vmv_from_scalar": frozenset({"sew", "policy"}),
    "vload": frozenset({"ratio", "vl", "policy"}),
    "vload_strided": frozenset({"ratio", "vl", "policy"}),
    "vload_segment": frozenset({"ratio", "vl", "policy"}),
    "vstore": frozenset({"ratio", "vl"}),
    "vstore_strided": frozenset({"ratio", "vl"}),
    "vstore_segment": frozenset({"ratio", "vl"}),
}
_EVERYTHING = frozenset({"sew", "ratio", "vl", "policy"})
# Indexed segment accesses share the timing class of the others, but their data width is SEW.
_INDEXED = ("vlux", "vlox", "vsux", "vsox")


def demand(operation: Operation) -> Demand | None:
    """What ``operation`` needs of ``vtype`` and ``vl``; ``None`` when it needs nothing.

    Equal demands are the same object.
    """
    return _demand(operation.name, operation.state)


@lru_cache(maxsize=1 << 14)
def _demand(name: str, state: VectorState | None) -> Demand | None:
    instruction = TABLE.get(name)
    timing_class = instruction.timing if instruction is not None else ""
    if timing_class == "vmv_whole":
        return _interned(Demand())
    if state is None or timing_class in ("vload_whole", "vstore_whole"):
        return None
    depends = _EVERYTHING if name.startswith(_INDEXED) else _DEPENDS.get(timing_class, _EVERYTHING)
    return _interned(
        Demand(
            state.sew if "sew" in depends else None,
            state.sew / state.lmul if "ratio" in depends else None,
            state.vl if "vl" in depends else None,
            state.tail_undisturbed and "policy" in depends,
            state.mask_undisturbed and "policy" in depends,
        )
    )


@lru_cache(maxsize=1 << 14)
def _interned(need: Demand) -> Demand:
    return need


def merge(first: Demand, second: Demand, vlen: int) -> Demand | None:
    """The demand of both together if a machine with ``vlen``-bit registers can serve it."""
    merged = first.merge(second)
    if merged is None or merged.vl is None:
        return merged
    sew = merged.sew or ELEMENT_WIDTHS[0]
    ratio = merged.ratio if merged.ratio is not None else Fraction(sew, LMULS[-1])
    return merged if merged.vl <= vlen / ratio else None


def insert_vector_states(
    program: Program, vlen: int, numbers: Iterator[int], *, hoist: bool = True
) -> Program:
    """``program`` with the vset instructions that its vector operations need.

    ``numbers`` gives fresh register numbers. ``hoist`` moves the constants for large ``vl`` out
    of the loops (costs an x register each). Raises ``EmitError`` for states that can't exist.
    """
    return _Inserter(vlen, numbers, hoist).program(program)


@dataclass(frozen=True)
class _Conflict:
    """No one state serves the whole item."""


class _Inserter:
    def __init__(self, vlen: int, numbers: Iterator[int], hoist: bool) -> None:
        self.vlen = vlen
        self.numbers = numbers
        self.hoist = hoist
        self.lengths: dict[int, Register] = {}

    def program(self, program: Program) -> Program:
        body, _ = self.body(program.body, None)
        return replace(program, body=self._with_lengths(body))

    def _with_lengths(self, body: list[Operation | Loop]) -> list[Operation | Loop]:
        """Define each hoisted vector length before the first top-level item that needs it."""
        missing = {register: vl for vl, register in self.lengths.items()}
        result: list[Operation | Loop] = []
        for item in body:
            for operation in _operations(item):
                for operand in operation.operands:
                    if isinstance(operand, Register) and operand in missing:
                        result.append(Operation("li", (operand, missing.pop(operand)), note="vl"))
            result.append(item)
        return result

    def body(
        self, body: Body, state: VectorState | None
    ) -> tuple[list[Operation | Loop], VectorState | None]:
        """``body`` entered in ``state`` with its changes; and the state after it."""
        result: list[Operation | Loop] = []
        for index, item in enumerate(body):
            need = self._need(item)
            if isinstance(need, _Conflict):
                assert isinstance(item, Loop)
                state = self._mixed_loop(item, state, result)
                continue
            if need is not None and not need.holds(state):
                wanted = self._wanted(body[index:])
                result.extend(self._change(state, wanted))
                state = wanted
            result.append(item)
        return result, state

    def _need(self, item: Operation | Loop) -> Demand | _Conflict | None:
        """The one demand of an operation or of all of a loop."""
        merged: Demand | None = None
        for operation in _operations(item):
            need = demand(operation)
            if need is not None and merged is not None:
                need = merge(merged, need, self.vlen)
                if need is None:
                    return _Conflict()
            merged = need or merged
        return merged

    def _wanted(self, items: Body) -> VectorState:
        """A state for the first item of ``items`` and for as many after it as possible."""
        merged = self._need(items[0])
        assert isinstance(merged, Demand)
        for item in items[1:]:
            need = self._need(item)
            if isinstance(need, _Conflict):
                break
            together = merged if need is None else merge(merged, need, self.vlen)
            if together is None:
                break
            merged = together
        return self._complete(merged, _first_state(items))

    def _complete(self, need: Demand, own: VectorState) -> VectorState:
        """Fill what nobody demanded, from the first operation's own state where that fits."""
        sew = need.sew if need.sew is not None else own.sew
        lmul = sew / need.ratio if need.ratio is not None else own.lmul
        if need.sew is None and not is_legal(sew, lmul):
            sew, lmul = own.sew, own.lmul
        vl = need.vl if need.vl is not None else own.vl
        state = VectorState(sew, lmul, vl, need.tail_undisturbed, need.mask_undisturbed)
        if need.ratio is None:
            sizes = (lmul, *LMULS) if need.vl is not None else (lmul,)
            state = next(
                (
                    candidate
                    for candidate in (replace(state, lmul=size) for size in sizes)
                    if is_legal(sew, candidate.lmul) and vl <= candidate.maximum_vl(self.vlen)
                ),
                state,
            )
        if need.vl is None:
            state = replace(state, vl=min(vl, state.maximum_vl(self.vlen)))
        if not is_legal(state.sew, state.lmul) or not 1 <= state.vl <= state.maximum_vl(self.vlen):
            raise EmitError(
                f"no vector state {state} on {self.vlen}-bit registers",
                hint="a smaller vl, or a larger LMUL",
            )
        return state

    def _mixed_loop(
        self, loop: Loop, state: VectorState | None, result: list[Operation | Loop]
    ) -> VectorState | None:
        """A loop with several states: enter it in the state in which it ends, if that helps."""
        body, after = self.body(loop.body, None)
        steady, steady_after = self.body(loop.body, after)
        if steady_after == after and _changes(steady) < _changes(body):
            assert after is not None
            if state != after:
                result.extend(self._change(state, after))
            body = steady
        result.append(replace(loop, body=body))
        return after

    def _change(self, old: VectorState | None, new: VectorState) -> list[Operation]:
        """The instructions from state ``old`` (``None``: unknown) to ``new``."""
        vtype = vtype_immediate(new)
        note = str(new)
        same_ratio = old is not None and old.sew * new.lmul == new.sew * old.lmul
        if old is not None and old.vl == new.vl and same_ratio:
            return [Operation("vsetvli", (ZERO, ZERO, vtype), note=note)]
        if new.vl <= MAXIMUM_IMMEDIATE_VL:
            return [Operation("vsetivli", (ZERO, new.vl, vtype), note=note)]
        if new.vl == new.maximum_vl(self.vlen):
            # rd = x0 with rs1 = x0 would mean "keep vl", so the length goes to a dead register.
            dead = Register("x", next(self.numbers))
            return [Operation("vsetvli", (dead, ZERO, vtype), note=note)]
        if not self.hoist:
            length = Register("x", next(self.numbers))
            return [
                Operation("li", (length, new.vl), note="vl"),
                Operation("vsetvli", (ZERO, length, vtype), note=note),
            ]
        length = self.lengths.get(new.vl) or Register("x", next(self.numbers))
        self.lengths[new.vl] = length
        return [Operation("vsetvli", (ZERO, length, vtype), note=note)]


def vtype_immediate(state: VectorState) -> int:
    """The immediate of vsetvli: vma, vta, vsew, vlmul."""
    lmul = (state.lmul.numerator.bit_length() - state.lmul.denominator.bit_length()) & 7
    sew = state.sew.bit_length() - 4
    agnostic_tail = 0 if state.tail_undisturbed else 1 << 6
    agnostic_mask = 0 if state.mask_undisturbed else 1 << 7
    return agnostic_mask | agnostic_tail | sew << 3 | lmul


def _operations(item: Operation | Loop) -> Iterator[Operation]:
    if isinstance(item, Operation):
        yield item
        return
    for inner in item.body:
        yield from _operations(inner)


def _first_state(items: Body) -> VectorState:
    """The state that the first vector operation of ``items`` was written for."""
    for item in items:
        for operation in _operations(item):
            if operation.state is not None:
                return operation.state
    # Only whole-register moves, which need no more than that vtype is valid.
    return VectorState(8, Fraction(1), 1)


def _changes(body: Body) -> int:
    """vset instructions in a body, those of inner loops included."""
    return sum(op.name.startswith("vset") for item in body for op in _operations(item))
