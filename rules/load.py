"""Rule files outside the package: Python modules that define families."""

from __future__ import annotations

import linecache
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from oxegg.errors import RuleError
from oxegg.rules import FAMILIES, all_rules
from oxegg.rules.pattern import Family, Rule
from oxegg.rules.wellformed import check_rules


def load_rules(path: str | Path) -> list[Rule]:
    """The rows of every :class:`Family` that the module at ``path`` defines, checked.

    Raises :class:`oxegg.errors.RuleError` where the file can't be run, defines no family, or has a
    row that is malformed or repeats one of oxegg's.
    """
    file = Path(path)
    if not file.is_file():
        raise RuleError("there is no such rule file", where=str(path),
                        hint="`oxegg rules new mine.absorb` writes one")  # fmt: skip
    place = str(file.absolute())
    module = ModuleType(f"oxegg_rules_{file.stem}")
    module.__file__ = place
    sys.modules[module.__name__] = module
    linecache.checkcache(place)
    try:  # not by an import: its cache goes by whole seconds, and `watch` is faster
        exec(compile(file.read_bytes(), place, "exec"), vars(module))
    except (Exception, SystemExit) as error:
        raise _failure(error, file) from error
    families = {id(value): value for value in vars(module).values() if isinstance(value, Family)}
    own = (family for family in families.values() if family not in FAMILIES.values())
    rules = [row for family in own for row in family.rules]
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


def _failure(error: BaseException, file: Path) -> RuleError:
    """What ended a rule file, with the line that it came through and a caret."""
    message = f"the rule file fails: {type(error).__name__}: {error}"
    hint = "`oxegg rules new mine.absorb` writes a file that runs"
    if isinstance(error, RuleError):
        message, hint = error.message, error.hint or hint
    if isinstance(error, SyntaxError):
        message = f"the rule file fails: {type(error).__name__}: {error.msg}"
    place, line, column = _place(error, file)
    source = linecache.getline(place, line).rstrip() if line else ""
    if source:
        indent = len(source) - len(source.lstrip())
        message += f"\n    {source.lstrip()}\n    {' ' * max(column - indent, 0)}^"
    return RuleError(message, where=f"{place}:{line}" if line else place, hint=hint)


def _place(error: BaseException, file: Path) -> tuple[str, int, int]:
    """File, line and column (from 0): of bad syntax, else where the rule file was left last."""
    if isinstance(error, SyntaxError):
        return error.filename or str(file), error.lineno or 0, (error.offset or 1) - 1
    line, column = 0, 0
    for frame in traceback.extract_tb(error.__traceback__):
        if Path(frame.filename) == file.absolute():
            line, column = frame.lineno or 0, frame.colno or 0
    return str(file), line, column
