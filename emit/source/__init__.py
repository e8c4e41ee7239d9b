"""Hand-written assembly: reading it, and putting better loops in its place."""

from oxegg.emit.source.schedule import (
    Scheduled,
    SourceFile,
    read_loops,
    schedule_source,
    text_of,
)

__all__ = ["Scheduled", "SourceFile", "read_loops", "schedule_source", "text_of"]
