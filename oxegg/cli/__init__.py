"""The ``oxegg`` command: one small module per subcommand, one table of them in ``dispatch``."""

from oxegg.cli.dispatch import main

__all__ = ["main"]
