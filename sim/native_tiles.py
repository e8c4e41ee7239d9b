"""Products of float tiles in native code: binary32 sums, one rounding a step, k ascending.

NaNs of the result are canonical.
"""

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
NANS = f"<{', '.join(['float 0x7FF8000000000000'] * LANES)}>"
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
  %nan = fcmp uno <{LANES} x float> %sum.next, %sum.next
  %result = select <{LANES} x i1> %nan, <{LANES} x float> {NANS}, <{LANES} x float> %sum.next
  store <{LANES} x float> %result, ptr %c.p, align 4
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

    No size may be 0. The result is overwritten by the next call.
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
        vectors = -(-n // LANES)
        columns, columns_at = _room("columns", k, vectors * LANES)
        sums, sums_at = _room("sums", m, vectors * LANES)
        columns[:, :n], sums[:, :n] = b.T, c
        rows = np.ascontiguousarray(a)
        call(rows.ctypes.data, columns_at, sums_at, m, vectors, k)
        assert function.owner is not None
        return sums[:, :n]

    return product


@cache
def _room(use: str, rows: int, width: int) -> tuple[Array, int]:
    """Room for a matrix of whole vectors, and its address: one for each use and shape."""
    del use
    room = np.zeros((rows, width), np.float32)
    return room, room.ctypes.data
