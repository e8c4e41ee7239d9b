"""Integers and bits: widths that products and differences really need, shifts, divisions."""

from itertools import pairwise

from oxegg.ir.types import BOOL, I8, I16, I32, I64, INTEGERS, TYPES, U8, U16, U32, U64, ElementType
from oxegg.rules.pattern import Family, Pattern, apply, constant, convert, variables

FAMILY = Family("integers")
rule = FAMILY.rule
x, y, c = variables("x y c")

SIGNED, UNSIGNED = (I8, I16, I32, I64), (U8, U16, U32, U64)
WIDER: dict[ElementType, ElementType] = {
    narrow: wide for kinds in (SIGNED, UNSIGNED) for narrow, wide in pairwise(kinds)
}


def _widen(value: Pattern, narrow: ElementType, wide: ElementType) -> Pattern:
    return convert(value, narrow, wide)


def _is_extension(narrow: ElementType, wide: ElementType) -> bool:
    """Whether every value of ``narrow`` is a value of ``wide``."""
    return narrow.bits < wide.bits and not (narrow.is_signed and not wide.is_signed)


for narrow in INTEGERS:
    middle = WIDER.get(narrow)
    for wide in INTEGERS:
        if middle is None or not _is_extension(narrow, wide) or wide.bits <= middle.bits:
            continue
        rule(f"widen-{narrow}-{wide}", convert(x, narrow, wide),
             convert(convert(x, narrow, middle), middle, wide), kind="exact", types=(wide,),
             doc="widen in steps of two")  # fmt: skip
        for name in ("mul", "add", "sub"):
            if name == "sub" and not narrow.is_signed:
                continue
            wider = apply(name, _widen(x, narrow, wide), _widen(y, narrow, wide))
            inside = apply(name, _widen(x, narrow, middle), _widen(y, narrow, middle), of=middle)
            rule(f"{name}-{narrow}-in-{middle}-for-{wide}", wider, convert(inside, middle, wide),
                 kind="exact", types=(wide,),
                 doc=f"a {narrow} {name} fits in {middle}")  # fmt: skip

for narrow in UNSIGNED[:-1]:
    for wide in INTEGERS:
        if wide.bits <= narrow.bits:
            continue
        difference = apply("sub", _widen(x, narrow, wide), _widen(y, narrow, wide))
        smaller = apply(
            "sub", apply("max", x, y, of=narrow), apply("min", x, y, of=narrow), of=narrow
        )
        if wide.is_signed:
            rule(f"abs-difference-{narrow}-{wide}", apply("abs", difference),
                 convert(smaller, narrow, wide), kind="exact", types=(wide,),
                 doc="|x - y| of unsigned values is max - min in their own width")  # fmt: skip

        complement = apply("sub", constant(narrow.maximum), convert(x, narrow, wide))
        rule(f"complement-{narrow}-{wide}", complement,
             convert(apply("not", x, of=narrow), narrow, wide), kind="exact", types=(wide,),
             doc=f"{narrow.maximum} - x of a widened {narrow} is its complement")  # fmt: skip

for narrow in INTEGERS:
    for wide in INTEGERS:
        if not _is_extension(narrow, wide):
            continue
        for name in ("eq", "ne", "lt", "le"):
            rule(f"compare-{name}-{narrow}-{wide}",
                 apply(name, convert(x, narrow, wide), convert(y, narrow, wide), of=wide),
                 apply(name, x, y, of=narrow), kind="exact", types=(wide,),
                 doc="widening keeps the order")  # fmt: skip

# Truncation commutes with the ring operations: work can be done in the narrow width.
for wide in INTEGERS:
    for narrow in INTEGERS:
        if narrow.bits >= wide.bits:
            continue
        for name in ("add", "sub", "mul", "and", "or", "xor"):
            rule(f"narrow-{name}-{wide}-{narrow}", convert(apply(name, x, y, of=wide), wide, narrow),
                 apply(name, convert(x, wide, narrow), convert(y, wide, narrow), of=narrow),
                 kind="exact", types=(narrow,), doc="arithmetic modulo 2^n")  # fmt: skip
        if _is_extension(narrow, wide):
            rule(f"narrow-widened-{narrow}-{wide}", convert(convert(x, narrow, wide), wide, narrow),
                 x, kind="exact", types=(narrow,), doc="truncating a widened value gives it back")  # fmt: skip

for wide in INTEGERS:
    for narrow in INTEGERS:
        if wide.bits < 4 * narrow.bits:
            continue
        middle = TYPES[f"{'i' if wide.is_signed else 'u'}{wide.bits // 2}"]
        rule(f"narrow-step-{wide}-{narrow}", convert(x, wide, narrow),
             convert(convert(x, wide, middle), middle, narrow), kind="exact", types=(narrow,),
             doc="narrow in steps of two")  # fmt: skip

for signed, unsigned in zip(SIGNED, UNSIGNED, strict=True):
    for of, to in ((signed, unsigned), (unsigned, signed)):
        rule(f"reinterpret-{of}-{to}", convert(x, of, to), convert(x, of, to, "bitcast"),
             kind="exact", types=(to,), doc="the same bits")  # fmt: skip

for power in range(1, 9):
    rule(f"mul-{1 << power}", x * constant(1 << power), x << constant(power), kind="exact",
         types=[t for t in INTEGERS if power < t.bits - t.is_signed], doc=f"x {1 << power} = x << {power}")  # fmt: skip
    rule(f"floor-divide-{1 << power}", apply("floor_divide", x, constant(1 << power)),
         x >> constant(power), kind="exact", types=[t for t in INTEGERS if power < t.bits - t.is_signed],
         doc="floor division by a power of two is a shift")  # fmt: skip
    rule(f"modulo-{1 << power}", apply("modulo", x, constant(1 << power)),
         x & constant((1 << power) - 1), kind="exact",
         types=[t for t in INTEGERS if power < t.bits - t.is_signed],
         doc="modulo a power of two is a mask")  # fmt: skip

# Powers of two times floats, by their exponents: a vector unit multiplies and adds in one instruction.
for t, fraction_bits in ((I32, 23), (I64, 52)):
    rule(f"scale-exponent-{t}", y + (x << constant(fraction_bits)), x * constant(1 << fraction_bits) + y,
         kind="exact", types=(t,), doc=f"x << {fraction_bits} = x {1 << fraction_bits}")  # fmt: skip

# Quantized layers: ReLU commutes with a shift that rounds, so that it can be done on the wide sums.
for shift in range(1, 25):
    half = constant(1 << shift >> 1)
    rule(f"relu-before-shift-{shift}", apply("max", (x + half) >> constant(shift), constant(0)),
         apply("max", (apply("max", x, constant(0)) + half) >> constant(shift), constant(0)),
         kind="exact", types=(I32,), doc=f"(x + {1 << shift >> 1}) >> {shift} is 0 or less for x < 0")  # fmt: skip

rule("unsigned-floor-divide", apply("floor_divide", x, y),
     apply("select", apply("eq", y, constant(0)), constant(0), apply("quotient", x, y)),
     kind="exact", types=UNSIGNED, doc="unsigned quotients round down already")  # fmt: skip
rule("unsigned-modulo", apply("modulo", x, y),
     apply("select", apply("eq", y, constant(0)), constant(0), apply("remainder", x, y)),
     kind="exact", types=UNSIGNED, doc="unsigned remainders are non-negative already")  # fmt: skip
zero, one = constant(0), constant(1)
_remainder = apply("remainder", x, y)
_signs_differ = apply("lt", _remainder ^ y, zero)
_adjust = apply("and", _signs_differ, apply("ne", _remainder, zero), of=BOOL)
rule("signed-modulo", apply("modulo", x, y),
     apply("select", apply("eq", y, zero), zero, apply("select", _adjust, _remainder + y, _remainder)),
     kind="exact", types=SIGNED, doc="floor modulo from the remainder towards zero")  # fmt: skip
_quotient = apply("quotient", x, y)
rule("signed-floor-divide", apply("floor_divide", x, y),
     apply("select", apply("eq", y, zero), zero, apply("select", _adjust, _quotient - one, _quotient)),
     kind="exact", types=SIGNED, doc="floor division from division towards zero")  # fmt: skip

for target in (*INTEGERS, *(TYPES[n] for n in ("f16", "f32", "f64"))):
    rule(f"bool-{target}", convert(c, BOOL, target),
         apply("select", c, constant(1), constant(0), of=target), kind="exact", types=(target,),
         doc="a truth value as a number")  # fmt: skip
rule(
    "abs-int",
    apply("abs", x),
    apply("max", x, -x),
    kind="exact",
    types=SIGNED,
    doc="|x| = max(x, -x)",
)
