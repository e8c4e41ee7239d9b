"""Engine rules: how a demand ``At(t, c, space)`` or ``Mem(t, layout)`` can be met.

Generated from the selection tables; only demands that somebody asked for exist, so the physical
part grows with kernel and lane choices, not with extents.
"""

from __future__ import annotations

from oxegg.egraph.encode import Encoding
from oxegg.egraph.rule_text import (
    match_text,
    operator_key,
    pattern_keys,
    signed_bits,
    variable_text,
)
from oxegg.ir.operations import OPERATIONS
from oxegg.ir.types import BOOL, INTEGERS, TYPES, ElementType
from oxegg.rules.scalar_engine import supported
from oxegg.rules.selection import Selection
from oxegg.rules.vector_engine import LANE_REDUCTIONS

DEEPEST_LAYOUT = 10**12  # a part of a part of a part has a buffer of its own: codes fit 64 bits
FREE_OF_LANE = "(= 0 (& f{0} (<< 1 (- c 1))))"


def _demand(variable: str, place: str) -> str:
    """The demand for an operand in its place; scalars don't depend on the lanes."""
    return f'(At {variable} 0 "s")' if place == "s" else f'(At {variable} c "{place}")'


def selection_text(row: Selection, reorder: bool) -> list[str]:
    """Rules for one instruction: pointwise, accumulating, or folding lanes.

    Some forms compute several operations (bools that differ are their exclusive or), so the names
    of pointwise rules tell the operations as well.

    ``reorder``: whether float sums and products may be taken in any order.
    """
    form, type_ = row.form, row.form.type
    operands = [(name, place) for name, place in form.operands if name != "acc"]
    constants = dict(row.constants)
    guards: list[str] = []
    children: list[str] = []
    for name, place in operands:
        if name in constants:
            bits = signed_bits(constants[name], type_)
            children.append(f'(Imm {bits} "{type_}")')
            continue
        if place == "s":
            guards.append(f"(= f{name} (free {variable_text(name)})) {FREE_OF_LANE.format(name)}")
        children.append(_demand(variable_text(name), place))
    pattern = match_text(row.pattern, type_, type_)
    if row.reduction is None:
        atoms = f'(= l (At t c "{form.result}")) (> c 0) (= t {pattern}) {" ".join(guards)}'
        node = f'(Ins{len(children)} "{form.key}" {" ".join(children)})'
        name = f"{form.key} {'+'.join(sorted(pattern_keys(row.pattern, type_)))}"
        return [f'(rule ({atoms}) ((union l {node})) :ruleset physical :name "{name}")']
    key = operator_key(row.reduction, type_)
    matched = f'(= t (Red "{key}" k {pattern})) {" ".join(guards)}'
    tail = f'{len(children)} "{form.key}" k {" ".join(children)}'
    texts = [
        f'(rule ((= l (At t c "v")) (> c 0) {matched} (!= k (- c 1))) ((union l (Acc{tail})))'
        f' :ruleset physical :name "acc {form.key}")'
    ]
    folds = (row.reduction, type_.kind) in LANE_REDUCTIONS
    if not folds or not (reorder or _associates(key)):
        return texts
    return [
        *texts,
        f'(rule ((= l (At t 0 "s")) {matched}'
        f' (= c (+ k 1)) (Lane c lm)) ((union l (Lanes{tail}))) :ruleset physical :name "lanes {form.key}")',
    ]


def counts(operators: set[str]) -> list[str]:
    """Sums of truth values are population counts of masks."""
    texts: list[str] = []
    for type_ in INTEGERS:
        if f"reduce:add.{type_}" in operators and f"select.{type_}" in operators:
            one, zero = f'(Const 1 "{type_}")', f'(Const 0 "{type_}")'
            texts.append(
                f'(rule ((= l (At t 0 "s")) (= t (Red "add.{type_}" k (P3 "select.{type_}" x {one} {zero})))'
                f' (= c (+ k 1)) (Lane c m)) ((union l (Count k (At x c "m"))))'
                f' :ruleset physical :name "count {type_}")'
            )
    return texts


def scalar_texts(operators: set[str]) -> list[str]:
    """The scalar engine computes an operation on operands that are scalars."""
    texts: list[str] = []
    for name, operand, target in supported():
        key = operator_key(name, operand, target)
        if key not in operators:
            continue
        variables = ["x", "y", "z"][: OPERATIONS[name].arity]
        children = " ".join(f'(At {v} 0 "s")' for v in variables)
        texts.append(
            f'(rule ((= l (At t 0 "s")) (= t (P{len(variables)} "{key}" {" ".join(variables)})))'
            f' ((union l (Ins{len(variables)} "s:{key}" {children}))) :ruleset physical :name "s:{key}")'
        )
    return texts


def scalar_reductions(operators: set[str]) -> list[str]:
    """Reductions on the scalar engine, one element after the other."""
    texts: list[str] = []
    scalar = {operator_key(name, operand, target) for name, operand, target in supported()}
    reductions = {o.removeprefix("reduce:") for o in operators if o.startswith("reduce:")}
    for key in sorted(reductions & scalar):
        texts.append(
            f'(rule ((= l (At t 0 "s")) (= t (Red "{key}" k x))) ((union l (Acc1 "s:{key}" k (At x 0 "s"))))'
            f' :ruleset physical :name "acc s:{key}")'
        )
        operator, _, type_ = key.partition(".")
        if operator == "add" and type_.startswith("f") and f"fma.{type_}" in operators:
            texts.append(
                f'(rule ((= l (At t 0 "s")) (= t (Red "{key}" k (P2 "mul.{type_}" x y))))'
                f' ((union l (Acc2 "s:fma.{type_}" k (At x 0 "s") (At y 0 "s"))))'
                f' :ruleset physical :name "acc s:fma.{type_}")'
            )
    return texts


def _associates(key: str) -> bool:
    """Whether a reduction gives the same bits in any order."""
    operator, _, type_ = key.partition(".")
    return operator not in ("add", "mul") or not TYPES[type_].is_float


def _scans(operators: set[str]) -> list[str]:
    return sorted(o.removeprefix("scan:") for o in operators if o.startswith("scan:"))


def scan_operators(operators: set[str], reorder: bool) -> set[str]:
    """Operators that ``scan_texts`` brings in."""
    found: set[str] = set()
    for key in _scans(operators):
        operator, _, type_ = key.partition(".")
        if type_ == "bf16" and (reorder or _associates(key)):
            found |= {f"scan:{operator}.f32", "convert.bf16.f32", "convert.f32.bf16"}
            type_ = "f32"
        if operator in ("min", "max") and TYPES[type_].is_float and reorder:
            found.add(f"scan:{operator}num.{type_}")
    return found


def scan_texts(operators: set[str], reorder: bool) -> list[str]:
    """Which running reductions the engines have, which may be split over lanes, and the others."""
    texts: list[str] = []
    for key in _scans(operators):
        operator, _, type_ = key.partition(".")
        wide = f"{operator}.f32"
        if type_ == "bf16":
            if f"scan:{wide}" in operators:
                texts.append(
                    f'(rule ((= t (Scan "{key}" k x))) ((union t (P1 "convert.f32.bf16"'
                    f' (Scan "{wide}" k (P1 "convert.bf16.f32" x))))) :ruleset elementary)'
                )
        elif operator in ("min", "max") and TYPES[type_].is_float:
            number = f"{operator}num.{type_}"
            if f"scan:{number}" in operators:
                texts.append(
                    f'(rule ((= t (Scan "{key}" k x))) ((union t (Scan "{number}" k x)))'
                    f" :ruleset elementary)"
                )
        else:
            texts.append(f'(Scannable "{key}")')
            texts += [f'(Reorders "{key}")'] if reorder or _associates(key) else []
    return texts


TRANSFERS = """
(rule ((= l (At t c "v")) (> c 0) (= t (Leaf i)) (InputLeaf i) (= f (free t)) (!= 0 (& f (<< 1 (- c 1)))))
      ((union l (Load c (Mem t 0)))) :ruleset physical :name "load")
(rule ((= l (At t c "v")) (> c 0) (Material t) (= f (free t)) (!= 0 (& f (<< 1 (- c 1)))))
      ((union l (Load c (Mem t c)))) :ruleset physical :name "load-buffer")
(rule ((= l (At t c "v")) (> c 0) (= f (free t)) (= 0 (& f (<< 1 (- c 1)))))
      ((union l (Splat c (At t 0 "s")))) :ruleset physical :name "splat")
(rule ((= l (At t c "m")) (> c 0) (= f (free t)) (= 0 (& f (<< 1 (- c 1)))))
      ((union l (Splat c (At t 0 "s")))) :ruleset physical :name "splat-mask")
(rule ((= l (At t 0 "s")) (= t (Leaf i)) (InputLeaf i) (= f (free t)) (!= f 0))
      ((union l (Load 0 (Mem t 0)))) :ruleset physical :name "load-scalar")
(rule ((= l (At t 0 "s")) (= t (Leaf i)) (InputLeaf i) (= 0 (free t)))
      ((union l (Arg i))) :ruleset physical :name "argument")
(rule ((= l (At t 0 "s")) (Material t) (= f (free t)) (Lane c m) (!= 0 (& f m)))
      ((union l (Load 0 (Mem t c)))) :ruleset physical :name "load-buffer-scalar")
(rule ((= l (At t 0 "s")) (= t (Const b y))) ((union l (Imm b y))) :ruleset physical :name "immediate")
(rule ((= l (At t c s)) (= t (Leaf i)) (StateLeaf i)) ((union l (Held c i))) :ruleset physical :name "state")
(rule ((= l (At t c "v")) (> c 0) (= t (Leaf i)) (IotaLeaf i k y)) ((union l (Index k c y)))
      :ruleset physical :name "index")
(rule ((= l (At t 0 "s")) (= t (Leaf i)) (IotaLeaf i k y)) ((union l (Index k 0 y)))
      :ruleset physical :name "index-scalar")

(rule ((= b (Mem t 0)) (= t (Leaf i)) (InputLeaf i)) ((union b (InBuf i))) :ruleset physical :name "input")
(rule ((= b (Mem t o)) (!= o 0) (= f (free t)) (Lane c m) (!= 0 (& f m)))
      ((union b (Stored o c (At t c "v")))) :ruleset physical :name "store")
(rule ((= b (Mem t o)) (!= o 0)) ((union b (Stored o 0 (At t 0 "s"))))
      :ruleset physical :name "store-scalar")

(rule ((= l (At t c "v")) (> c 0) (= t (View i x)) (= x (Leaf n)) (InputLeaf n))
      ((union l (LoadView i c (Mem x 0)))) :ruleset physical :name "load-view")
(rule ((= l (At t 0 "s")) (= t (View i x)) (= x (Leaf n)) (InputLeaf n))
      ((union l (LoadView i 0 (Mem x 0)))) :ruleset physical :name "load-view-scalar")
(rule ((= l (At t c "v")) (> c 0) (= t (View i x)) (Viewed x) (= f (free x)) (Lane d m) (!= 0 (& f m)))
      ((union l (LoadView i c (Mem x d)))) :ruleset physical :name "load-view-buffer")
(rule ((= l (At t 0 "s")) (= t (View i x)) (Viewed x) (= f (free x)) (Lane d m) (!= 0 (& f m)))
      ((union l (LoadView i 0 (Mem x d)))) :ruleset physical :name "load-view-buffer-scalar")

(rule ((= l (At t c "v")) (> c 0) (= t (Scan o k x)) (!= c (+ k 1)) (Scannable o))
      ((union l (ScanL o k c (At x c "v")))) :ruleset physical :name "scan")
(rule ((= l (At t c "v")) (> c 0) (= t (Scan o k x)) (= c (+ k 1)) (Reorders o))
      ((union l (ScanL o k c (At x c "v")))) :ruleset physical :name "scan-lanes")
(rule ((= l (At t 0 "s")) (= t (Scan o k x)) (Scannable o)) ((union l (ScanL o k 0 (At x 0 "s"))))
      :ruleset physical :name "scan-scalar")
(rule ((= l (At t c "v")) (> c 0) (= t (Gather k x i)) (= f (free i)) (!= 0 (& f (<< 1 (- c 1)))) (Lane d m) (= g (free x)) (!= 0 (& g m)))
      ((union l (GatherL k c (Mem x d) (At i c "v")))) :ruleset physical :name "gather")
(rule ((= l (At t 0 "s")) (= t (Gather k x i)) (Lane d m) (= g (free x)) (!= 0 (& g m)))
      ((union l (GatherL k 0 (Mem x d) (At i 0 "s")))) :ruleset physical :name "gather-scalar")
(rule ((= l (At t c "v")) (> c 0) (= t (Gather k x i)) (= x (Leaf n)) (InputLeaf n) (= f (free i)) (!= 0 (& f (<< 1 (- c 1)))))
      ((union l (GatherL k c (Mem x 0) (At i c "v")))) :ruleset physical :name "gather-input")
(rule ((= l (At t 0 "s")) (= t (Gather k x i)) (= x (Leaf n)) (InputLeaf n))
      ((union l (GatherL k 0 (Mem x 0) (At i 0 "s")))) :ruleset physical :name "gather-input-scalar")

(rule ((= t (Red o k x))) ((Material t)) :ruleset physical :name "material-reduce")
(rule ((= t (Scan o k x))) ((Material t)) :ruleset physical :name "material-scan")
(rule ((= t (Gather k x i))) ((Material t)) :ruleset physical :name "material-gather")
(rule ((= t (Fold i x))) ((Material t)) :ruleset physical :name "material-fold")
(rule ((= t (Cat i x))) ((Material t)) :ruleset physical :name "material-concat")
(rule ((= t (P1 o x)) (Costly o)) ((Material t)) :ruleset physical :name "material-costly")
(rule ((= t (View i x)) (!= x t)) ((Viewed x)) :ruleset physical :name "viewed")
"""

DECLARATIONS = """
(relation InputLeaf (i64)) (relation ConstantLeaf (i64)) (relation StateLeaf (i64)) (relation IotaLeaf (i64 i64 String))
(relation Viewed (T)) (relation Costly (String)) (relation Reorders (String)) (relation Scannable (String))
"""


def concat_texts(encoding: Encoding) -> list[str]:
    """Concatenations are stored part by part into one buffer.

    Part ``p`` of concatenation ``i`` is demanded with layout ``part_layout(i, p, o)``.
    """
    texts: list[str] = []
    for number, term in enumerate(encoding.concats):
        parts = [f"p{i}" for i in range(len(term.children))]
        pattern, result = "(TNil)", "(BNil)"
        for i in reversed(range(len(parts))):
            pattern = f"(TCons {parts[i]} {pattern})"
            result = f"(BCons (Mem {parts[i]} (+ (* 1000000 (+ 1 o)) {1000 * (number + 1) + i})) {result})"
        texts.append(
            f"(rule ((= b (Mem t o)) (!= o 0) (< o {DEEPEST_LAYOUT}) (= t (Cat {number} {pattern})))"
            f' ((union b (Join {number} o {result}))) :ruleset physical :name "concat {number}")'
        )
    return texts


def fold_texts(encoding: Encoding) -> list[str]:
    """A fold runs all its states in one loop, each in the place that its axes ask for."""
    texts: list[str] = []
    for number, term in enumerate(encoding.folds):
        count = len(term.attributes[1])
        names = [f"a{i}" for i in range(3 * count)]
        pattern = "(TNil)"
        for name in reversed(names):
            pattern = f"(TCons {name} {pattern})"
        lanes = sorted({encoding.axis(a) for s in term.children[:count] for a in s.axes})
        fold_axis = encoding.axis(term.attributes[0])
        for c in [0] + [a + 1 for a in lanes if a != fold_axis]:
            wanted = [
                "s" if c == 0 else "m" if s.type is BOOL else "v" for s in term.children[:count]
            ] * 2
            children = "(LNil)"
            for name, place in reversed(list(zip(names[count:], wanted, strict=True))):
                children = f'(LCons (At {name} {c} "{place}") {children})'
            own = "s" if c == 0 else "v"
            atoms = f'(= l (At t {c} "{own}")) (= t (Fold {number} {pattern}))'
            texts.append(
                f"(rule ({atoms}) ((union l (FoldL {number} {c} {children})))"
                f' :ruleset physical :name "fold {number} {c}")'
            )
    return texts


def alias_texts(operators: set[str]) -> list[str]:
    """Reading the same register as another format of the same width costs nothing."""
    return [
        f'(rule ((= l (At t c "v")) (> c 0) (= t (P1 "{key}" x))) ((union l (Alias (At x c "v"))))'
        f' :ruleset physical :name "alias {key}")'
        for key in sorted(operators)
        if key.startswith("bitcast.")
    ]


COSTLY = ("exp", "exp2", "expm1", "log", "log2", "log1p", "sin", "cos", "tanh", "erf", "sigmoid", "gelu",
          "rsqrt", "sqrt", "reciprocal")  # fmt: skip


def fact_texts(encoding: Encoding, lanes: list[int], floats: list[ElementType]) -> list[str]:
    """What the transfer rules need to know about leaves and lane candidates."""
    texts = [f"(Lane {axis + 1} {1 << axis})" for axis in lanes]
    for number, leaf in enumerate(encoding.leaves):
        if leaf.operator == "input":
            texts.append(f"(InputLeaf {number})")
            if leaf.attributes[0] in encoding.kernel.constants:
                texts.append(f"(ConstantLeaf {number})")
            texts += [f"(Material (Leaf {number}))"] if len(leaf.axes) > 1 else []
        elif leaf.operator == "iota":
            axis = encoding.axis(leaf.axes[0])
            texts.append(f'(IotaLeaf {number} {axis} "{leaf.type}")')
        else:
            texts.append(f"(StateLeaf {number})")
    texts += [f'(Costly "{operator_key(name, t)}")' for name in COSTLY for t in floats]
    return texts
