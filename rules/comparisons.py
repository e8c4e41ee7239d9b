"""Comparisons, minima, maxima and selects."""

from oxegg.ir.types import BOOL, FLOATS, I32, INTEGERS
from oxegg.rules.pattern import Apply, Family, apply, constant, reduce, variables

FAMILY = Family("comparisons")
rule = FAMILY.rule
x, y, c = variables("x y c")
NUMBERS = (*FLOATS, *INTEGERS)

rule(
    "min-comm",
    apply("min", x, y),
    apply("min", y, x),
    kind="exact",
    types=NUMBERS,
    doc="min commutes",
)
rule(
    "max-comm",
    apply("max", x, y),
    apply("max", y, x),
    kind="exact",
    types=NUMBERS,
    doc="max commutes",
)
for name in ("min", "max"):
    rule(f"{name}num", apply(name, x, y), apply(f"{name}num", x, y), kind="real", types=FLOATS,
         doc=f"numpy.{name}imum where no operand is NaN")  # fmt: skip
    rule(f"{name}num-comm", apply(f"{name}num", x, y), apply(f"{name}num", y, x), kind="exact",
         types=FLOATS, doc=f"{name}num commutes")  # fmt: skip
    rule(f"reduce-{name}num", reduce(name, "k", x), reduce(f"{name}num", "k", x), kind="real",
         types=FLOATS, doc=f"{name} over an axis where no element is NaN")  # fmt: skip
    rule(
        f"{name}-idempotent",
        apply(name, x, x),
        x,
        kind="exact",
        types=NUMBERS,
        doc=f"{name}(x, x) = x",
    )
    nan_x, nan_y = apply("ne", x, x), apply("ne", y, y)
    rule(f"{name}-by-number", apply(name, x, y),
         apply("select", nan_x, x, apply("select", nan_y, y, apply(f"{name}num", x, y))),
         kind="exact", types=FLOATS, doc=f"numpy.{name}imum from minimumNumber: NaN wins")  # fmt: skip

# Over an axis: NaNs and truth values are counted (a population count in masks).
count_c = Apply("reduce.add", (apply("select", c, constant(1), constant(0), of=I32),), I32, I32, "k")
count_not = Apply("reduce.add", (apply("select", c, constant(0), constant(1), of=I32),), I32, I32, "k")
for name in ("min", "max"):
    picked = reduce(f"{name}num", "k", x)
    nans = Apply(
        "reduce.add",
        (apply("select", apply("ne", x, x), constant(1), constant(0), of=I32),),
        I32, I32, "k",
    )  # fmt: skip
    rule(f"reduce-{name}-by-number", reduce(name, "k", x),
         apply("select", apply("eq", nans, constant(0), of=I32), picked, constant(float("nan"))),
         kind="exact", types=FLOATS, doc=f"{name} over an axis is NaN where any element is")  # fmt: skip
rule("reduce-or-count", Apply("reduce.or", (c,), BOOL, BOOL, "k"),
     apply("ne", count_c, constant(0), of=I32), kind="exact", types=(BOOL,),
     doc="any: some element counts")  # fmt: skip
rule("reduce-and-count", Apply("reduce.and", (c,), BOOL, BOOL, "k"),
     apply("eq", count_not, constant(0), of=I32), kind="exact", types=(BOOL,),
     doc="all: no false element counts")  # fmt: skip

SELECTS = (
    ("lt-max", apply("lt", x, y), y, x, "max"),  # x < y ? y : x
    ("lt-min", apply("lt", x, y), x, y, "min"),
    ("le-max", apply("le", x, y), y, x, "max"),
    ("le-min", apply("le", x, y), x, y, "min"),
)
for name, test, yes, no, result in SELECTS:
    picked = apply("select", test, yes, no)
    rule(f"select-{name}", picked, apply(result, x, y), kind="exact", types=INTEGERS,
         doc=f"a select on its own comparison is {result}")  # fmt: skip
    rule(f"select-{name}-real", picked, apply(f"{result}num", x, y), kind="real", types=FLOATS,
         doc=f"a select on its own comparison is {result} where no operand is NaN")  # fmt: skip

rule("select-same", apply("select", c, x, x), x, kind="exact", types=NUMBERS, doc="c ? x : x = x")
rule("select-not", apply("select", apply("not", c, of=BOOL), x, y), apply("select", c, y, x),
     kind="exact", types=NUMBERS, doc="!c ? x : y = c ? y : x")  # fmt: skip
zero = constant(0)
rule("add-select", x + apply("select", c, y, zero), apply("select", c, x + y, x), kind="exact",
     types=INTEGERS, doc="x + (c ? y : 0) = c ? x + y : x, which a masked addition computes")  # fmt: skip
rule(
    "abs-max",
    apply("max", x, -x),
    apply("abs", x),
    kind="exact",
    types=FLOATS,
    doc="max(x, -x) = |x|",
)
rule("not-lt", apply("not", apply("lt", x, y), of=BOOL), apply("le", y, x), kind="exact",
     types=INTEGERS, doc="!(x < y) = y <= x")  # fmt: skip
rule("not-le", apply("not", apply("le", x, y), of=BOOL), apply("lt", y, x), kind="exact",
     types=INTEGERS, doc="!(x <= y) = y < x")  # fmt: skip
rule("not-eq", apply("not", apply("eq", x, y), of=BOOL), apply("ne", x, y), kind="exact",
     types=NUMBERS, doc="!(x == y) = x != y")  # fmt: skip
rule("not-not", apply("not", apply("not", c, of=BOOL), of=BOOL), c, kind="exact", types=(BOOL,),
     doc="!!c = c")  # fmt: skip
rule("relu-nonneg", apply("max", apply("max", x, constant(0)), constant(0)), apply("max", x, constant(0)),
     kind="exact", types=NUMBERS, doc="relu is idempotent")  # fmt: skip
