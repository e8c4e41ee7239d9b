"""The line of the user's kernel that is being traced."""

from __future__ import annotations

import inspect
import sys
import traceback
from types import TracebackType
from typing import Any

_OURS = ("oxegg", "numpy", "scipy", "ml_dtypes", "jaxtyping")


def is_users(namespace: dict[str, Any]) -> bool:
    """Whether a module's globals are the user's: neither oxegg's, NumPy's nor Python's."""
    package = str(namespace.get("__name__", "")).partition(".")[0]
    return package not in _OURS and package not in sys.stdlib_module_names


def user_line() -> str | None:
    """``file:line`` of the innermost frame that is neither oxegg nor NumPy."""
    frame = inspect.currentframe()
    while frame is not None:
        if is_users(frame.f_globals):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return None


def raised_by_user(trace: TracebackType | None) -> bool:
    """Whether the innermost frame of a traceback is the user's."""
    return [is_users(frame.f_globals) for frame, _ in traceback.walk_tb(trace)][-1:] == [True]


def raised_at(trace: TracebackType | None) -> str | None:
    """``file:line`` of the innermost frame of the user's in a traceback."""
    places = [
        f"{frame.f_code.co_filename}:{line}"
        for frame, line in traceback.walk_tb(trace)
        if is_users(frame.f_globals)
    ]
    return places[-1] if places else None
