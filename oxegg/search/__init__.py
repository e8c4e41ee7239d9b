"""The driver: from a NumPy function to measured machine code."""

from oxegg.search.api import compile_kernel as compile
from oxegg.search.bench import bench
from oxegg.search.compiled import CompiledKernel

__all__ = ["CompiledKernel", "bench", "compile"]
