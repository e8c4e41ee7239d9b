"""The kernel suites: named (kernel, sizes) rows over the files of a folder of examples."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oxegg.errors import UsageError
from oxegg.frontend.files import find_kernel
from oxegg.frontend.lower import reference, trace
from oxegg.ir import Kernel

_EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SUITES = ("suite", "ai", "graphics")
"""Folders of examples with a table of rows."""


@dataclass(frozen=True, slots=True)
class SuiteRow:
    """One kernel at one size, such as ``saxpy_1024``."""

    name: str
    path: Path
    function: str
    sizes: Mapping[str, int]

    def load(self) -> Callable[..., Any]:
        """The NumPy function."""
        return find_kernel(self.path, self.function)

    def reference(self) -> Callable[..., Any]:
        """The NumPy function of the arrays alone, with the row's static parameters."""
        return reference(self.load(), self.sizes)

    def lower(self) -> Kernel:
        """The kernel, under the name of the row."""
        return trace(self.load(), self.sizes, self.name)


def load_suite(name: str = "suite") -> list[SuiteRow]:
    """All rows of a suite in the order of its file; ``name`` is one of ``SUITES``."""
    if name not in SUITES:
        raise UsageError(f"no suite {name!r}", hint=f"use one of {', '.join(SUITES)}")
    folder = _EXAMPLES / name
    table = folder / "suite.toml"
    if not table.is_file():
        raise UsageError(
            "the kernel suite is not here",
            where=str(table),
            hint="it is part of the source tree, not of the installed package",
        )
    functions: dict[str, dict[str, Any]] = tomllib.loads(table.read_text(encoding="utf-8"))
    return [
        SuiteRow(name, folder / entry["file"], function, sizes)
        for function, entry in functions.items()
        for name, sizes in entry["rows"].items()
    ]
