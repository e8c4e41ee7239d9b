"""The line of the user's kernel that is being traced."""

from __future__ import annotations

import inspect
import traceback
from types import FrameType, TracebackType

_OURS = ("oxegg", "numpy", "scipy", "ml_dtypes", "jaxtyping", "contextlib", "functools")


def _is_users(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__", ""))
    return module.partition(".")[0] not in _OURS


def user_line() -> str | None:
    """``file:line`` of the innermost frame that is neither oxegg nor NumPy."""
    frame = inspect.currentframe()
    while frame is not None:
        if _is_users(frame):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return None


def raised_at(trace: TracebackType | None) -> str | None:
    """``file:line`` of the innermost frame of the user's in a traceback."""
    places = [
        f"{frame.f_code.co_filename}:{line}"
        for frame, line in traceback.walk_tb(trace)
        if _is_users(frame)
    ]
    return places[-1] if places else None
