"""The driver: from a NumPy function to measured machine code."""

from oxegg.search.api import compile_for
from oxegg.search.api import compile_kernel as compile
from oxegg.search.bench import bench
from oxegg.search.compiled import CompiledKernel
from oxegg.search.crossover import crossover

__all__ = ["CompiledKernel", "bench", "compile", "compile_for", "crossover"]
