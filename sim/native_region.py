"""Regions: hot blocks and the branches between them, as one native function.

A block appears once for every vector configuration that it was executed under, so that vl and
vtype are constants in its code. Where the function meets anything else - a block or a configuration
that isn't part of the region, an instruction without native code, a refused access - it leaves.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from oxegg.isa import Instruction
from oxegg.isa.semantics import WHOLE_VECTOR, Apply
from oxegg.isa.vtype import decode_vtype
from oxegg.sim.blocks import Decoded
from oxegg.sim.native_frame import EventOverflow, Frame, Place
from oxegg.sim.native_ir import Unsupported
from oxegg.sim.native_permute import Permutation
from oxegg.sim.native_runtime import WORD
from oxegg.sim.native_scalar import Branch, ScalarInstruction
from oxegg.sim.native_vector import Configured, VectorInstruction
from oxegg.sim.native_vector_memory import VectorAccess
from oxegg.sim.region import (
    CONTINUE,
    FUNCTION,
    REDO,
    UNTIMED,
    EventField,
    Node,
    Region,
    RegionCode,
)
from oxegg.sim.vector_groups import scalar_sources

CALL_ARGUMENTS = 3


def region_code(region: Region) -> RegionCode:
    """Native code of a region, as LLVM IR."""
    return _Writer(region).write()


@dataclass
class _Writer:
    region: Region

    def __post_init__(self) -> None:
        target = self.region.target
        self.frame = Frame(target.timed, target.vlen // 8)
        self.result = RegionCode("")
        self.numbers: Mapping[tuple[int, int], int] = {
            (node.block.start, node.config): number for number, node in enumerate(self.region.nodes)
        }
        self.pending: list[EventField] = []

    def write(self) -> RegionCode:
        for number, node in enumerate(self.region.nodes):
            self._node(number, node)
        self.result.text = self.frame.text(len(self.region.nodes), FUNCTION)
        return self.result

    def _node(self, number: int, node: Node) -> None:
        code, frame = self.frame.code, self.frame
        code.place(f"node{number}")
        frame.event_bits[:] = [0, 0]
        if frame.timed:
            code.do("store i64 0, ptr %event0.l")
            code.do("store i64 0, ptr %event1.l")
        fields: list[EventField] = []
        self.pending = fields
        end: Branch | None = None
        complete = True
        for index, decoded in enumerate(node.block.instructions):
            place = Place(number, index)
            if decoded.record.timing == "vset" and not self._is_off(decoded.record):
                complete = self._set_vl(number, node, decoded)
                break
            mark, block = len(code.lines), code.block
            bits = tuple(frame.event_bits)
            try:
                end = self._instruction(node, decoded, place)
            except (Unsupported, EventOverflow):
                del code.lines[mark:]
                code.block = block
                frame.event_bits[:] = bits
                frame.leave(place.status(REDO))
                complete = False
                break
            self._note_field(index, bits)
        else:
            self._end(number, node, end)
        self.result.events.append(tuple(fields))
        self.result.complete.append(complete)

    def _note_field(self, index: int, before: tuple[int, ...]) -> None:
        """Remember the event field that an instruction has taken."""
        for word, position in enumerate(before):
            after = self.frame.event_bits[word]
            if after != position:
                self.pending.append(EventField(index, word, position, after - position))

    def _instruction(self, node: Node, decoded: Decoded, place: Place) -> Branch | None:
        if self._is_off(decoded.record):
            raise Unsupported("an illegal instruction")
        if not (decoded.record.is_vector or decoded.record.is_custom):
            return ScalarInstruction(self.frame, decoded, place).write()
        mark, block = len(self.frame.code.lines), self.frame.code.block
        try:
            self._vector(node, decoded, place)
        except Unsupported:
            del self.frame.code.lines[mark:]
            self.frame.code.block = block
            self._call(decoded, place)
        return None

    def _is_off(self, record: Instruction) -> bool:
        """Whether the unit that the instruction needs is switched off."""
        target = self.region.target
        vector = record.is_vector or record.timing == "vset"
        return (target.float_off and record.is_float) or (target.vector_off and vector)

    def _vector(self, node: Node, decoded: Decoded, place: Place) -> None:
        config, target = self.region.configs[node.config], self.region.target
        record = decoded.record
        if config.vtype is None or record.is_custom:
            raise Unsupported(record.name)
        configured = Configured(
            config.vl, config.vtype, config.vxrm, target.fill_agnostic, target.vlen
        )
        value = record.statements[0].value
        operation = value.operation if isinstance(value, Apply) else "move"
        arguments = (self.frame, decoded, place, configured)
        if record.memory:
            VectorAccess(*arguments).access(operation)
        elif operation in WHOLE_VECTOR:
            Permutation(*arguments).permute(operation)
        elif config.vl:
            VectorInstruction(*arguments).elementwise()

    def _call(self, decoded: Decoded, place: Place) -> None:
        """Have the Python tier execute a vector instruction that tells the clock nothing."""
        record, operands, code = decoded.record, decoded.operands, self.frame.code
        if record.memory or (record.is_custom and (self.frame.timed or record.extension != "Xoxt")):
            raise Unsupported(record.name)
        kinds = {operand.name: operand.kind for operand in record.operands}
        names = scalar_sources(record)
        if len(names) > CALL_ARGUMENTS:
            raise Unsupported(record.name)
        values = [
            str(operands[name]) if kinds[name] == "imm"
            else self.frame.f(operands[name]) if kinds[name] == "f"
            else self.frame.x(operands[name])
            for name in names
        ]  # fmt: skip
        values += ["0"] * (CALL_ARGUMENTS - len(values))
        site = len(self.result.calls)
        self.result.calls.append((place.node, place.index))
        arguments = ", ".join(f"i64 {value}" for value in (str(site), *values))
        pointer = code.let(f"getelementptr i64, ptr %context, i64 {WORD['callback']}")
        result = code.let(f"call i64 {code.let(f'load ptr, ptr {pointer}')}({arguments})")
        failed = code.let(f"getelementptr i64, ptr %context, i64 {WORD['failed']}")
        failed = code.let(f"load i64, ptr {failed}")
        self.frame.refuse_unless(code.let(f"icmp eq i64 {failed}, 0"), place)
        if kinds.get("rd") == "x":
            self.frame.set_x(operands["rd"], result)
        elif kinds.get("rd") == "f":
            self.frame.set_f(operands["rd"], result)

    # Ends of blocks

    def _end(self, number: int, node: Node, end: Branch | None) -> None:
        """The end of a block whose last instruction isn't a vsetvli."""
        code, block = self.frame.code, node.block
        if end is None:
            self._finish(number, node, taken=False)
            self._go(node, block.end, node.config)
        elif end.condition is not None:
            assert isinstance(end.taken, int)
            taken, ahead = code.new_label("taken"), code.new_label("ahead")
            code.branch(end.condition, taken, ahead)
            code.place(taken)
            self._finish(number, node, taken=end.taken != block.end, target=end.taken)
            self._go(node, end.taken, node.config)
            code.place(ahead)
            self._finish(number, node, taken=False, target=block.end)
            self._go(node, block.end, node.config)
        elif isinstance(end.taken, int):
            self._finish(number, node, taken=end.taken != block.end, target=end.taken)
            self._go(node, end.taken, node.config)
        else:
            self._indirect(number, node, end.taken)

    def _indirect(self, number: int, node: Node, target: str) -> None:
        """A jump to an address in a register: to a node of the region, or out of it."""
        code = self.frame.code
        self._finish(number, node, taken=True, target=target)
        known = {pc: n for (pc, config), n in self.numbers.items() if config == node.config}
        outside = code.new_label("outside")
        self._check_budget(node, target)
        cases = " ".join(f"i64 {pc}, label %node{n}" for pc, n in known.items())
        code.do(f"switch i64 {target}, label %{outside} [ {cases} ]")
        code.place(outside)
        self.frame.leave(CONTINUE, pc=target, config=node.config)

    def _finish(
        self, number: int, node: Node, *, taken: bool, target: int | str | None = None
    ) -> None:
        """Count the block's execution, and time it."""
        self._count(number, node)
        if self.frame.timed:
            pc = node.block.end if target is None else target
            self._advance(number, 2 * number + taken, pc, node.config)

    def _count(self, number: int, node: Node) -> None:
        code = self.frame.code
        pointer = code.let(f"getelementptr i64, ptr %counts, i64 {number}")
        count = code.let(f"add i64 {code.let(f'load i64, ptr {pointer}')}, 1")
        code.do(f"store i64 {count}, ptr {pointer}")
        left = code.let("load i64, ptr %budget.l")
        left = code.let(f"sub i64 {left}, {len(node.block.instructions)}")
        code.do(f"store i64 {left}, ptr %budget.l")

    def _advance(self, number: int, exit_: int, pc: int | str, config: int, vl: str = "0") -> None:
        """Look up the block's time; where it is unknown, leave and have it computed."""
        code = self.frame.code
        state, event0, event1 = (
            code.let(f"load i64, ptr %{name}.l") for name in ("state", "event0", "event1")
        )
        following = code.let(
            f"call preserve_mostcc i64 @advance(ptr %context, i64 {state}, i64 {exit_}, "
            f"i64 {event0}, i64 {event1})"
        )
        known, unknown = code.new_label("known"), code.new_label("unknown")
        code.branch(code.let(f"icmp sge i64 {following}, 0"), known, unknown, rare=unknown)
        code.place(unknown)
        self.frame.leave(Place(number, exit_ & 1).status(UNTIMED), pc=pc, config=config, vl=vl)
        code.place(known)
        code.do(f"store i64 {following}, ptr %state.l")

    def _go(self, node: Node, pc: int, config: int) -> None:
        """Continue at an address that is known."""
        successor = self.numbers.get((pc, config))
        if successor is None:
            self.frame.leave(CONTINUE, pc=pc, config=config)
            return
        if pc <= node.block.start:
            self._check_budget(node, pc)
        self.frame.code.jump(f"node{successor}")

    def _check_budget(self, node: Node, pc: int | str) -> None:
        """Leave from time to time: a loop may be endless, and a limit may be reached."""
        code = self.frame.code
        left = code.let("load i64, ptr %budget.l")
        ahead, spent = code.new_label("ahead"), code.new_label("spent")
        code.branch(code.let(f"icmp sgt i64 {left}, 0"), ahead, spent, rare=spent)
        code.place(spent)
        self.frame.leave(CONTINUE, pc=pc, config=node.config)
        code.place(ahead)

    def _set_vl(self, number: int, node: Node, decoded: Decoded) -> bool:
        """A vsetvli, which ends its block: continue under the new configuration."""
        code, frame, operands = self.frame.code, self.frame, decoded.operands
        name = decoded.record.name
        bits = operands.get("vtypei", operands.get("vtypei10"))
        vtype = decode_vtype(bits) if bits is not None else None
        config = self.region.configs[node.config]
        if vtype is None or bits is None:
            frame.leave(Place(number, len(node.block.instructions) - 1).status(REDO))
            return False
        limit, rd = vtype.vlmax(self.region.target.vlen), operands["rd"]
        if name == "vsetivli":
            vl = str(min(operands["zimm"], limit))
        elif operands["rs1"]:
            vl = code.let(f"call i64 @llvm.umin.i64(i64 {frame.x(operands['rs1'])}, i64 {limit})")
        else:
            # rs1 = x0 asks for the most (rd given) or for the present vl (rd = x0).
            vl = str(limit if rd else min(config.vl, limit))
        frame.set_x(rd, vl)
        following = node.block.end
        candidates = {
            known.vl: n
            for n, known in enumerate(self.region.configs)
            if known.vtype == vtype and known.vxrm == config.vxrm
        }
        self._count(number, node)
        if frame.timed:
            self._advance(number, 2 * number, following, ~bits, vl)
        fixed = int(vl) if vl.isdigit() else None
        if fixed is not None and fixed in candidates:
            self._go(node, following, candidates[fixed])
            return True
        outside = code.new_label("outside")
        within = {
            v: self.numbers[following, n]
            for v, n in candidates.items()
            if (following, n) in self.numbers
        }
        cases = " ".join(f"i64 {v}, label %node{n}" for v, n in within.items())
        code.do(f"switch i64 {vl}, label %{outside} [ {cases} ]")
        code.place(outside)
        frame.leave(CONTINUE, pc=following, config=~bits, vl=vl)
        return True
