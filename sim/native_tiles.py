"""Products of float tiles in native code: binary32 sums, one rounding a step, k ascending."""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.sim.native_llvm import QUICK, available, compile_function

Array = npt.NDArray[Any]
LANES = 16
NAME = "product"
# c[i, j] = fma(a[i, s], b[s, j], c[i, j]) for s = 0, 1, ...; rows of b and c are whole vectors.
TEXT = f"""
define void @{NAME}(ptr %a, ptr %b, ptr %c, i64 %m, i64 %vectors, i64 %k) {{
start:
  %width = mul i64 %vectors, {LANES}
  br label %rows
rows:
  %i = phi i64 [ 0, %start ], [ %i.next, %row.done ]
  %a.at = mul i64 %i, %k
  %c.at = mul i64 %i, %width
  br label %columns
columns:
  %v = phi i64 [ 0, %rows ], [ %v.next, %column.done ]
  %j = mul i64 %v, {LANES}
  %c.index = add i64 %c.at, %j
  %c.p = getelementptr float, ptr %c, i64 %c.index
  %c.first = load <{LANES} x float>, ptr %c.p, align 4
  br label %steps
steps:
  %s = phi i64 [ 0, %columns ], [ %s.next, %steps ]
  %sum = phi <{LANES} x float> [ %c.first, %columns ], [ %sum.next, %steps ]
  %a.index = add i64 %a.at, %s
  %a.p = getelementptr float, ptr %a, i64 %a.index
  %a.one = load float, ptr %a.p, align 4
  %a.lane = insertelement <{LANES} x float> poison, float %a.one, i64 0
  %a.all = shufflevector <{LANES} x float> %a.lane, <{LANES} x float> poison, <{LANES} x i32> zeroinitializer
  %b.row = mul i64 %s, %width
  %b.index = add i64 %b.row, %j
  %b.p = getelementptr float, ptr %b, i64 %b.index
  %b.v = load <{LANES} x float>, ptr %b.p, align 4
  %sum.next = call <{LANES} x float> @llvm.fma.v{LANES}f32(<{LANES} x float> %a.all, <{LANES} x float> %b.v, <{LANES} x float> %sum)
  %s.next = add i64 %s, 1
  %s.more = icmp ult i64 %s.next, %k
  br i1 %s.more, label %steps, label %column.done
column.done:
  store <{LANES} x float> %sum.next, ptr %c.p, align 4
  %v.next = add i64 %v, 1
  %v.more = icmp ult i64 %v.next, %vectors
  br i1 %v.more, label %columns, label %row.done
row.done:
  %i.next = add i64 %i, 1
  %i.more = icmp ult i64 %i.next, %m
  br i1 %i.more, label %rows, label %end
end:
  ret void
}}
"""  # noqa: E501
Product = Callable[[Array, Array, Array], Array]


@cache
def float_product() -> Product | None:
    """A function of a (m, k), b (n, k) and c (m, n) in binary32: c + a @ b.T; None without LLVM.

    NaNs of the result have any payload.
    """
    if not available():
        return None
    function = compile_function(TEXT, NAME, QUICK)
    pointer, number = ctypes.c_void_p, ctypes.c_uint64
    call = ctypes.CFUNCTYPE(None, pointer, pointer, pointer, number, number, number)(
        function.address
    )

    def product(a: Array, b: Array, c: Array) -> Array:
        (m, k), n = a.shape, b.shape[0]
        if not m * n * k:
            return c
        vectors = -(-n // LANES)
        rows, columns, sums = (
            np.ascontiguousarray(a, np.float32),
            np.zeros((k, vectors * LANES), np.float32),
            np.zeros((m, vectors * LANES), np.float32),
        )
        columns[:, :n], sums[:, :n] = b.T, c
        call(rows.ctypes.data, columns.ctypes.data, sums.ctypes.data, m, vectors, k)
        assert function.owner is not None
        return sums[:, :n]

    return product
