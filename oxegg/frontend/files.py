"""Kernel files: plain Python files with NumPy functions."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from oxegg.errors import LoweringError, UsageError

Function = Callable[..., Any]
LISTED = 12


def load_kernels(path: str | Path) -> dict[str, Function]:
    """The kernels of a file by name: its own public functions with array annotations."""
    return _kernels(_load(Path(path)), path)


def _kernels(module: ModuleType, path: str | Path) -> dict[str, Function]:
    found = {
        name: thing
        for name, thing in vars(module).items()
        if inspect.isfunction(thing) and not name.startswith("_") and _is_kernel(thing, module)
    }
    if not found:
        raise LoweringError(
            "no kernel here",
            where=str(path),
            hint='a kernel is a function like f(x: Float32[np.ndarray, "n=64"])',
        )
    return found


def find_kernel(path: str | Path, kernel: str | None = None) -> Function:
    """One kernel of a file (``FILE:KERNEL`` is understood); the only one when unnamed."""
    text, _, named = str(path).partition(".py:")
    if named:
        path, kernel = f"{text}.py", named
    module = _load(Path(path))
    kernels = _kernels(module, path)
    if kernel is None and len(kernels) == 1:
        return next(iter(kernels.values()))
    if kernel in kernels:
        return kernels[kernel]
    listed = ", ".join(list(kernels)[:LISTED]) + (" ..." if len(kernels) > LISTED else "")
    if kernel is None:
        message = "which kernel?"
    elif hasattr(module, kernel):
        message = f"{kernel} is no kernel: none of its parameters has an array annotation"
    else:
        message = f"there is no kernel {kernel}"
    raise UsageError(message, where=str(path), hint=f"this file has {listed}: write FILE.py:NAME")


def _is_kernel(function: Function, module: ModuleType) -> bool:
    annotations = inspect.get_annotations(inspect.unwrap(function))
    arrays = any(_is_array(a) for n, a in annotations.items() if n != "return")
    return arrays and function.__module__ == module.__name__


def _is_array(annotation: Any) -> bool:
    return hasattr(annotation, "dim_str") or (isinstance(annotation, str) and "[" in annotation)


def _load(path: Path) -> ModuleType:
    """Run the file as a module that no installed package is called like."""
    if not path.is_file():
        raise UsageError("no such file", where=str(path))
    name = f"kernel_file_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError("not a Python file", where=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        last = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        line = last[-1].lineno if last else getattr(error, "lineno", None)
        where = f"{path}:{line}" if line else str(path)
        raise LoweringError(
            f"{type(error).__name__}: {error}", where=where, hint="the file must run under NumPy"
        ) from error
    return module
