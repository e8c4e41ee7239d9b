"""Engine rules of the near-memory units: whole arrays in banked layouts.

``At(t, 0, "k")`` asks for an input in the banks, ``At(t, 0, "h")`` for a chain of commands that
leaves t in the units' registers, group after group. Both range over all axes of an output: every
bank works on its own part of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from oxegg.egraph.rule_text import match_text, operator_key, pattern_keys
from oxegg.ir.types import ElementType
from oxegg.rules.near_memory import FLOAT_LANES, OPERATIONS, RELUS, SUMS, BankOperation, BankSum
from oxegg.rules.pattern import Pattern

STORED, RELU, SUM, TOTAL, PRODUCT = "NStored", "NRelu", "NSum", "NTotal", "NProduct"
RESULTS = (STORED, RELU, SUM, TOTAL, PRODUCT)

_OUTPUT = "(= b (Mem t o)) (> o 99) (< o 1000000)"
_TRANSFERS = f"""
(rule ((= l (At t 0 "k")) (= t (Leaf n)) (InputLeaf n)) ((union l (NBank (Mem t 0))))
      :ruleset physical :name "bank")
(rule ({_OUTPUT} (!= 0 (free t))) ((union b (NStored o (At t 0 "h"))))
      :ruleset physical :name "bank-store")
"""


def bank_texts(operators: set[str], reorder: bool) -> list[str]:
    """All rules of the near-memory engine that can fire on ``operators``.

    ``reorder``: whether float sums may be taken in any order and with fewer roundings.
    """
    rows = [r for r in OPERATIONS.values() if pattern_keys(r.pattern, r.type) <= operators]
    sums = [r for r in SUMS.values() if reorder or r.kind == "exact"]
    texts = [text for row in rows for text in _operation_texts(row)]
    used = [row for row in sums if pattern_keys(row.pattern, row.type) <= operators]
    texts += [text for row in used for text in (_sum_text(row), *_product_texts(row))]
    for type_ in FLOAT_LANES if reorder else ():
        if operator_key("add", type_) in operators:
            texts += _chain_texts(type_)
    for type_, pattern in RELUS.items():
        if pattern_keys(pattern, type_) <= operators:
            texts.append(_relu_text(type_, pattern))
    for row in sums:
        if {*pattern_keys(row.total, row.type), f"reduce:add.{row.type}"} <= operators:
            texts.append(_total_text(row))
    return [_TRANSFERS, *texts] if texts else []


def _operation_texts(row: BankOperation) -> Iterator[str]:
    matched = f'(= l (At t 0 "h")) (= t {match_text(row.pattern, row.type, row.type)})'
    free = "(= f (free t)) (!= f 0)"
    both = f"{free} (= f (free p_x)) (= f (free p_y))"
    yield (
        f'(rule ({matched} {both}) ((union l (NIns "{row.key}" (At p_x 0 "k") (At p_y 0 "k"))))'
        f' :ruleset physical :name "banks {row.key}")'
    )
    for number, bank in (("p_x", "p_y"), ("p_y", "p_x")):
        yield (
            f"(rule ({matched} {free} (= 0 (free {number})) (= f (free {bank})))"
            f' ((union l (NIns "{row.key}" (At {number} 0 "s") (At {bank} 0 "k"))))'
            f' :ruleset physical :name "bank {row.key} {number}")'
        )


def _chain_texts(type_: ElementType) -> Iterator[str]:
    """A chain goes on with one more array, times a number or as it is."""
    add, multiply = operator_key("add", type_), operator_key("mul", type_)
    for side, pair in (("", "u v"), ("-right", "v u")):
        matched = f'(= l (At t 0 "h")) (= t (P2 "{add}" {pair})) (= f (free t)) (= f (free u))'
        yield (
            f"(rule ({matched} (= u (Leaf n)) (InputLeaf n))"
            f' ((union (At u 0 "h") (NStart (At u 0 "k"))))'
            f' :ruleset physical :name "bank-start{side} {type_}")'
        )
        yield (
            f"(rule ({matched} (= f (free v)))"
            f' ((union l (NAdd (At u 0 "h") (At v 0 "k"))))'
            f' :ruleset physical :name "bank-add{side} {type_}")'
        )
        for order, factors in (("", "x s"), ("-left", "s x")):
            yield (
                f'(rule ({matched} (= v (P2 "{multiply}" {factors})) (= 0 (free s)) (= f (free x)))'
                f' ((union l (NMac (At u 0 "h") (At x 0 "k") (At s 0 "s"))))'
                f' :ruleset physical :name "bank-mac{side}{order} {type_}")'
            )


def _sum_text(row: BankSum) -> str:
    """All lanes of all units sum products of two arrays; the core adds what they bring."""
    key = operator_key("add", row.type)
    body = match_text(row.pattern, row.type, row.type)
    return (
        f'(rule ({_OUTPUT} (= t (Red "{key}" k {body})) (= 0 (free t))'
        f" (= f (free p_x)) (= f (free p_y)))"
        f' ((union b (NSum "{row.key}" k (At p_x 0 "k") (At p_y 0 "k"))))'
        f' :ruleset physical :name "bank-sum {row.key}")'
    )


def _product_texts(row: BankSum) -> Iterator[str]:
    """A constant matrix, laid out in the banks ahead of time, times vectors that units share."""
    key = operator_key("add", row.type)
    body = match_text(row.pattern, row.type, row.type)
    for matrix, vector in (("p_x", "p_y"), ("p_y", "p_x")):
        yield (
            f'(rule ((= b (Mem t o)) (= t (Red "{key}" k {body}))'
            f" (= {matrix} (Leaf n)) (ConstantLeaf n) (= {vector} (Leaf m)) (InputLeaf m)"
            f" (= fm (free {matrix})) (= fv (free {vector})) (= (& fm fv) (<< 1 k)) (!= fm fv))"
            f' ((union b (NProduct o "{row.key}" k (At {matrix} 0 "k") (Mem {vector} 0))))'
            f' :ruleset physical :name "bank-product {row.key} {matrix}")'
        )


def _total_text(row: BankSum) -> str:
    """All lanes of all units add the elements of one array."""
    key = operator_key("add", row.type)
    body = match_text(row.total, row.type, row.type)
    return (
        f'(rule ({_OUTPUT} (= t (Red "{key}" k {body})) (= 0 (free t))'
        f" (= p_x (Leaf n)) (InputLeaf n))"
        f' ((union b (NTotal "{row.key}" k (At p_x 0 "k"))))'
        f' :ruleset physical :name "bank-total {row.key}")'
    )


def _relu_text(type_: ElementType, pattern: Pattern) -> str:
    """What a chain leaves in the registers is stored, negative numbers as zero."""
    matched = f"{_OUTPUT} (= t {match_text(pattern, type_, type_)}) (= f (free t)) (!= f 0)"
    return (
        f'(rule ({matched} (= f (free p_x))) ((union b (NRelu o (At p_x 0 "h"))))'
        f' :ruleset physical :name "bank-relu {type_}")'
        f"(rule ({matched} (= p_x (Leaf n)) (InputLeaf n))"
        f' ((union (At p_x 0 "h") (NStart (At p_x 0 "k"))))'
        f' :ruleset physical :name "bank-start-relu {type_}")'
    )
