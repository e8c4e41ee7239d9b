"""Choosing programs from an e-graph: problem in, checked choice and lower bound out."""

from oxegg.extraction.diverse import distance, diverse, k_best
from oxegg.extraction.json_format import load
from oxegg.extraction.methods import Method, extract
from oxegg.extraction.problem import Node, Problem
from oxegg.extraction.solution import Solution, check, evaluate, tree_cost

__all__ = [
    "Method",
    "Node",
    "Problem",
    "Solution",
    "check",
    "distance",
    "diverse",
    "evaluate",
    "extract",
    "k_best",
    "load",
    "tree_cost",
]
