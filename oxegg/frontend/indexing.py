"""Indexing: slices are affine views, index arrays are gathers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from oxegg.errors import LoweringError
from oxegg.frontend import dtypes
from oxegg.frontend.names import names
from oxegg.frontend.substitute import affine_of, rename, substitute
from oxegg.frontend.traced import Traced, value_of
from oxegg.frontend.value import Dimension, Value, broadcast, extent, flatten
from oxegg.ir import Affine, Axis, Term, const, gather, pointwise
from oxegg.ir.types import BOOL, I64

Key = Any  # int, slice, None or Value, one for each dimension


@dataclass(frozen=True, slots=True)
class Run:
    """A slice with known bounds."""

    start: int
    step: int
    length: int

    @staticmethod
    def of(key: slice, length: int) -> Run:
        positions = range(*key.indices(length))
        if not positions:
            raise LoweringError(f"slice {_shown(key)} of a dimension of length {length} is empty")
        return Run(positions.start, positions.step, len(positions))


@dataclass(frozen=True, slots=True)
class Window:
    """A slice whose start moves with the counters of open loops."""

    start: Affine
    length: int


def _shown(key: slice) -> str:
    parts = [key.start, key.stop] + ([key.step] if key.step is not None else [])
    return ":".join("" if p is None else str(p) for p in parts)


def index(value: Value, key: Any) -> Value:
    """``value[key]``."""
    keys = expanded(key, len(value.dims))
    value = _flattened_where_needed(value, keys)
    if any(isinstance(k, Value) for k in keys):
        return _advanced(value, keys)
    mapping: dict[Axis, Affine] = {}
    dims: list[Dimension] = []
    rest = iter(value.dims)
    used = set(value.axes)
    for k in keys:
        if k is None:
            dims.append(())
            continue
        walked, kept = _walk(next(rest), k, used)
        mapping |= walked
        dims += kept
    return _viewed(value, mapping, dims)


def _viewed(value: Value, mapping: dict[Axis, Affine], dims: Sequence[Dimension]) -> Value:
    term = substitute(value.term, {a.name: i for a, i in mapping.items()})
    return replace(value, term=term, dims=tuple(dims))


def expanded(key: Any, rank: int) -> list[Key]:
    """One entry per dimension (None adds one): Ellipsis written out, arrays as values."""
    keys = [_entry(k) for k in _as_tuple(key)]
    taken = sum(k is not None and k is not Ellipsis for k in keys)
    if taken > rank:
        raise LoweringError(f"too many indices: {taken} for an array of {rank} dimensions")
    full = [slice(None)] * (rank - taken)
    places = [i for i, k in enumerate(keys) if k is Ellipsis]
    if len(places) > 1:
        raise LoweringError("an index can have only one ellipsis")
    if not places:
        return keys + full
    return keys[: places[0]] + full + keys[places[0] + 1 :]


def _as_tuple(key: Any) -> tuple[Any, ...]:
    """Only tuples hold one index for each dimension: a list is an index array."""
    return cast("tuple[Any, ...]", key) if isinstance(key, tuple) else (key,)


def _entry(k: Any) -> Key:
    """An int, slice, None or Ellipsis as it is; anything else as a value."""
    if isinstance(k, slice):
        return _window(cast("Any", k)) or _bounded(cast("Any", k))
    if k is None or k is Ellipsis:
        return k
    if isinstance(k, int | np.integer) and not isinstance(k, bool):
        return int(cast("int", k))
    if isinstance(k, Traced) and k.known is not None:
        k = k.known
    if isinstance(k, list | np.ndarray):
        return _static_entry(np.asarray(cast("Any", k)))
    value = value_of(k)
    if value.type is BOOL:
        raise LoweringError(
            "indexing by a truth value picks a number of elements that depends on data",
            hint="use np.where(condition, x, other) and keep the shape",
        )
    if not value.type.is_integer:
        raise LoweringError(f"an array of {value.type.numpy} can't be an index")
    return value


def _static_entry(k: np.ndarray[Any, Any]) -> Key:
    if k.ndim == 0 and k.dtype.kind in "iu":
        return int(k)
    return value_of(np.flatnonzero(k) if k.dtype == np.bool_ and k.ndim == 1 else k)


def _window(k: Any) -> Window | None:
    """A slice such as ``[i * 4 : i * 4 + 4]`` in a loop over i."""
    if k.step is not None or not isinstance(k.start, Traced) or k.start.known is not None:
        return None
    start, stop = (affine_of(value_of(b).term) for b in (k.start, k.stop))
    if start is None or stop is None or start.terms != stop.terms:
        return None
    length = stop.offset - start.offset
    if length < 1:
        raise LoweringError(f"slice {start}:{stop} is empty")
    return Window(start, length)


def _bounded(k: Any) -> slice:
    return slice(_bound(k.start), _bound(k.stop), _bound(k.step))


def _bound(b: Any) -> int | None:
    if isinstance(b, Traced):
        if b.known is None:
            raise LoweringError(
                "a slice bound depends on data",
                hint="index with an array: x[start + np.arange(length)]",
            )
        b = b.known
    return None if b is None else int(b)


def _flattened_where_needed(value: Value, keys: Sequence[Key]) -> Value:
    """Merged dimensions become one axis where an index would cut through them."""
    position = 0
    for k in keys:
        if k is None:
            continue
        dim = value.dims[position]
        if len(dim) > 1 and (isinstance(k, Value | Window) or not _cuts_cleanly(dim, k)):
            value = flatten(value, position)
        position += 1
    return value


def _cuts_cleanly(dim: Dimension, k: int | slice) -> bool:
    return isinstance(k, int) or _merged_run(dim, Run.of(k, extent(dim))) is not None


def _merged_run(dim: Dimension, run: Run) -> dict[Axis, Run | int] | None:
    """A slice of a merged dimension as slices of its axes: whole, whole rows, or one column."""
    inner = extent(dim[1:])
    whole = {a: Run(0, 1, a.size) for a in dim}
    if run == Run(0, 1, extent(dim)):
        return {**whole}
    if run == Run(extent(dim) - 1, -1, extent(dim)):
        return {a: Run(a.size - 1, -1, a.size) for a in dim}
    if run.step == 1 and run.start % inner == 0 and run.length % inner == 0:
        return {**whole, dim[0]: Run(run.start // inner, 1, run.length // inner)}
    last = dim[-1]
    if run.step == last.size and run.start < last.size and run.length == extent(dim[:-1]):
        return {**whole, last: run.start}
    return None


def _walk(
    dim: Dimension, k: int | slice | Window, used: set[Axis]
) -> tuple[dict[Axis, Affine], list[Dimension]]:
    """How the axes of one dimension are walked under an index, and the dimension left."""
    length = extent(dim)
    if isinstance(k, Window):
        return _through(dim, k, used)
    if isinstance(k, int):
        if not -length <= k < length:
            raise LoweringError(
                f"index {k} is out of bounds for a dimension of length {length}",
                hint=f"indices run from {-length} to {length - 1}",
            )
        return _digits(dim, k % length), []
    run = Run.of(k, length)
    if not dim:
        return {}, [()]
    runs = {dim[0]: run} if len(dim) == 1 else _merged_run(dim, run)
    assert runs is not None
    walked = {a: Affine(r) if isinstance(r, int) else _run(a, r, used) for a, r in runs.items()}
    return walked, [tuple(b for a in dim for b in walked[a].axes)]


def _through(
    dim: Dimension, window: Window, used: set[Axis]
) -> tuple[dict[Axis, Affine], list[Dimension]]:
    """A window whose start moves with the counters of open loops."""
    low, high = window.start.range
    if low < 0 or high + window.length > extent(dim):
        raise LoweringError(
            f"a slice from {window.start} of length {window.length} leaves its dimension"
            f" of length {extent(dim)}"
        )
    if not dim:
        return {}, [()]
    if window.length == 1:
        return {dim[0]: window.start}, [()]
    fresh = names().derive(dim[0].name, window.length, used)
    used.add(fresh)
    index = Affine.of(window.start.offset, {**dict(window.start.terms), fresh: 1})
    return {dim[0]: index}, [(fresh,)]


def _digits(dim: Dimension, position: int) -> dict[Axis, Affine]:
    out: dict[Axis, Affine] = {}
    for axis in reversed(dim):
        out[axis] = Affine(position % axis.size)
        position //= axis.size
    return out


def _run(axis: Axis, run: Run, used: set[Axis]) -> Affine:
    if run.length == 1:
        return Affine(run.start)
    fresh = axis
    if run.length != axis.size:
        fresh = names().derive(axis.name, run.length, used)
        used.add(fresh)
    return Affine(run.start, ((fresh, run.step),))


def _advanced(value: Value, keys: Sequence[Key]) -> Value:
    """Index arrays: those that count evenly are views, the others gathers."""
    picks = [k for k in keys if isinstance(k, Value)]
    terms, picked = _separate(value, keys, picks)
    mapping: dict[Axis, Affine] = {}
    gathers: list[tuple[Axis, Term]] = []
    dims: list[Dimension] = []
    places: list[int] = []
    rest, wanted = iter(value.dims), iter(terms)
    used = set(value.axes) | {a for d in picked for a in d}
    for k in keys:
        if k is None:
            dims.append(())
            continue
        dim = next(rest)
        if isinstance(k, slice | Window):
            walked, kept = _walk(dim, cast("slice | Window", k), used)
            mapping |= walked
            dims += kept
            continue
        places.append(len(dims))
        dims.append((_MARK,))
        if isinstance(k, int):
            mapping |= _walk(dim, k, used)[0]
        elif dim:
            _pick(dim[0], next(wanted), mapping, gathers)
        else:
            next(wanted)
    viewed = _viewed(value, mapping, ())
    term = viewed.term
    for axis, position in gathers:
        term = gather(term, axis, position) if axis in term.axes else term
    return Value(term, tuple(_placed(dims, places, picked)))


_MARK = Axis("<index array>", 1)


def _placed(
    dims: list[Dimension], places: list[int], picked: Sequence[Dimension]
) -> list[Dimension]:
    """Dimensions of the index arrays go where they stood, or first if they stood apart."""
    together = places == list(range(places[0], places[0] + len(places)))
    front = places[0] if together else 0
    kept = [d for d in dims if d != (_MARK,)]
    return [*kept[:front], *picked, *kept[front:]]


def _separate(
    value: Value, keys: Sequence[Key], picks: Sequence[Value]
) -> tuple[list[Term], tuple[Dimension, ...]]:
    """The index arrays broadcast together, over axes that the indexed array does not keep."""
    terms, dims = broadcast(picks)
    owned = [k for k in keys if k is not None]
    kept = {
        a
        for dim, k in zip(value.dims, owned, strict=True)
        for a in dim
        if isinstance(k, slice | Window) or len(picks) > 1
    }
    used = kept | {a for d in dims for a in d}
    renames: dict[Axis, Axis] = {}
    for axis in [a for d in dims for a in d if a in kept]:
        renames[axis] = names().derive(axis.name, axis.size, used)
        used.add(renames[axis])
    moved = tuple(tuple(renames.get(a, a) for a in d) for d in dims)
    return [rename(t, renames) for t in terms], moved


def _pick(
    axis: Axis, position: Term, mapping: dict[Axis, Affine], gathers: list[tuple[Axis, Term]]
) -> None:
    affine = affine_of(position)
    if affine is not None:
        low, high = affine.range
        if high < 0:
            affine = Affine(affine.offset + axis.size, affine.terms)
            low, high = affine.range
        if low >= 0 and high < axis.size:
            mapping[axis] = affine
            return
    gathers.append((axis, wrapped(position, axis.size)))


def wrapped(position: Term, size: int) -> Term:
    """Negative positions count from the end."""
    if position.type.kind == "uint" or _never_negative(position):
        return position
    wide = position if position.type.bits >= 32 else dtypes.cast(position, I64)
    negative = pointwise("lt", wide, const(0, wide.type))
    return pointwise("select", negative, pointwise("add", wide, const(size, wide.type)), wide)


def _never_negative(term: Term) -> bool:
    if term.operator == "convert":
        source = term.children[0].type
        wider = source.kind == "uint" and source.bits < term.type.bits
        return wider or (source.is_integer and _never_negative(term.children[0]))
    if term.operator == "at":
        return _never_negative(term.children[0])
    return term.operator == "iota" or (term.operator == "const" and (term.constant or 0) >= 0)
