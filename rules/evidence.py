"""Evidence for rules: what was shown about each instance, kept beside the rules.

``evidence.json`` holds a verdict per instance, keyed by a digest of everything it depends on: both
sides, types, conditions, stated error, and the meaning of every operation in them. A rule whose
digest has changed has no evidence until ``oxegg rules prove`` has run again.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast, get_origin

from oxegg.ir.operations import OPERATIONS
from oxegg.ir.types import ElementType
from oxegg.rules.pattern import Apply, Constant, Pattern, Rule, Variable

FILE = Path(__file__).with_name("evidence.json")
VERDICTS = ("proved", "exhaustive", "tested", "unknown", "no semantics", "refuted")
"""From the strongest to the weakest."""
LEAST_TESTS = 10_000


@dataclass(frozen=True)
class Evidence:
    """What was shown about one instance of a rule.

    ``by`` says how; ``samples`` counts the cases of a test or an exhaustion; ``prover`` is a digest
    of the solver and of the formulas that it was given.
    """

    digest: str
    verdict: str
    by: str
    samples: int = 0
    prover: str = ""

    def __str__(self) -> str:
        return f"tested {self.samples:,}" if self.verdict == "tested" else self.verdict


def instance_name(rule: Rule, type_: ElementType) -> str:
    return f"{rule.name}@{type_}"


def sufficient(evidence: Evidence | None, mode: str, rule: Rule) -> bool:
    """Whether a compile in ``mode`` may use an instance with this evidence.

    Proofs and exhaustion always suffice. Enough tests suffice for rules that aren't exact, and in
    the first phase: without those rows a kernel has no instructions at all.
    """
    if evidence is None or evidence.verdict in ("refuted", "unknown", "no semantics"):
        return False
    if evidence.verdict != "tested":
        return True
    enough = evidence.samples >= LEAST_TESTS
    return enough and (mode != "exact" or rule.phase == "elementary")


@cache
def kept(file: Path = FILE) -> Mapping[str, Evidence]:
    """The evidence in a file, by instance; empty when there is no file."""
    if not file.exists():
        return {}
    return {name: Evidence(**row) for name, row in json.loads(file.read_text()).items()}


def current(rule: Rule, type_: ElementType) -> Evidence | None:
    """Evidence for an instance as it stands now; None when there is none, or it is out of date."""
    found = kept(evidence_file(rule)).get(instance_name(rule, type_))
    return found if found is not None and found.digest == digest(rule, type_) else None


def evidence_file(rule: Rule) -> Path:
    """Beside the rule's own file: ``my_rules.evidence.json`` for ``my_rules.py``."""
    place = (rule.where or "").rpartition(":")[0]
    if not place or place.startswith("rules/"):
        return FILE
    return Path(place).with_suffix(".evidence.json")


def write(file: Path, rows: Mapping[str, Evidence]) -> None:
    """Replace a file's evidence, one instance a line."""
    lines = [f"{json.dumps(name)}: {json.dumps(asdict(rows[name]))}" for name in sorted(rows)]
    temporary = file.with_name(f".{file.name}.part")
    temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    temporary.replace(file)
    kept.cache_clear()


# ------------------------------------------------------------------ digests


def digest(rule: Rule, type_: ElementType) -> str:
    """Changes when the instance or the meaning of an operation in it does."""
    shapes: dict[int, str] = {}
    names: set[str] = set()
    sides = [_pattern_digest(side, shapes, names) for side in (rule.left, rule.right)]
    meanings = [operation_digest(name) for name in sorted(names)]
    parts = (sides, rule.kind, str(type_), rule.when, rule.both, rule.error_ulps, meanings)
    return _short(repr(parts))


_WORD = re.compile(r"[A-Za-z_]\w*")


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _pattern_digest(pattern: Pattern, known: dict[int, str], names: set[str]) -> str:
    """Shared parts are digested once: polynomials share a lot."""
    if id(pattern) not in known:
        match pattern:
            case Variable(name):
                text = f"variable {name}"
            case Constant(value, type_):
                text = f"constant {value!r} {type_}"
            case Apply(operator, children, operand, type_, axis):
                names.add(operator.removeprefix("reduce."))
                parts = [_pattern_digest(child, known, names) for child in children]
                text = f"{operator} {operand} {type_} {axis} {parts}"
            case _:
                text = repr(pattern)
        known[id(pattern)] = _short(text)
    return known[id(pattern)]


@cache
def operation_digest(name: str) -> str:
    """Of the reference meaning of an operation: its row, and the source of what evaluates it."""
    row = OPERATIONS[name]
    seen: set[int] = set()
    source = _source(row.evaluate, seen)
    return _short(f"{name} {row.arity} {row.types} {row.domain} {source}")


def _source(value: Any, seen: set[int]) -> str:
    """The text of a function with that of everything of oxegg's that it uses."""
    if id(value) in seen:
        return ""
    seen.add(id(value))
    if isinstance(value, dict):
        pairs = cast(dict[object, object], value).items()
        return "\n".join(f"{key!r}: {_source(inner, seen)}" for key, inner in pairs)
    if isinstance(value, set | frozenset):  # in an order that doesn't change from run to run
        return repr(sorted(map(repr, cast(set[object], value))))
    if get_origin(value) is not None:  # a type alias means nothing here
        return ""
    if not inspect.isfunction(value):
        return getattr(value, "__name__", "") or repr(value)
    module = value.__module__ or ""
    if not module.startswith("oxegg"):
        return f"{module}.{value.__qualname__}"
    text = _text(value)
    cells = [cell.cell_contents for cell in value.__closure__ or ()]
    words = dict.fromkeys(_WORD.findall(text))  # bytecode's names differ between Pythons
    used = [value.__globals__[word] for word in words if word in value.__globals__]
    inner = [_source(v, seen) for v in (*cells, *used) if not inspect.ismodule(v)]
    return "\n".join([text, *inner])


def _text(function: Callable[..., Any]) -> str:
    lines = inspect.getsource(function).splitlines()
    return "\n".join(line.strip() for line in lines if line.strip())
