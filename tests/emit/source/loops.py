"""Hand-written loops: small ones with a name, and families of any size."""

from collections.abc import Callable
from random import Random

SAXPY = """\
    # y += a x: a0 elements, a1 x, a2 y, fa0 a
saxpy:
    vsetvli t0, a0, e32, m2, ta, ma
loop:
    vle32.v v8, (a1)
    vle32.v v12, (a2)
    vfmacc.vf v12, fa0, v8
    vse32.v v12, (a2)
    slli t1, t0, 2
    add a1, a1, t1
    add a2, a2, t1
    sub a0, a0, t0
    bnez a0, loop
    ret
"""

DOT = """\
    # a0 x, a1 y, a2 elements
dot:
    fmv.w.x fa0, zero
loop:
    flw fa1, 0(a0)
    flw fa2, 0(a1)
    fmadd.s fa0, fa1, fa2, fa0
    addi a0, a0, 4
    addi a1, a1, 4
    addi a2, a2, -1
    bnez a2, loop
    ret
"""

MIX = """\
    # words from a0 to a1 are squared in place and mixed into a2
mix:
1:  ld t0, 0(a0)
    xor a2, a2, t0
    slli t1, a2, 13
    srli t2, a2, 51
    or a2, t1, t2
    add a2, a2, t0
    mul t3, t0, t0
    sd t3, 0(a0)
    addi a0, a0, 8
    bltu a0, a1, 1b
    ret
"""


def unrolled(elements: int, step: Callable[[int], list[str]], stride: int) -> str:
    """A loop over a0 (and a1, moving alike) to a2 with several copies of a step."""
    lines = [line for element in range(elements) for line in step(element)]
    advance = [f"addi a0, a0, {elements * stride}", f"addi a1, a1, {elements * stride}"]
    body = "\n".join(f"    {line}" for line in [*lines, *advance, "bltu a0, a2, loop"])
    return f"kernel:\nloop:\n{body}\n    ret\n"


SAVED = ["s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11"]
"""Registers that the file around a loop has saved, so that the loop may use them."""


def butterfly(element: int) -> list[str]:
    """(x, y) becomes (x + w y, x - w y) modulo 2^32."""
    x, y = SAVED[2 * element % 10], SAVED[2 * element % 10 + 1]
    offset = 4 * element
    return [
        f"lw {x}, {offset}(a0)", f"lw {y}, {offset}(a1)", f"mulw {y}, {y}, a4",
        f"addw a6, {x}, {y}", f"subw {x}, {x}, {y}",
        f"sw a6, {offset}(a0)", f"sw {x}, {offset}(a1)",
    ]  # fmt: skip


def reduction(element: int) -> list[str]:
    """Barrett's quotient by a multiplication, a rounding shift and a multiplication back."""
    value, quotient = SAVED[2 * element % 10], SAVED[2 * element % 10 + 1]
    offset = 4 * element
    return [
        f"lw {value}, {offset}(a0)", f"add {quotient}, {value}, a4",
        f"srai {quotient}, {quotient}, 23", f"mul {quotient}, {quotient}, a5",
        f"subw {value}, {value}, {quotient}", f"sw {value}, {offset}(a1)",
    ]  # fmt: skip


def random_loop(seed: int, instructions: int) -> str:
    """Loads, arithmetic on what is at hand, stores to memory of their own; carries allowed."""
    random = Random(seed)
    registers = ["t0", "t1", "t2", "t3", "t4", "a3", "a4", "a5", "a6", "a7", "s2", "s3"]
    lines: list[str] = []
    offsets = iter(range(0, 2048, 8))
    for _ in range(instructions):
        a, b, c = random.choices(registers, k=3)
        kind = random.random()
        if kind < 0.2:
            lines.append(f"ld {a}, {random.randrange(0, 64, 8)}(a0)")
        elif kind < 0.35:
            lines.append(f"sd {a}, {next(offsets)}(a1)")
        elif kind < 0.5:
            lines.append(f"mul {a}, {b}, {c}")
        elif kind < 0.6:
            lines.append(
                f"{random.choice(['slli', 'srli', 'srai'])} {a}, {b}, {random.randrange(64)}"
            )
        else:
            name = random.choice(["add", "sub", "xor", "and", "or", "sltu", "addw"])
            lines.append(f"{name} {a}, {b}, {c}")
    body = "\n".join(f"    {line}" for line in lines)
    advance = "    addi a0, a0, 64\n    addi a1, a1, 64\n    addi a2, a2, -1\n    bnez a2, loop"
    return f"kernel:\nloop:\n{body}\n{advance}\n    ret\n"
