"""Statements as operations over the machine's own registers.

``Register(bank, n)`` is hardware register n; ``x0`` and ``sp`` keep their own names. What a vector
instruction does depends on ``vtype``: the reader follows vsetvli and its kin in text order.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from oxegg.emit.constants import materialize_constant
from oxegg.emit.program import STACK_POINTER, ZERO, Operation, Register, VectorState
from oxegg.emit.source.aliases import expanded
from oxegg.emit.source.expressions import evaluate
from oxegg.emit.source.statements import Statement
from oxegg.errors import EmitError
from oxegg.isa import TABLE, VType, decode_vtype
from oxegg.isa.record import Instruction, Operand
from oxegg.isa.registers import CSR_NUMBERS, F_NAMES, ROUNDING_MODES, X_NAMES

_ADDRESS = re.compile(r"(.*)\(\s*([\w.$]+)\s*\)")
STACK_NUMBER = 2
MODES = {name: number for number, name in ROUNDING_MODES.items()}


def _registers() -> dict[str, Register]:
    names: dict[str, Register] = {}
    for number in range(32):
        x = Register("x", STACK_POINTER.number if number == STACK_NUMBER else number)
        names |= {f"x{number}": x, X_NAMES[number]: x, f"v{number}": Register("v", number)}
        names |= dict.fromkeys((f"f{number}", F_NAMES[number]), Register("f", number))
    return {**names, "fp": names["s0"]}


REGISTERS: Mapping[str, Register] = _registers()


def hardware(register: Register) -> int:
    """The number of a register that the reader made."""
    return STACK_NUMBER if register == STACK_POINTER else register.number


@dataclass(frozen=True)
class Context:
    """What is known where a statement stands: constants, ``vtype`` with ``vl``, VLEN.

    ``state`` is ``None`` before any vsetvli; its ``vl`` is the largest that fits when the length
    isn't known. ``constants`` are registers with known values.
    """

    symbols: Mapping[str, int]
    vlen: int
    state: VectorState | None = None
    constants: Mapping[Register, int] | None = None


def operations_of(statement: Statement, context: Context) -> tuple[Operation, ...]:
    """The instructions of a statement (several for a long ``li``).

    Raises ``EmitError`` with ``file:line`` for what isn't an instruction.
    """
    try:
        return _operations(statement, context)
    except EmitError as error:
        raise EmitError(error.message, where=statement.where, hint=error.hint) from None


def _operations(statement: Statement, context: Context) -> tuple[Operation, ...]:
    texts = statement.operands
    last = evaluate(texts[-1], context.symbols) if texts else None
    constant = last is not None and texts[-1] not in REGISTERS
    name, texts = expanded(statement.name, texts, constant=constant)
    if name == "li":
        target, value = _register(texts[0], "x"), evaluate(texts[1], context.symbols)
        if value is None:
            raise EmitError(f"{texts[1]} isn't a constant")
        return tuple(materialize_constant(target, value))
    record = TABLE.get(name)
    if record is None:
        raise EmitError(
            f'there is no instruction "{statement.name}"',
            hint="expand macros of the preprocessor first; oxegg isa list shows what there is",
        )
    parts = list(_parts(record, texts))
    if record.timing == "vset":
        parts = _vset_parts(name, parts)
    operands: list[Register | int | str] = []
    missing = [o for o in record.operands if o.default is None]
    if not len(missing) <= len(parts) <= len(record.operands):
        names = ", ".join(operand.name for operand in record.operands)
        raise EmitError(f"{name} has {len(parts)} operands", hint=f"it takes {names}")
    for operand, text in zip(record.operands, parts, strict=False):
        operands += _operand(record, operand, text, context)
    needs_state = record.is_vector and record.timing not in (
        "vmv_whole", "vload_whole", "vstore_whole",
    )  # fmt: skip
    if needs_state and context.state is None:
        raise EmitError(
            f"{name} needs vtype, and no vsetvli with a constant vtype stands above it",
            hint="put the vsetvli into the file",
        )
    return (Operation(name, tuple(operands), context.state if needs_state else None),)


def _parts(record: Instruction, texts: Sequence[str]) -> list[str]:
    """Operand texts in the record's order: ``imm(reg)`` is two, jalr's forms are three."""
    parts: list[str] = []
    for text in texts:
        match = _ADDRESS.fullmatch(text)
        if match and (REGISTERS.get(match[2]) is not None):
            if "(rs1)" in record.syntax and record.syntax.split("(rs1)")[0][-1:].isalnum():
                parts.append(match[1].strip() or "0")
            parts.append(match[2])
        else:
            parts.append(text)
    return parts


def _vset_parts(name: str, parts: Sequence[str]) -> list[str]:
    if name == "vsetvl":
        return list(parts)
    words = [part.strip() for part in parts[2:]]
    number = len(words) == 1 and words[0][:1].isdigit()
    return [*parts[:2], words[0] if number else str(_vtype(words).encode())]


def _vtype(words: Sequence[str]) -> VType:
    sew, lmul, tail, mask = 0, Fraction(1), False, False
    for word in words:
        match word[:1], word:
            case "e", _ if word[1:].isdigit():
                sew = int(word[1:])
            case "m", "ma" | "mu":
                mask = word == "ma"
            case "m", _ if word.startswith("mf"):
                lmul = Fraction(1, int(word[2:]))
            case "m", _ if word[1:].isdigit():
                lmul = Fraction(int(word[1:]))
            case "t", "ta" | "tu":
                tail = word == "ta"
            case _:
                raise EmitError(
                    f"{word} isn't a part of vtype", hint="e8-e64, mf8-m8, ta/tu, ma/mu"
                )
    return VType(sew, lmul, tail, mask)


def _register(text: str, bank: str) -> Register:
    register = REGISTERS.get(text)
    if register is None or register.bank != bank:
        raise EmitError(f"{text} isn't a register of bank {bank}")
    return register


def _operand(
    record: Instruction, operand: Operand, text: str, context: Context
) -> tuple[Register | int | str, ...]:
    kind = operand.kind
    if kind in ("x", "f"):
        return (_register(text, kind),)
    if kind in ("mask", "v0"):
        if text.replace(" ", "") not in ("v0.t", "v0"):
            raise EmitError(f"{text} isn't the mask v0.t")
        return (REGISTERS["v0"],)
    if kind == "v":
        return _vector_registers(operand, text, context)
    if kind == "label":
        return (text,)
    if kind == "rm" and text in MODES:
        return (MODES[text],)
    if kind == "csr" and text in CSR_NUMBERS:
        return (CSR_NUMBERS[text],)
    if operand.name in ("pred", "succ"):
        return (sum(bit for bit, name in zip((8, 4, 2, 1), "iorw", strict=True) if name in text),)
    value = evaluate(text, context.symbols)
    if value is None:
        raise EmitError(f"{text} isn't a constant", hint="define it with .equ in the file")
    if operand.name == "imm20" and value < 0:
        value &= 0xFFFFF
    return (value,)


def _vector_registers(operand: Operand, text: str, context: Context) -> tuple[Register, ...]:
    """The group of each field."""
    first = _register(text, "v").number
    state = context.state
    if operand.registers is not None:
        group = operand.registers
    else:
        group = max(1, int(operand.emul(state.sew, state.lmul))) if state is not None else 1
    if first % group or first + group * operand.fields > 32:
        raise EmitError(f"{text} isn't the first of a group of {group} registers")
    return tuple(Register("v", first + k * group, group) for k in range(operand.fields))


def after(operation: Operation, context: Context) -> Context:
    """The context behind an operation: known constants, and the state that a vset leaves."""
    constants = dict(context.constants or {})
    target = operation.operands[0] if operation.operands else None
    known: int | None = None
    if operation.name == "addi":
        _, source, value = operation.operands
        base = 0 if source == ZERO else constants.get(source) if source in constants else None
        known = base + value if base is not None and isinstance(value, int) else None
    state = context.state
    if TABLE[operation.name].timing == "vset":
        state = _state(operation, constants, context)
    if isinstance(target, Register):
        constants.pop(target, None)
        if known is not None:
            constants[target] = known
    return replace(context, state=state, constants=constants)


def _state(
    operation: Operation, constants: Mapping[Register, int], context: Context
) -> VectorState | None:
    """The state behind a vset; an unknown length counts as the largest."""
    *_, length, encoded = operation.operands
    vtype = decode_vtype(encoded) if isinstance(encoded, int) else None
    if vtype is None:
        return None
    largest = max(1, vtype.vlmax(context.vlen))
    known = length if isinstance(length, int) else None
    if isinstance(length, Register) and length in constants:
        known = constants[length]
    exact = known is not None or (length == ZERO and operation.operands[0] != ZERO)
    # With vl the largest there is no tail to keep.
    full = exact and (known is None or known >= largest)
    tail = not vtype.tail_agnostic and not full
    vl = min(largest, known) if known else largest
    return VectorState(vtype.sew, vtype.lmul, vl, tail, not vtype.mask_agnostic)
