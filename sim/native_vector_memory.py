"""Vector loads and stores in native code."""

from dataclasses import dataclass

from oxegg.sim.memory import LINE
from oxegg.sim.native_ir import Unsupported
from oxegg.sim.native_runtime import REFUSED
from oxegg.sim.native_vector import VectorInstruction
from oxegg.sim.vector_groups import Group


@dataclass(frozen=True)
class VectorAccess(VectorInstruction):
    """One load or store; all of it is checked before any of it is done."""

    def access(self, way: str) -> None:
        """Emit the access; ``way`` is its operation in the semantics, such as ``load_unit``."""
        direction, _, mode = way.partition("_")
        write = direction == "store"
        group = self.groups["vs3" if write else "vd"]
        registers = group.registers * self.config.vlen // 8
        if mode == "whole":
            alignment = 1 if write else (group.operand.width or 8) // 8
            self._side_by_side(group, registers, alignment, write=write)
        elif self.config.vl == 0:
            return
        elif mode == "mask":
            count = -(-self.config.vl // 8)
            self._side_by_side(group, count, 1, write=write)
            if not write and self.config.fill_agnostic:
                self.fill(group.register, count, registers)
        elif mode == "unit" and group.operand.fields == 1 and not self.masked:
            size = group.width // 8
            self._side_by_side(group, self.config.vl * size, size, write=write)
            if not write:
                self.fill_tail(group, self.config.vl)
        elif mode in ("unit", "strided", "indexed"):
            self._elements(group, mode, write=write)
        else:
            raise Unsupported(way)

    def _side_by_side(self, group: Group, size: int, align: int, *, write: bool) -> None:
        code, frame = self.frame.code, self.frame
        address = frame.x(self.decoded.operands["rs1"])
        most = (size - 1) // LINE + 2
        frame.check_range(address, size, align, self.place, write=write, most=most)
        host, register = frame.pointer(address), frame.vector(group.register)
        target, source = (host, register) if write else (register, host)
        full, rest = divmod(size, LINE)
        if full:
            with code.loop(full) as index:
                at = code.let(f"mul i64 {index}, {LINE}")
                value = code.let(f"load <{LINE} x i8>, ptr {code.offset(source, at)}, align 1")
                code.do(f"store <{LINE} x i8> {value}, ptr {code.offset(target, at)}, align 1")
        if rest:
            source, target = code.offset(source, full * LINE), code.offset(target, full * LINE)
            operands = f"ptr {target}, ptr {source}, i64 {rest}, i1 false"
            code.do(f"call void @llvm.memcpy.p0.p0.i64({operands})")

    def _elements(self, group: Group, mode: str, *, write: bool) -> None:
        """Elements one by one, each with all its fields."""
        code, fields, size = self.frame.code, group.operand.fields, group.width // 8
        base = self.frame.x(self.decoded.operands["rs1"])
        step = str(size * fields)
        if mode == "strided":
            step = self.frame.x(self.decoded.operands["rs2"])
        with code.fold(self.config.vl, "i64", "-1") as fold:
            at = self._address(base, step, mode, fold.index)
            ahead = self._skip_inactive(fold.index)
            new = self.frame.access(at, size * fields, size, write=write)
            passed = code.let(f"icmp ne i64 {new}, {REFUSED}")
            self.frame.refuse_unless(passed, self.place)
            # -1 means no DRAM: it must not count as a line.
            none = code.let(f"call i64 @llvm.smax.i64(i64 {fold.value}, i64 0)")
            total = code.let(f"add i64 {none}, {new}")
            nothing = code.let(f"icmp slt i64 {new}, 0")
            total = code.let(f"select i1 {nothing}, i64 {fold.value}, i64 {total}")
            fold.next = self._join(ahead, total, fold.value, "i64")
        self.frame.note(fold.next, self.config.vl * (fields + 1))
        with code.loop(self.config.vl) as index:
            at = self._address(base, step, mode, index)
            for field in range(fields):
                place = code.let(f"add i64 {at}, {field * size}") if field else at
                self._move(group, field, index, place, write=write)
        if not write:
            for field in range(fields):
                self.fill_tail(group, self.config.vl, field)

    def _address(self, base: str, step: str, mode: str, index: str) -> str:
        let = self.frame.code.let
        if mode == "indexed":
            offset = self.element(self.groups["vs2"], index)
            width = self.groups["vs2"].width
            if width < 64:
                offset = let(f"zext i{width} {offset} to i64")
        else:
            offset = let(f"mul i64 {index}, {step}")
        return let(f"add i64 {base}, {offset}")

    def _move(self, group: Group, field: int, index: str, at: str, *, write: bool) -> None:
        code, width = self.frame.code, group.width
        ahead = self._skip_inactive(index)
        register = self.element_pointer(group, index, field)
        if write:
            value = code.let(f"load i{width}, ptr {register}, align 1")
            code.do(f"store i{width} {value}, ptr {self.frame.pointer(at)}, align 1")
        else:
            value = code.let(f"load i{width}, ptr {self.frame.pointer(at)}, align 1")
            code.do(f"store i{width} {value}, ptr {register}, align 1")
        if ahead is None:
            return
        done = code.new_label("done")
        code.jump(done)
        code.place(ahead)
        if not write and self.fills_masked:
            code.do(f"store i{width} -1, ptr {self.element_pointer(group, index, field)}, align 1")
        code.jump(done)
        code.place(done)

    def _skip_inactive(self, index: str) -> str | None:
        """Branch to a new label when the element is inactive; gives that label, unplaced."""
        if not self.masked:
            return None
        code = self.frame.code
        active, inactive = code.new_label("active"), code.new_label("inactive")
        code.branch(self.bit(0, index), active, inactive)
        code.place(active)
        return inactive

    def _join(self, inactive: str | None, value: str, other: str, type_: str) -> str:
        """The value computed for an active element, else ``other``."""
        if inactive is None:
            return value
        code = self.frame.code
        last, done = code.block, code.new_label("done")
        code.jump(done)
        code.place(inactive)
        code.jump(done)
        code.place(done)
        return code.let(f"phi {type_} [ {value}, %{last} ], [ {other}, %{inactive} ]")
