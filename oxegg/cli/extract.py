"""``oxegg extract``: the cheapest choice of terms in an egraph-serialize file."""

import argparse
import sys
import time

from oxegg.cli.options import duration
from oxegg.cli.output import put_json, show, table
from oxegg.errors import ExtractionError
from oxegg.extraction import Problem, Solution, extract, load

EXAMPLE = """\
  oxegg extract egraph.json
  oxegg extract egraph.json --method dag --json choice.json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``oxegg extract``."""
    parser.add_argument("file", metavar="FILE.json", help="an e-graph in egraph-serialize JSON")
    parser.add_argument(
        "--method",
        choices=("tree", "dag", "exact"),
        default="exact",
        help="tree: blind to sharing; dag: greedy with sharing; exact (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds",
        type=duration,
        default=10.0,
        metavar="S",
        help="time limit of the exact method; the best so far is kept (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="same seed, same choice (default: 0)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Read, extract, print cost, bound, status and time; JSON also holds the chosen nodes."""
    start = time.perf_counter()
    problem = load(arguments.file)
    if problem.dropped_roots:
        names = ", ".join(problem.dropped_roots)
        print(f"{arguments.file}: warning: roots that name no class: {names}", file=sys.stderr)
    solution = extract(problem, arguments.method, seconds=arguments.seconds, seed=arguments.seed)
    if solution.status == "infeasible":
        raise ExtractionError(
            "no finite, acyclic choice builds the roots",
            where=arguments.file,
            hint="look for roots whose every node is cyclic, subsumed or of infinite cost",
        )
    summary = _summary(problem, solution, time.perf_counter() - start)
    chosen = {
        problem.class_names[eclass]: problem.node_names[node]
        for eclass, node in solution.choice.items()
    }
    if not put_json({**summary, "choice": chosen}, arguments.json):
        show(table(("", ""), list(summary.items())))
    return 0


def _summary(problem: Problem, solution: Solution, seconds: float) -> dict[str, object]:
    return {
        "nodes": len(problem.labels),
        "classes": len(problem.class_names),
        "method": solution.method,
        "cost": solution.cost,
        "bound": solution.lower_bound,
        "gap": solution.gap,
        "status": solution.status,
        "chosen": len(solution.choice),
        "seconds": round(seconds, 4),
    }
