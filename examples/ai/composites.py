"""Compositions of matrix operations on int8, results in int32: what a fused kernel saves.

The nine composites of the ACT compiler generator's evaluation.
"""

import numpy as np
from jaxtyping import Int8

Matrix = Int8[np.ndarray, "n=16 n=16"]


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a.astype(np.int32) @ b.astype(np.int32)


def narrowed(x: np.ndarray) -> np.ndarray:
    """Back to int8, as the next product wants it."""
    return np.clip(x, -128, 127).astype(np.int8)


def abc_sum(a: Matrix, b: Matrix, c: Matrix):
    return a.astype(np.int32) + b + c


def abcd_sum(a: Matrix, b: Matrix, c: Matrix, d: Matrix):
    return a.astype(np.int32) + b + c + d


def ab_ac(a: Matrix, b: Matrix, c: Matrix):
    return product(a, b) + product(a, c)


def ab_c_d(a: Matrix, b: Matrix, c: Matrix, d: Matrix):
    return product(a, b) + c + d


def abc(a: Matrix, b: Matrix, c: Matrix):
    return product(narrowed(product(a, b)), c)


def abc_a(a: Matrix, b: Matrix, c: Matrix):
    return product(narrowed(product(a, b)), c) + a


def abc_d(a: Matrix, b: Matrix, c: Matrix, d: Matrix):
    return product(narrowed(product(a, b)), c) + d


def abca(a: Matrix, b: Matrix, c: Matrix):
    return product(narrowed(product(narrowed(product(a, b)), c)), a)


def abcd(a: Matrix, b: Matrix, c: Matrix, d: Matrix):
    return product(narrowed(product(narrowed(product(a, b)), c)), d)
