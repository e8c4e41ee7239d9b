"""Machine files: TOML in, a checked ``Machine`` out, every mistake with its file and line."""

import fnmatch
import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from types import NoneType
from typing import Any, cast, get_args, get_type_hints

from oxegg.costmodels.fields import Rule
from oxegg.costmodels.formulas import compile_formula
from oxegg.costmodels.machine import Machine, Override
from oxegg.costmodels.timing_classes import CLASSES, QUANTITIES
from oxegg.errors import MachineError
from oxegg.isa import TABLE

Key = tuple[str, ...]

_HEADER = re.compile(r"\s*\[((?:\"[^\"]*\"|[\w.\- ])+)\]\s*(#.*)?$")
_PART = re.compile(r"\"([^\"]*)\"|([\w\-]+)")
_ENTRY = re.compile(r"\s*([\w.\-\"]+)\s*=")


@dataclass(frozen=True)
class _Source:
    """A parsed file and where each of its tables and keys stands."""

    table: Mapping[str, Any]
    places: Mapping[Key, str]
    file: str

    def where(self, key: Key) -> str:
        """``file:line`` of a key, of its table when the key is absent, or the file alone."""
        for length in range(len(key), 0, -1):
            if key[:length] in self.places:
                return self.places[key[:length]]
        return f"{self.file}:1"


def machine_names() -> tuple[str, ...]:
    """Names of the machines that come with oxegg, sorted."""
    folder = files("oxegg.costmodels") / "machines"
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def load_machine(name_or_path: str | Path) -> Machine:
    """The machine of that name, or of a file of your own (``.toml`` or any path with a ``/``).

    Raises ``MachineError`` with ``file:line`` for a field that is missing, unknown or impossible.
    """
    return _load(*_read(str(name_or_path)))


def machine_with(name_or_path: str | Path, changes: Mapping[str, Any]) -> Machine:
    """That machine with some fields changed: ``{"vector": {"vlen": 1024}}``.

    Raises ``MachineError`` for a field that is unknown or impossible.
    """
    source = _with_base(_parse(*_read(str(name_or_path))))
    return _machine(_Source(_overlay(source.table, changes), source.places, source.file))


def machine_file(name_or_path: str | Path) -> str:
    """The text of a machine's file."""
    return _read(str(name_or_path))[0]


@lru_cache(maxsize=64)
def _load(text: str, file: str) -> Machine:
    return _machine(_with_base(_parse(text, file)))


def _read(name_or_path: str) -> tuple[str, str]:
    """Text and printable name of a machine file."""
    if name_or_path.endswith(".toml") or "/" in name_or_path:
        path = Path(name_or_path)
        try:
            return path.read_text(encoding="utf-8"), str(path)
        except (OSError, UnicodeDecodeError) as error:
            raise MachineError(f"can't read the machine file: {error}", where=str(path)) from error
    names = machine_names()
    if name_or_path not in names:
        raise MachineError(
            f'there is no machine "{name_or_path}"',
            hint=_suggestion(name_or_path, names) + "; or give the path of a .toml file",
        )
    file = files("oxegg.costmodels") / "machines" / f"{name_or_path}.toml"
    return file.read_text(encoding="utf-8"), f"{name_or_path}.toml"


def _parse(text: str, file: str) -> _Source:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        last = len(text.splitlines()) or 1
        where = f"{file}:{line[1] if line else last}"
        raise MachineError(f"not a TOML file: {error}", where=where) from error
    return _Source(table, _places(text, file), file)


def _places(text: str, file: str) -> dict[Key, str]:
    """``file:line`` of every table header and every ``key =`` of a TOML text."""
    places: dict[Key, str] = {}
    table: Key = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _key(header[1])
            places.setdefault(table, f"{file}:{number}")
        elif entry := _ENTRY.match(line):
            places.setdefault((*table, *_key(entry[1])), f"{file}:{number}")
    return places


def _key(dotted: str) -> Key:
    return tuple(quoted or bare for quoted, bare in _PART.findall(dotted))


def _with_base(source: _Source) -> _Source:
    """The source laid over the machine that its ``base`` names; bases don't chain."""
    if "base" not in source.table:
        return source
    name = source.table["base"]
    where = source.where(("base",))
    if not isinstance(name, str) or name not in machine_names():
        raise MachineError(
            f"base = {name!r} is not a machine that comes with oxegg",
            where=where,
            hint=_suggestion(str(name), machine_names()),
        )
    base = _parse(*_read(name))
    if "base" in base.table:
        raise MachineError(
            f'"{name}" has a base itself', where=where, hint=f'use base = "{base.table["base"]}"'
        )
    own = {key: value for key, value in source.table.items() if key != "base"}
    return _Source(_overlay(base.table, own), {**base.places, **source.places}, source.file)


def _overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``above`` over ``below``, table by table; ``false`` for a table removes the engine."""
    merged = dict(below)
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _overlay(merged[key], cast(dict[str, Any], value))
        elif value is False and isinstance(merged.get(key), dict):
            del merged[key]
        else:
            merged[key] = value
    return merged


def _machine(source: _Source) -> Machine:
    table = dict(source.table)
    overrides = _overrides(source, table.pop("timing", {}))
    machine = cast(Machine, _record(Machine, table, (), source, timing=overrides))
    _check(machine, source)
    return machine


def _record(
    kind: type[Any], table: Mapping[str, Any], at: Key, source: _Source, **given: object
) -> object:
    """An instance of the dataclass ``kind`` from a TOML table; ``given`` fields are set already."""
    hints = get_type_hints(kind, include_extras=True)
    members = {member.name: member for member in fields(kind) if member.name not in given}
    _refuse_unknown(table, tuple(members), at, source)
    values = dict(given)
    for name, member in members.items():
        if name in table:
            values[name] = _value(hints[name], table[name], (*at, name), source)
        elif member.default is MISSING:
            raise MachineError(
                f"{_label((*at, name))} is missing",
                where=source.where((*at, name)),
                hint=_expectation(hints[name], name),
            )
    return kind(**values)


def _refuse_unknown(
    table: Mapping[str, Any], known: tuple[str, ...], at: Key, source: _Source
) -> None:
    for name in table:
        if name not in known:
            raise MachineError(
                f"{_label((*at, name))} is not a field of a machine",
                where=source.where((*at, name)),
                hint=_suggestion(name, known),
            )


def _value(hint: Any, value: object, at: Key, source: _Source) -> object:
    engine = _engine(hint)
    if engine is not None:
        if not isinstance(value, dict):
            raise MachineError(
                f"{_label(at)} = {value!r} must be a table",
                where=source.where(at),
                hint=f"write [{_label(at)}] and its fields below it",
            )
        return _record(engine, cast(dict[str, Any], value), at, source)
    plain, rule = get_args(hint)
    if not cast(Rule, rule).allows(value):
        raise MachineError(
            f"{_label(at)} = {value!r} is impossible",
            where=source.where(at),
            hint=f"it must be {rule} ({rule.meaning})",
        )
    return plain(value)


def _engine(hint: Any) -> type[Any] | None:
    """The dataclass of an engine's field, optional or not; ``None`` for a plain value."""
    options = [kind for kind in (get_args(hint) or (hint,)) if kind is not NoneType]
    return cast(type[Any], options[0]) if is_dataclass(options[0]) else None


def _expectation(hint: Any, name: str) -> str:
    engine = _engine(hint)
    if engine is not None:
        return f"write [{name}] with {', '.join(member.name for member in fields(engine))}"
    rule = get_args(hint)[1]
    return f"{rule.meaning}: {rule}"


def _overrides(source: _Source, table: object) -> tuple[Override, ...]:
    """The ``[timing.CLASS]`` tables; their formulas are compiled where they are first used."""
    if not isinstance(table, dict):
        raise MachineError(
            "timing must hold tables",
            where=source.where(("timing",)),
            hint='write [timing.mul] and latency = "4" below it',
        )
    return tuple(
        _override(name, value, source) for name, value in cast(dict[str, Any], table).items()
    )


def _override(name: str, table: object, source: _Source) -> Override:
    at = ("timing", name)
    known: dict[str, tuple[type, ...]] = {
        "occupancy": (str,),
        "latency": (str,),
        "chains": (bool,),
        "one_pipe": (bool, str),
    }
    engines = _engines_of(name)
    if not engines:
        raise MachineError(
            f"{_label(at)}: there is no such timing class, and no instruction of that name",
            where=source.where(at),
            hint=_suggestion(name, tuple(CLASSES)),
        )
    if not isinstance(table, dict):
        raise MachineError(
            f"{_label(at)} = {table!r} must be a table",
            where=source.where(at),
            hint=f"write [{_label(at)}] and formulas below it",
        )
    entries = cast(dict[str, object], table)
    _refuse_unknown(entries, tuple(known), at, source)
    for key, value in entries.items():
        if not isinstance(value, known[key]):
            raise MachineError(
                f"{_label((*at, key))} = {value!r} has the wrong type",
                where=source.where((*at, key)),
                hint="true or false" if bool in known[key] else 'a formula such as "beats + 3"',
            )
        if isinstance(value, str):
            for engine in engines:
                _check_formula(value, engine, (*at, key), source)
    return Override(
        name, where=source.where(at), **{key: cast(Any, entries.get(key)) for key in known}
    )


def _engines_of(name: str) -> frozenset[str]:
    """The engines of a timing class, or of the instructions that a pattern names."""
    classes = {name} if name in CLASSES else {TABLE[i].timing for i in fnmatch.filter(TABLE, name)}
    return frozenset(CLASSES[timing].engine for timing in classes)


def _check_formula(formula: str, engine: str, at: Key, source: _Source) -> None:
    known = QUANTITIES[engine] | QUANTITIES["machine"]
    try:
        names = compile_formula(formula)[1]
    except ValueError as error:
        raise MachineError(f"{_label(at)}: {error}", where=source.where(at)) from error
    for name in sorted(names - known):
        raise MachineError(
            f"{_label(at)}: there is no quantity {name!r}",
            where=source.where(at),
            hint=_suggestion(name, tuple(sorted(known))),
        )


def _check(machine: Machine, source: _Source) -> None:
    """Conditions between fields; an error points at a field of the user's own file if it can."""
    vector, tensor, memory = machine.vector, machine.tensor, machine.near_memory
    conditions = (
        (
            vector.dlen <= vector.vlen,
            (("vector", "dlen"), ("vector", "vlen")),
            f"vector.dlen = {vector.dlen} exceeds vector.vlen = {vector.vlen}",
            "a datapath is at most as wide as a register",
        ),
        (
            tensor is None or 32 * tensor.rows <= 8 * vector.vlen,
            (("tensor", "rows"), ("vector", "vlen")),
            "a tile row (4 * tensor.rows bytes) doesn't fit into 8 vector registers",
            "fewer tensor.rows or a larger vector.vlen",
        ),
        (
            machine.l2 is None or machine.l2.latency >= machine.spm.latency,
            (("l2", "latency"), ("spm", "latency")),
            "l2.latency is less than spm.latency",
            "the scratchpad is the nearest memory",
        ),
        (
            memory is None or memory.t_refi_ns == 0 or memory.t_rfc_ns < memory.t_refi_ns,
            (("near_memory", "t_rfc_ns"), ("near_memory", "t_refi_ns")),
            "near_memory.t_rfc_ns leaves no time between refreshes",
            "t_rfc_ns must be less than t_refi_ns",
        ),
    )
    for holds, keys, message, hint in conditions:
        if not holds:
            places = [source.where(key) for key in keys]
            own = [place for place in places if place.startswith(f"{source.file}:")]
            raise MachineError(message, where=(own or places)[0], hint=hint)


def _label(key: Key) -> str:
    return ".".join(key)


def _suggestion(word: str, known: tuple[str, ...]) -> str:
    close = get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
