"""Basic blocks: decoded guest code, and one generated Python function per block.

A block ends at a jump or branch, after a vsetvli (so that the vector configuration is fixed within
a block), before and after an instruction that the run loop executes itself (``SPECIAL``), and at
``MAX_LENGTH``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from oxegg.errors import OxeggError
from oxegg.isa import Instruction, decode, encode
from oxegg.isa.semantics import Apply, Expression, Statement
from oxegg.isa.text import operand_text
from oxegg.sim.compressed import expand
from oxegg.sim.faults import MemoryFault
from oxegg.sim.memory import LINE_SHIFT
from oxegg.sim.reference import raises_flags
from oxegg.sim.scalar_code import DYNAMIC, ScalarCode
from oxegg.sim.state import Mode
from oxegg.sim.vector_groups import scalar_sources

MAX_LENGTH = 64
SIMT = frozenset({"simt_control", "simt_spawn", "simt_barrier", "simt_vote", "simt_shuffle"})
SPECIAL = frozenset({"csr", "system", "fence"}) | SIMT
VIEWS = {8: "u8", 16: "u16", 32: "u32", 64: "u64"}


@dataclass(frozen=True)
class Decoded:
    """One instruction at its place."""

    pc: int
    length: int
    record: Instruction
    values: tuple[int | bool, ...]

    @property
    def operands(self) -> Mapping[str, int]:
        return {
            operand.name: int(value)
            for operand, value in zip(self.record.operands, self.values, strict=True)
        }

    def __str__(self) -> str:
        return f"{self.record.name} {operand_text(self.record, self.values)}".strip()


@dataclass(frozen=True)
class Block:
    """Instructions that execute one after the other."""

    instructions: tuple[Decoded, ...]

    @property
    def start(self) -> int:
        return self.instructions[0].pc

    @property
    def end(self) -> int:
        """Address of the following instruction."""
        last = self.instructions[-1]
        return last.pc + last.length

    @property
    def rounds_dynamically(self) -> bool:
        """Whether the code depends on frm; vector operations see to their rounding themselves."""
        return any(d.operands.get("rm") == DYNAMIC for d in self.instructions)

    @property
    def special(self) -> bool:
        """Whether the run loop executes the block's one instruction."""
        return self.instructions[0].record.timing in SPECIAL


def decode_at(fetch: Callable[[int], int], pc: int) -> Decoded:
    """The instruction at ``pc``; ``fetch`` gives 16-bit parcels.

    Raises ``OxeggError`` for an undefined word and ``MemoryFault`` where there is no code.
    """
    low = fetch(pc)
    if low & 3 != 3:
        name, values = expand(low)
        return Decoded(pc, 2, *decode(encode(name, values)))
    record, values = decode(low | fetch(pc + 2) << 16)
    return Decoded(pc, 4, record, values)


def form_block(fetch: Callable[[int], int], pc: int, limit: int = MAX_LENGTH) -> Block:
    """The block of at most ``limit`` instructions that starts at ``pc``."""
    found: list[Decoded] = []
    while len(found) < limit:
        try:
            decoded = decode_at(fetch, pc)
        except (OxeggError, MemoryFault):
            # The words after an unconditional exit may be data; complain only when they execute.
            if not found:
                raise
            break
        timing = decoded.record.timing
        if timing in SPECIAL and found:
            break
        found.append(decoded)
        pc += decoded.length
        if timing in SPECIAL or timing == "vset" or decoded.record.is_branch:
            break
    return Block(tuple(found))


@dataclass
class BlockSource:
    """Python source of one block, and the guest instruction behind each of its lines."""

    block: Block
    mode: Mode
    timed: bool
    track_flags: bool
    new_site: Callable[[Decoded, int], int]
    """Registers a vector instruction (and its place in the block); gives its site number."""

    def __post_init__(self) -> None:
        self.lines: list[str] = []
        self.places: list[int] = []
        self.bindings: dict[str, Expression] = {}
        self._place = 0
        self._read: set[int] = set()
        self._written: set[int] = set()
        self._temporaries = 0

    def generate(self) -> str:
        """Source of ``def block()``, which returns the next pc."""
        for place, decoded in enumerate(self.block.instructions):
            self._place = place
            self._instruction(decoded)
        if not self.block.instructions[-1].record.is_branch:
            self._flush()
            self._emit(f"return {self.block.end}")
        head = [f"x{r} = x[{r}]" for r in sorted(self._read)]
        if any(d.record.is_vector or d.record.is_custom for d in self.block.instructions):
            head.append("ops = state.present")
        self.places[:0] = [0] * (len(head) + 1)
        self.lines[:0] = ["def block():", *(f" {line}" for line in head)]
        return "\n".join(self.lines)

    def place_of_line(self, line: int) -> Decoded:
        """The instruction behind a line number (from 1) of the source."""
        return self.block.instructions[self.places[min(line, len(self.places)) - 1]]

    def _emit(self, *lines: str) -> None:
        for line in lines:
            self.lines.append(f" {line}")
            self.places.append(self._place)

    def _temporary(self) -> str:
        self._temporaries += 1
        return f"t{self._temporaries}"

    def _flush(self) -> None:
        """Write changed registers back."""
        for register in sorted(self._written):
            self._emit(f"x[{register}] = x{register}")

    def _instruction(self, decoded: Decoded) -> None:
        record, operands = decoded.record, decoded.operands
        reason = self._refusal(record, operands)
        if reason:
            self._emit(f"raise IllegalInstruction({reason!r})")
            return
        for operand in record.operands:
            number = operands[operand.name]
            if operand.kind == "x" and operand.reads and number and number not in self._written:
                self._read.add(number)
        if record.is_vector or record.is_custom:
            self._operation(decoded)
        elif record.timing == "vset":
            self._set_vl(decoded)
        else:
            self._scalar(decoded)

    def _refusal(self, record: Instruction, operands: Mapping[str, int]) -> str | None:
        """Why the instruction is illegal in this mode, if it is."""
        mode = self.mode
        if mode.float_off and record.is_float:
            return "the float unit is off (mstatus.FS)"
        if mode.vector_off and (record.is_vector or record.timing == "vset"):
            return "the vector unit is off (mstatus.VS)"
        # Vector float instructions refuse a reserved frm even where they don't round.
        dynamic = operands.get("rm") == DYNAMIC or (record.is_vector and record.is_float)
        if mode.frm > 4 and dynamic:
            return f"rounding mode {mode.frm} in frm is reserved"
        return None

    def _write(self, register: int, source: str) -> None:
        if register:
            self._emit(f"x{register} = {source}")
            self._written.add(register)

    def _operation(self, decoded: Decoded) -> None:
        """A call of the function that executes a vector or custom instruction."""
        record, operands = decoded.record, decoded.operands
        site = self.new_site(decoded, self._place)
        kinds = {operand.name: operand.kind for operand in record.operands}
        arguments = ", ".join(
            str(operands[name]) if kinds[name] == "imm"
            else f"fq[{operands[name]}]" if kinds[name] == "f"
            else f"x{operands[name]}" if operands[name] else "0"
            for name in scalar_sources(record)
        )  # fmt: skip
        call = f"ops[{site}]({arguments})"
        if kinds.get("rd") == "x":
            temporary = self._temporary()
            self._emit(f"{temporary} = {call}")
            self._write(operands["rd"], temporary)
        elif kinds.get("rd") == "f":
            self._emit(f"fq[{operands['rd']}] = {call}")
        else:
            self._emit(call)
        if self.mode.vstart and record.is_vector:
            self._emit("state.clear_vstart()")
        if "fault_first" in record.semantics:
            self._emit("ops = state.refresh()")

    def _set_vl(self, decoded: Decoded) -> None:
        operands = decoded.operands
        rd, name = operands["rd"], decoded.record.name
        if name == "vsetivli":
            requested, vtype = str(operands["zimm"]), str(operands["vtypei10"])
        else:
            source = operands["rs1"]
            # rs1 = x0 asks for the most (rd given) or for the present vl (rd = x0).
            requested = f"x{source}" if source else f"{1 << 64}" if rd else "None"
            second = operands.get("rs2", 0)
            vtype = (
                str(operands["vtypei"]) if name == "vsetvli" else f"x{second}" if second else "0"
            )
        temporary = self._temporary()
        self._emit(f"{temporary} = state.set_vl({requested}, {vtype})", "state.refresh()")
        self._write(rd, temporary)

    def _scalar(self, decoded: Decoded) -> None:
        code = ScalarCode(
            decoded.record, decoded.operands, decoded.pc, decoded.length, self.mode.frm,
            self.track_flags, self._load,
        )  # fmt: skip
        writes: list[tuple[int, str]] = []
        effects: list[Statement] = []
        statements = decoded.record.statements
        # An instruction whose result goes to x0 raises its flags all the same.
        effects_without_result = self.track_flags and raises_flags(decoded.record)
        for statement in statements:
            if statement.target is None:
                effects.append(statement)
                continue
            operand = code.operand(statement.target)
            number = decoded.operands[operand.name]
            if operand.kind == "f":
                self._emit(*code.write_float(number, operand.width or 64, statement.value))
            elif number or effects_without_result or self._effectful(statement.value):
                source = self._value(code, statement.value)
                if len(statements) > 1:
                    temporary = self._temporary()
                    self._emit(f"{temporary} = {source}")
                    source = temporary
                writes.append((number, source))
        for statement in effects:
            self._effect(code, decoded, statement.value, writes)
            if decoded.record.is_branch:
                self.bindings |= code.bindings
                return
        for number, source in writes:
            self._write(number, source)
            if not number:
                self._emit(source)
        self.bindings |= code.bindings

    @staticmethod
    def _effectful(e: Expression) -> bool:
        """Whether computing the value matters even when nobody keeps it."""
        return isinstance(e, Apply) and (
            e.operation in ("load", "store_conditional")
            or any(map(BlockSource._effectful, e.arguments))
        )

    def _value(self, code: ScalarCode, e: Expression) -> str:
        match e:
            case Apply("store_conditional", (address, value, bits)):
                size = code.constant(bits) or 64
                arguments = f"{code.cut(address)}, {code.cut(value)}, {size // 8}"
                return f"store_conditional({arguments})"
            case Apply(op, (a, b)) if (
                op in ("lt", "eq", "ne", "le") and code.record.timing == "alu"
            ):
                return f"1 if {code.compare(op, a, b)} else 0"
            case Apply("feq" | "flt" | "fle", _):
                return f"int({code.integer(e)})"
            case _:
                return code.cut(e)

    def _effect(
        self, code: ScalarCode, decoded: Decoded, e: Expression, writes: list[tuple[int, str]]
    ) -> None:
        assert isinstance(e, Apply)
        match e.operation, e.arguments:
            case "store", (address, value, bits):
                self._store(code.cut(address), code.integer(value), code.constant(bits) or 64)
            case "reserve", (address,):
                self._emit(f"state.reservation = {code.cut(address)}")
            case "jump", (target,):
                temporary = self._temporary()
                self._emit(f"{temporary} = {code.cut(target)}")
                for number, source in writes:
                    self._write(number, source)
                self._flush()
                self._emit(f"return {temporary}")
            case "branch", (Apply(op, (a, b)), target):
                self._flush()
                taken = code.cut(target)
                self._emit(f"return {taken} if {code.compare(op, a, b)} else {self.block.end}")
            case _:
                raise AssertionError(decoded)

    def _check(self, address: str, bits: int, write: bool) -> str:
        """Emit the check of an access; gives a name for the address."""
        name, size = self._temporary(), bits // 8
        if self.mode.bytewise:
            check = f"access_bytes({self._place}, {name}, {size}, {write})"
            self._emit(f"{name} = {address}", check)
            return name
        access, record = "access", self.block.instructions[self._place].record
        if record.timing == "amo":
            # Never misaligned; a read-modify-write faults as a store, whichever part does.
            access, write = "access_atomic", record.memory == "store"
        table = "timed" if self.timed else "functional"
        misaligned = f" or {name} & {size - 1}" if size > 1 else ""
        self._emit(
            f"{name} = {address}",
            f"if {table}[{name} >> {LINE_SHIFT}] != 1{misaligned}: "
            f"{access}({self._place}, {name}, {size}, {write})",
        )
        return name

    def _load(self, address: str, bits: int) -> str:
        name = self._check(address, bits, False)
        if self.mode.bytewise:
            return f"load_bytes({name}, {bits // 8})"
        shift = (bits // 8).bit_length() - 1
        index = f"{name} >> {shift}" if shift else name
        return f"{VIEWS[bits]}[{index}]"

    def _store(self, address: str, value: str, bits: int) -> None:
        name = self._check(address, bits, True)
        if self.mode.bytewise:
            self._emit(f"store_bytes({name}, {bits // 8}, {value})")
            return
        shift = (bits // 8).bit_length() - 1
        index = f"{name} >> {shift}" if shift else name
        self._emit(f"{VIEWS[bits]}[{index}] = {value} & {(1 << bits) - 1}")


def disassemble(code: bytes, base: int = 0) -> Iterator[Decoded]:
    """The instructions of ``code``, which lies at address ``base``, one after the other.

    Raises ``OxeggError`` at the first undefined word.
    """

    def fetch(pc: int) -> int:
        return int.from_bytes(code[pc - base : pc - base + 2], "little")

    pc = base
    while pc < base + len(code):
        decoded = decode_at(fetch, pc)
        yield decoded
        pc += decoded.length
