"""How a program ends a run by itself."""


class Exited(Exception):
    """The program ended; ``code`` is its exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code
