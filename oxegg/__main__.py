"""``python -m oxegg`` is the ``oxegg`` command."""

import sys

from oxegg.cli import main

if __name__ == "__main__":
    sys.exit(main())
