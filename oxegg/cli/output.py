"""Everything the commands print or write: JSON, tables, progress, files by rename."""

import json
import math
import os
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from oxegg.errors import UsageError

# Commands that only write lines or JSON start without rich.
if TYPE_CHECKING:
    from rich.table import Table


def write_atomically(path: Path, text: str) -> None:
    """Write ``text`` so that ``path`` is always either the old file or the whole new one."""
    if path.is_dir():
        raise UsageError("a folder can't be the output", where=str(path), hint="name a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        # mkstemp makes files for the owner only; an output gets what open() would have given it.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def to_json(value: object) -> str:
    """JSON text without the NaN and Infinity that JSON does not have: those become null."""
    return json.dumps(_finite(value), indent=2, allow_nan=False) + "\n"


def put_json(value: object, target: str | None) -> bool:
    """Obey ``--json``: ``"-"`` prints, a file name writes, ``None`` does nothing.

    Returns whether standard output now holds the JSON, and so must hold nothing else.
    """
    if target == "-":
        sys.stdout.write(to_json(value))
    elif target is not None:
        write_atomically(Path(target), to_json(value))
    return target == "-"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> "Table":
    """A table whose number columns are right-aligned; ``None`` is shown as a dash."""
    from rich.table import Table

    rows = [tuple(row) for row in rows]
    shown = Table(box=None, header_style="bold", pad_edge=False, show_header=any(columns))
    for index, column in enumerate(columns):
        numeric = all(isinstance(row[index], int | float | None) for row in rows)
        shown.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        shown.add_row(*("-" if cell is None else str(cell) for cell in row))
    return shown


def show(*things: object) -> None:
    """Print to standard output; when that is piped, lines are whole, however long."""
    from rich.console import Console

    terminal = sys.stdout.isatty()
    console = Console(highlight=False) if terminal else Console(highlight=False, width=10_000)
    with console.capture() as captured:
        for thing in things:
            console.print(thing, markup=False, soft_wrap=isinstance(thing, str))
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


@contextmanager
def staged(directory: Path) -> Generator[Path]:
    """A new folder to write into; its files move to ``directory`` when the block ends well."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=f".{directory.name}.") as name:
        yield Path(name)
        directory.mkdir(exist_ok=True)
        for file in sorted(Path(name).iterdir()):
            file.replace(directory / file.name)


@contextmanager
def progress(what: str) -> Generator[Callable[[int, int, str], None]]:
    """A bar on standard error, shown only when that is a terminal.

    Yields ``tick(done, total, name)``, to be called whenever the thing called ``name`` is done.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    bar = Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )
    with bar:
        task = bar.add_task(what, total=None)

        def tick(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, total=total, description=name)

        yield tick


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        pairs = cast(Mapping[object, object], value)
        return {str(key): _finite(item) for key, item in pairs.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in cast(Sequence[object], value)]
    return value
