"""Engine rules of the tensor engine: values in tiles, tiles from and to memory.

``At(t, c, space)`` with c = 64 * (1 + a) + (1 + b) asks for ``t`` with axis a along the rows and
axis b along the columns of tiles: of accumulators ("a"), of input tiles that a product reads
("r"), or of input tiles that hold narrowed results ("n"). ``Tiled(t, c)`` says that an accumulator
can come to hold t: only such values are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

from oxegg.egraph.rule_text import match_text, operator_key, pattern_keys
from oxegg.ir.types import I32, ElementType
from oxegg.rules.tensor_engine import (
    ACCUMULATOR_TYPES,
    OPERATIONS,
    PRODUCTS,
    TileOperation,
    TileProduct,
)

TILE_AXES = 64
"""Base of the codes of axis pairs: above every axis's own number."""
PRODUCT, STORED = "TMul", "TStored"


def tile_axes(code: int) -> tuple[int, int]:
    """Numbers of the axes along the rows and the columns of tiles."""
    rows, columns = divmod(code, TILE_AXES)
    return rows - 1, columns - 1


DECLARATIONS = """
(relation Tiled (T i64)) (relation TiledNarrow (T i64))
(relation Factors (T String i64 T T)) (relation Product (T i64 String i64 T T))
"""

_BOUNDS = """
(rule ((= e (P2 "max.i32" x (Const b "i32"))) (= h (high x)) (< b 2147483648))
      ((set (low e) b) (set (high e) (max h b))) :ruleset analysis)
"""

_TRANSFERS = """
(rule ((Factors t o k x y) (= f (free x)) (= g (free y)) (Lane i m) (Lane j n)
       (= m (& f m)) (= 0 (& g m)) (= n (& g n)) (= 0 (& f n)))
      ((Product t (+ (* 64 i) j) o k x y) (Tiled t (+ (* 64 i) j))) :ruleset physical :name "tile-axes")
(rule ((= l (At t c "a")) (Product t c o k x y))
      ((union l (TMul o k (At x (+ (* 64 (/ c 64)) (+ k 1)) "r") (At y (+ (* 64 (% c 64)) (+ k 1)) "r"))))
      :ruleset physical :name "tile-product")
(rule ((= b (Mem t o)) (!= o 0) (Tiled t c)) ((union b (TStored o c (At t c "a"))))
      :ruleset physical :name "tile-store")
(rule ((= b (Mem t o)) (!= o 0) (TiledNarrow t c)) ((union b (TStored o c (At t c "n"))))
      :ruleset physical :name "tile-store-narrow")
(rule ((= l (At t c "r"))) ((Material t)) :ruleset physical :name "material-tile")
(rule ((= l (At t c s)) (> c 63) (= t (Leaf n)) (InputLeaf n)) ((union l (TLoad c s (Mem t 0))))
      :ruleset physical :name "tile-load")
(rule ((= l (At t c s)) (> c 63) (= t (View v x)) (= x (Leaf n)) (InputLeaf n))
      ((union l (TLoadView v c s (Mem x 0)))) :ruleset physical :name "tile-load-view")
(rule ((= l (At t c s)) (> c 63) (Material t) (= d (/ c 64))) ((union l (TLoad c s (Mem t d))))
      :ruleset physical :name "tile-load-rows")
(rule ((= l (At t c s)) (> c 63) (Material t) (= d (% c 64))) ((union l (TLoad c s (Mem t d))))
      :ruleset physical :name "tile-load-columns")
(rule ((= l (At t c s)) (> c 63) (= t (View v x)) (Viewed x) (= f (free x)) (Lane d m) (!= 0 (& f m)))
      ((union l (TLoadView v c s (Mem x d)))) :ruleset physical :name "tile-load-view-buffer")
"""  # fmt: skip


def tile_texts(operators: set[str], reorder: bool) -> list[str]:
    """All rules of the tensor engine that can fire on ``operators``.

    ``reorder``: whether float sums may be taken in any order.
    """
    products = [p for p in PRODUCTS.values() if reorder or p.kind == "exact"]
    texts = [
        text for row in products if _operators(row) <= operators for text in _product_texts(row)
    ]
    if not texts:
        return []
    texts += [_TRANSFERS, _BOUNDS]
    for type_ in ACCUMULATOR_TYPES:
        if reorder or not type_.is_float:
            texts += _sum_texts(type_)
    for row in OPERATIONS.values():
        if pattern_keys(row.pattern, row.type) <= operators:
            texts += _operation_texts(row)
    return texts


def _operators(row: TileProduct) -> set[str]:
    return {*pattern_keys(row.pattern, row.type), f"reduce:add.{row.type}"}


def _product_texts(row: TileProduct) -> Iterator[str]:
    """The first factor goes through the rows of the result: either of the two may."""
    key = operator_key("add", row.type)
    body = match_text(row.pattern, row.type, row.type)
    swap = {"ox.mm.us": "ox.mm.su", "ox.mm.su": "ox.mm.us"}.get(row.instruction, row.instruction)
    swapped = f"{swap}/{row.type}"
    yield (
        f'(rule ((= t (Red "{key}" k {body})) (= f (free p_x)) (= g (free p_y))'
        f" (!= 0 (& (& f g) (<< 1 k))))"
        f' ((Factors t "{row.key}" k p_x p_y) (Factors t "{swapped}" k p_y p_x))'
        f' :ruleset physical :name "factors {row.key}")'
    )


def _sum_texts(type_: ElementType) -> Iterator[str]:
    """Sums of products: over more axes, and with something to start from."""
    key = operator_key("add", type_)
    outer = f'(= t (Red "{key}" u x)) (Tiled x c) (!= (+ u 1) (/ c 64)) (!= (+ u 1) (% c 64))'
    yield f'(rule ({outer}) ((Tiled t c)) :ruleset physical :name "tiled-sum {type_}")'
    yield (
        f'(rule ((= l (At t c "a")) {outer}) ((union l (TSum u (At x c "a"))))'
        f' :ruleset physical :name "tile-sum {type_}")'
    )
    for name, pair in (("start", "x y"), ("start-right", "y x")):
        both = f'(= t (P2 "{key}" {pair})) (Product x c o k a b)'
        yield f'(rule ({both}) ((Tiled t c)) :ruleset physical :name "tiled-{name} {type_}")'
        yield (
            f'(rule ((= l (At t c "a")) {both}) ((union l (TMulFrom o k'
            f' (At a (+ (* 64 (/ c 64)) (+ k 1)) "r") (At b (+ (* 64 (% c 64)) (+ k 1)) "r")'
            f' (At y c "a")))) :ruleset physical :name "tile-product-{name} {type_}")'
        )


def _operation_texts(row: TileOperation) -> Iterator[str]:
    matched = f"(= t {match_text(row.pattern, row.type, row.type)}) (Tiled p_x c)"
    if row.among is not None:
        least, largest = row.among
        matched += f" (= lo (low p_x)) (<= {least} lo)" if least > I32.minimum else ""
        matched += f" (= hi (high p_x)) (<= hi {largest})" if largest < I32.maximum else ""
    fact, space = ("TiledNarrow", "n") if row.narrow else ("Tiled", "a")
    yield f'(rule ({matched}) (({fact} t c)) :ruleset physical :name "tiled {row.key}")'
    yield (
        f'(rule ((= l (At t c "{space}")) {matched}) ((union l (TOp "{row.key}" (At p_x c "a"))))'
        f' :ruleset physical :name "tile {row.key}")'
    )
