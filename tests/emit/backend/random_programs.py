"""Random programs: every register is initialised from memory and stored back at the end."""

from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Literal

from oxegg.emit.program import (
    ZERO,
    Loop,
    MemoryRef,
    Operation,
    Program,
    Register,
    VectorState,
)


@dataclass(frozen=True)
class Recipe:
    """Sizes of a random program: registers per bank and group size, operations, loop depth."""

    vectors: tuple[int, int, int, int]
    masks: int
    integers: int
    floats: int
    operations: int
    depth: int
    seed: int


@dataclass(frozen=True)
class Sample:
    """A program on one memory area: inputs first, results from ``output`` on."""

    program: Program
    input_bytes: int
    output_bytes: int


def sample(recipe: Recipe, vlen: int) -> Sample:
    """The program of a recipe; its parameters are pointers to the input and output areas."""
    return _Generator(recipe, vlen).sample()


class _Generator:
    def __init__(self, recipe: Recipe, vlen: int) -> None:
        self.random = Random(recipe.seed)
        self.recipe = recipe
        self.vlen = vlen
        number = iter(range(100, 10_000))
        self.vectors = {
            group: [Register("v", next(number), group) for _ in range(count)]
            for group, count in zip((1, 2, 4, 8), recipe.vectors, strict=True)
        }
        self.masks = [Register("v", next(number)) for _ in range(recipe.masks)]
        self.x = [Register("x", next(number)) for _ in range(recipe.integers)]
        self.f = [Register("f", next(number)) for _ in range(recipe.floats)]
        self.counters = [Register("x", next(number)) for _ in range(8)]
        self.input, self.output = Register("x", 1), Register("x", 2)
        self.labels = 0

    def sample(self) -> Sample:
        loads, size = self._transfer("load")
        stores, _ = self._transfer("store")
        body = self._body(self.recipe.operations, self.recipe.depth)
        program = Program("sample", (self.input, self.output), [*loads, *body, *stores])
        return Sample(program, size, size)

    def _transfer(self, kind: Literal["load", "store"]) -> tuple[list[Operation | Loop], int]:
        """Load all registers from the input area, or store them to the output area."""
        pointer = Register("x", 3 if kind == "load" else 4)
        source = self.input if kind == "load" else self.output
        operations: list[Operation | Loop] = [Operation("addi", (pointer, source, 0))]
        size = 0
        groups = [register for group in self.vectors.values() for register in group]
        for register in (*groups, *self.masks):
            step = register.group * self.vlen // 8
            name = f"vl{register.group}re8.v" if kind == "load" else f"vs{register.group}r.v"
            memory = MemoryRef(kind, kind, size, step)
            operations.append(Operation(name, (register, pointer), memory=memory))
            operations.append(Operation("addi", (pointer, pointer, step)))
            size += step
        for register in (*self.x, *self.f):
            prefix = "f" if register.bank == "f" else ""
            name = prefix + ("ld" if kind == "load" else "sd")
            memory = MemoryRef(kind, kind, size, 8)
            operations.append(Operation(name, (register, 0, pointer), memory=memory))
            operations.append(Operation("addi", (pointer, pointer, 8)))
            size += 8
        return operations, size

    def _body(self, count: int, depth: int) -> list[Operation | Loop]:
        body: list[Operation | Loop] = []
        while count > 0:
            if depth and count > 3 and self.random.random() < 0.2:
                inner = self.random.randint(2, count - 1)
                body.extend(self._loop(inner, depth))
                count -= inner
            else:
                body.extend(self._operation())
                count -= 1
        return body

    def _loop(self, count: int, depth: int) -> list[Operation | Loop]:
        self.labels += 1
        label, counter = f".L{self.labels}", self.counters[depth]
        trips = self.random.randint(1, 3)
        body = self._body(count, depth - 1)
        body.append(Operation("addi", (counter, counter, -1)))
        body.append(Operation("bne", (counter, ZERO, label)))
        return [Operation("li", (counter, trips)), Loop(label, trips, body)]

    def _operation(self) -> list[Operation]:
        kinds = [self._vector] * 6
        if self.masks:
            kinds += [self._mask] * 2
        if len(self.x) > 1:
            kinds.append(self._integer)
        if len(self.f) > 1:
            kinds.append(self._float)
        return self.random.choice(kinds)()

    def _integer(self) -> list[Operation]:
        pick = self.random.choice
        name = pick(("add", "sub", "xor", "mul", "addi", "li"))
        if name == "li":
            value = pick((self.random.getrandbits(64), self.random.getrandbits(20), -7, 1 << 31))
            return [Operation("li", (pick(self.x), value))]
        last = self.random.randint(-2048, 2047) if name == "addi" else pick(self.x)
        return [Operation(name, (pick(self.x), pick(self.x), last))]

    def _float(self) -> list[Operation]:
        pick = self.random.choice
        name = pick(("fsgnj.d", "fsgnjn.d", "fsgnjx.d"))
        return [Operation(name, (pick(self.f), pick(self.f), pick(self.f)))]

    def _state(self, group: int, sews: tuple[int, ...] = (8, 16, 32, 64)) -> VectorState:
        pick = self.random.choice
        sew = pick(sews)
        lmul = Fraction(group)
        if group == 1 and self.random.random() < 0.3:
            lmul = pick([Fraction(1, k) for k in (2, 4, 8) if sew * k <= 64] or [lmul])
        maximum = int(self.vlen * lmul / sew)
        vl = pick((maximum, maximum, self.random.randint(1, maximum)))
        return VectorState(sew, lmul, vl, pick((False, False, True)), pick((False, True)))

    def _group(self, *, widenable: bool = False) -> int | None:
        """A group size of which there are registers (and of the double size)."""
        sizes = [g for g, registers in self.vectors.items() if registers]
        if widenable:
            sizes = [g for g in sizes if self.vectors.get(2 * g)]
        return self.random.choice(sizes) if sizes else None

    def _masked(self, forbidden: Register) -> tuple[Register, ...]:
        usable = [mask for mask in self.masks if mask != forbidden]
        if usable and self.random.random() < 0.3:
            return (self.random.choice(usable),)
        return ()

    def _vector(self) -> list[Operation]:
        return self.random.choice(
            (self._plain, self._plain, self._wide, self._special, self._segment)
        )()

    def _plain(self) -> list[Operation]:
        pick, group = self.random.choice, self._group()
        if group is None:
            return []
        registers, state = self.vectors[group], self._state(group)
        name = pick(
            (
                "vadd.vv",
                "vsub.vv",
                "vxor.vv",
                "vmul.vv",
                "vadd.vi",
                "vmacc.vv",
                "vmv.v.v",
                "vmv.v.i",
                "vmv.v.x",
                "vadd.vx",
                "vmacc.vx",
            )
        )
        target = pick(registers)
        first: Register | int = pick(registers)
        last: Register | int = pick(registers)
        if name.endswith("x"):
            if not self.x:
                return []
            scalar = pick(self.x)
            first, last = (scalar, last) if name == "vmacc.vx" else (first, scalar)
        if name.endswith("i"):
            last = self.random.randint(-16, 15)
        if name.startswith("vmv"):
            return [Operation(name, (target, last), state)]
        return [Operation(name, (target, first, last, *self._masked(target)), state)]

    def _wide(self) -> list[Operation]:
        pick, group = self.random.choice, self._group(widenable=True)
        if group is None:
            return []
        state = self._state(group, (8, 16, 32))
        # A result of the double group needs a whole source group.
        state = VectorState(
            state.sew, Fraction(group), state.vl, state.tail_undisturbed, state.mask_undisturbed
        )
        narrow, wide = self.vectors[group], self.vectors[2 * group]
        name = pick(("vwadd.vv", "vwmulu.vv", "vwmaccu.vv", "vwaddu.wv", "vnsrl.wi", "vzext.vf2"))
        if name == "vnsrl.wi":
            operands = (pick(narrow), pick(wide), self.random.randint(0, 7))
        elif name == "vzext.vf2":
            operands = (pick(wide), pick(narrow))
            state = VectorState(
                2 * state.sew,
                state.lmul * 2,
                state.vl,
                state.tail_undisturbed,
                state.mask_undisturbed,
            )
        elif name == "vwaddu.wv":
            operands = (pick(wide), pick(wide), pick(narrow))
        else:
            operands = (pick(wide), pick(narrow), pick(narrow))
        return [Operation(name, (*operands, *self._masked(operands[0])), state)]

    def _special(self) -> list[Operation]:
        pick, group = self.random.choice, self._group()
        if group is None:
            return []
        registers, state = self.vectors[group], self._state(group)
        name = pick(("vrgather.vv", "vslideup.vi", "vid.v", "vredsum.vs", "vmv.x.s", "move"))
        target, source = pick(registers), pick(registers)
        if name == "move":
            return [Operation(f"vmv{group}r.v", (target, source))]
        if name == "vid.v":
            return [Operation(name, (target,), state)]
        if name == "vmv.x.s":
            return [Operation(name, (pick(self.x), source), state)] if self.x else []
        if name == "vredsum.vs":
            ones = self.vectors[1]
            return [Operation(name, (pick(ones), source, pick(ones)), state)] if ones else []
        if target == source:
            return []
        if name == "vslideup.vi":
            return [Operation(name, (target, source, self.random.randint(0, 5)), state)]
        indices = pick(registers)
        if indices == target:
            return []
        masked = self._masked(target)
        return [Operation(name, (target, source, indices, *masked), state)]

    def _segment(self) -> list[Operation]:
        """A segment load into fresh registers, of which one is added to a pool register."""
        group = self.random.choice((1, 2))
        if not self.vectors[group]:
            return []
        fields = self.random.randint(2, 4)
        state = self._state(group)
        state = VectorState(state.sew, Fraction(group), state.vl)
        self.labels += 1
        targets = [Register("v", 20_000 + 10 * self.labels + k, group) for k in range(fields)]
        pool = self.random.choice(self.vectors[group])
        memory = MemoryRef("load", "load")
        name = f"vlseg{fields}e{state.sew}.v"
        taken = self.random.sample(targets, 2)
        return [
            Operation(name, (*targets, self.input), state, memory),
            *(Operation("vadd.vv", (pool, pool, target), state) for target in taken),
        ]

    def _mask(self) -> list[Operation]:
        pick, group = self.random.choice, self._group()
        if group is None:
            return []
        registers, state = self.vectors[group], self._state(group)
        name = pick(
            (
                "vmseq.vv",
                "vmsltu.vv",
                "vmand.mm",
                "vmxor.mm",
                "vmorn.mm",
                "vmerge.vvm",
                "vmerge.vvm",
            )
        )
        masks = self.masks
        if name == "vmerge.vvm":
            operands = (pick(registers), pick(registers), pick(registers), pick(masks))
        elif name.endswith(".mm"):
            operands = (pick(masks), pick(masks), pick(masks))
        else:
            target = pick(masks)
            operands = (target, pick(registers), pick(registers), *self._masked(target))
        return [Operation(name, operands, state)]
