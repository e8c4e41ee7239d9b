"""Rule files outside the package: Python modules that define families."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from oxegg.errors import RuleError
from oxegg.rules import all_rules
from oxegg.rules.pattern import Family, Rule
from oxegg.rules.wellformed import check_rules


def load_rules(path: str | Path) -> list[Rule]:
    """The rows of every :class:`Family` that the module at ``path`` defines, checked.

    Raises :class:`oxegg.errors.RuleError` where the file can't be run, defines no family, or has a
    row that is malformed or repeats one of oxegg's.
    """
    file = Path(path)
    if not file.is_file():
        raise RuleError("there is no such rule file", where=str(path))
    name = f"oxegg_rules_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise RuleError("a rule file is a Python module", where=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except RuleError:
        raise
    except Exception as error:
        raise RuleError(
            f"the rule file fails: {type(error).__name__}: {error}", where=_line(error, path)
        ) from error
    rules = [
        row for value in vars(module).values() if isinstance(value, Family) for row in value.rules
    ]
    if not rules:
        raise RuleError("the file defines no rules", where=str(path),
                        hint='write FAMILY = Family("mine") and FAMILY.rule(...)')  # fmt: skip
    check_rules(rules, all_rules())
    return rules


def load_all(paths: Sequence[str | Path]) -> list[Rule]:
    """The rows of several files, none of which repeats another's."""
    found: list[Rule] = []
    for path in paths:
        rows = load_rules(path)
        check_rules(rows, found)
        found += rows
    return found


def _line(error: Exception, path: str | Path) -> str:
    """The last line of the file itself that the error came through."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    if isinstance(error, SyntaxError):
        line = error.lineno or line
    return f"{path}:{line}" if line else str(path)
