"""Reductions over a named axis: what may move in and out of a sum."""

from oxegg.ir.types import F16, F32, F64, FLOATS, INTEGERS, ElementType
from oxegg.rules.elementary import FORMATS, LN2, largest_argument
from oxegg.rules.pattern import Family, Kind, apply, constant, independent, reduce, variables

FAMILY = Family("reductions")
rule = FAMILY.rule
x, y = variables("x y")
k_free = (independent(x, "k"),)
SETS: tuple[tuple[str, Kind, tuple[ElementType, ...]], ...] = (
    ("", "exact", INTEGERS),
    ("-real", "real", (F16, F32, F64)),
)

for suffix, kind, types in SETS:
    rule(f"sum-factor{suffix}", reduce("add", "k", x * y), x * reduce("add", "k", y), kind=kind,
         types=types, when=k_free, both=True, doc="sum_k x y = x sum_k y when x is free of k")  # fmt: skip
    rule(f"sum-swap{suffix}", reduce("add", "k", reduce("add", "j", x)),
         reduce("add", "j", reduce("add", "k", x)), kind=kind, types=types,
         doc="sum_k sum_j x = sum_j sum_k x")  # fmt: skip
    rule(f"sum-neg{suffix}", reduce("add", "k", -x), -reduce("add", "k", x), kind=kind,
         types=types, doc="sum_k -x = -sum_k x")  # fmt: skip

for name in ("min", "max"):
    rule(f"{name}-free", reduce(name, "k", x), x, kind="exact", types=(*FLOATS, *INTEGERS),
         when=k_free, doc=f"{name}_k x = x when x is free of k")  # fmt: skip

below_maximum = x - reduce("max", "k", x)
for t in FORMATS:
    clamped = apply("minnum", below_maximum, constant(largest_argument(t, 1 / LN2)))
    rule(f"exp-below-maximum-{t.type}", clamped, below_maximum, kind="real", types=(t.type,),
         doc="x - max_k x is at most 0: exp in a softmax needs no clamp above")  # fmt: skip
