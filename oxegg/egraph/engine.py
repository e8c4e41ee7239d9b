"""The one door to egglog: textual programs in, plain tuples out.

Only the bindings are used (no Python DSL), in the subset that egglog 13.2 and 14 share: one form
per parse (spans copy the whole source), ``freeze`` for bulk read-out, one thread (the default:
results are then bit-deterministic).
"""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from oxegg.errors import RuleError


def _bindings() -> Any:
    """``egglog.bindings`` without running ``egglog/__init__.py`` (8 ms instead of 240 ms)."""
    if "egglog" not in sys.modules:
        spec = importlib.util.find_spec("egglog")
        assert spec is not None
        package = types.ModuleType("egglog")
        package.__path__ = list(spec.submodule_search_locations or [])
        sys.modules["egglog"] = package
    import egglog.bindings

    return egglog.bindings


@dataclass(frozen=True)
class Table:
    """One function's rows: ``(inputs..., output)``; e-classes are ints, primitives are decoded."""

    sorts: tuple[str, ...]
    rows: list[tuple[Any, ...]]


class Engine:
    """An e-graph. Bound to the thread that made it; not picklable."""

    def __init__(self) -> None:
        self._bindings = _bindings()
        self._graph: Any = self._bindings.EGraph()

    def run(self, text: str) -> list[Any]:
        """Run every top-level form of ``text``; raises RuleError with egglog's message."""
        outputs: list[Any] = []
        for form in split_forms(text):
            try:
                commands = self._graph.parse_program(form)
                outputs += self._graph.run_program(*commands)
            except BaseException as error:  # Rust panics are BaseExceptions
                if isinstance(error, KeyboardInterrupt | SystemExit):
                    raise
                raise RuleError(f"egglog refuses: {error}\n    in {form[:300]}") from error
        return outputs

    def step(self, ruleset: str) -> tuple[bool, dict[str, int]]:
        """Run one ruleset once: (something changed, matches per rule)."""
        (output,) = self.run(f"(run-schedule (run {ruleset}))")
        report = output.report
        return bool(report.updated), dict(report.num_matches_per_rule)

    def saturate(self, ruleset: str) -> None:
        self.run(f"(run-schedule (saturate (run {ruleset})))")

    def sizes(self) -> dict[str, int]:
        (output,) = self.run("(print-size)")
        return dict(output.sizes)

    def tables(self, names: list[str]) -> dict[str, Table]:
        """Rows of the named functions, e-class ids made dense over all of them."""
        functions = self._graph.freeze().functions
        classes: dict[Any, int] = {}
        decode = {
            "i64": self._graph.value_to_i64,
            "String": self._graph.value_to_string,
            "f64": self._graph.value_to_f64,
        }
        memo: dict[tuple[str, Any], Any] = {}

        def plain(sort: str, value: Any) -> Any:
            if sort not in decode:
                return classes.setdefault(value, len(classes))
            key = (sort, value)
            if key not in memo:
                memo[key] = decode[sort](value)
            return memo[key]

        result: dict[str, Table] = {}
        for name in names:
            function = functions[name]
            sorts = (*function.input_sorts, function.output_sort)
            rows = [
                tuple(plain(s, v) for s, v in zip(sorts, (*row.inputs, row.output), strict=True))
                for row in function.rows
            ]
            result[name] = Table(sorts, rows)
        return result


def split_forms(text: str) -> Iterator[str]:
    """The top-level parenthesised forms of a program; ``;`` starts a comment."""
    depth, start, quoted, comment = 0, 0, False, False
    for position, character in enumerate(text):
        if comment:
            comment = character != "\n"
        elif character == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif character == ";":
            comment = True
        elif character == "(":
            if depth == 0:
                start = position
            depth += 1
        elif character == ")":
            depth -= 1
            if depth == 0:
                yield text[start : position + 1]
