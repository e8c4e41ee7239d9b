"""Ring and field algebra on elements: commuting, contracting to fused multiply-add, division."""

from oxegg.ir.types import F16, F32, F64, FLOATS, INTEGERS
from oxegg.rules.pattern import Family, apply, constant, variables

FAMILY = Family("algebra")
rule = FAMILY.rule
x, y, z = variables("x y z")
zero, one, two = constant(0), constant(1), constant(2)
NUMBERS = (*FLOATS, *INTEGERS)
FUSED = (F16, F32, F64)  # bf16 has no arithmetic of its own

rule("add-comm", x + y, y + x, kind="exact", types=NUMBERS, doc="x + y = y + x")
rule("mul-comm", x * y, y * x, kind="exact", types=NUMBERS, doc="x y = y x")
rule("add-zero", x + zero, x, kind="exact", types=INTEGERS, doc="x + 0 = x")
rule("add-zero-real", x + zero, x, kind="real", types=FLOATS, doc="x + 0 = x; -0 + 0 is +0")
rule("mul-one", x * one, x, kind="exact", types=NUMBERS, doc="x 1 = x")
rule("mul-zero", x * zero, zero, kind="exact", types=INTEGERS, doc="x 0 = 0")
rule("sub-zero", x - zero, x, kind="exact", types=NUMBERS, doc="x - 0 = x")
rule("sub-self", x - x, zero, kind="exact", types=INTEGERS, doc="x - x = 0")
rule("neg-neg", apply("neg", -x), x, kind="exact", types=NUMBERS, doc="--x = x")
rule("add-neg", x + (-y), x - y, kind="exact", types=NUMBERS, doc="x + -y = x - y")
rule("sub-neg", x - (-y), x + y, kind="exact", types=NUMBERS, doc="x - -y = x + y")
rule("neg-mul", (-x) * y, -(x * y), kind="exact", types=NUMBERS, doc="(-x) y = -(x y)", both=True)
rule("mul-two", x * two, x + x, kind="exact", types=NUMBERS, doc="2 x = x + x")
rule("div-one", x / one, x, kind="exact", types=FLOATS, doc="x / 1 = x")

rule("mul-assoc", (x * y) * z, x * (y * z), kind="real", types=FLOATS, both=True,
     doc="(x y) z = x (y z): lets factors that change less often be multiplied first")  # fmt: skip
rule(
    "mul-assoc-int", (x * y) * z, x * (y * z), kind="exact", types=INTEGERS, doc="(x y) z = x (y z)"
)
rule("sub-as-fma", x * y - z, apply("fms", x, y, z), kind="real", types=FUSED,
     doc="x y - z rounded once")  # fmt: skip
rule("fma", x * y + z, apply("fma", x, y, z), kind="real", types=FUSED, doc="x y + z rounded once")
rule(
    "fnma", z - x * y, apply("fnma", x, y, z), kind="real", types=FUSED, doc="z - x y rounded once"
)
rule("factor", x * y + x * z, x * (y + z), kind="real", types=FLOATS,
     doc="x y + x z = x (y + z): factoring never worsens the running error bound")  # fmt: skip
rule("factor-int", x * y + x * z, x * (y + z), kind="exact", types=INTEGERS,
     doc="x y + x z = x (y + z)")  # fmt: skip

rule("div-reciprocal", x / y, x * apply("reciprocal", y), kind="real", types=FUSED,
     doc="x / y = x (1/y): the reciprocal moves out of loops that y doesn't depend on")  # fmt: skip
rule("one-over", one / x, apply("reciprocal", x), kind="exact", types=FUSED, doc="1/x by name")
rule("reciprocal-sqrt", apply("reciprocal", apply("sqrt", x)), apply("rsqrt", x), kind="real",
     types=FUSED, doc="1 / sqrt x = rsqrt x", error_ulps=2)  # fmt: skip
rule("rsqrt", apply("rsqrt", x), apply("reciprocal", apply("sqrt", x)), kind="real", types=FUSED,
     doc="rsqrt x = 1 / sqrt x", error_ulps=2)  # fmt: skip
rule("sqrt-div", x / apply("sqrt", y), x * apply("rsqrt", y), kind="real", types=FUSED,
     doc="x / sqrt y = x rsqrt y")  # fmt: skip
