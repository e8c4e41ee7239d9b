"""Everything oxegg refuses, as one small tree of exceptions.

Every error says what is wrong, where (``file:line`` when there is such a place) and what to do
about it; the command line prints it as ``where: error: message`` and ``hint: hint``.
"""


class OxeggError(Exception):
    """Root of every error that a user can cause.

    ``where`` is ``"file:line"`` (or a file, or ``None`` when nothing can be pointed at) and
    ``hint`` is one sentence that says what to do instead.
    """

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        hint = f"\n  hint: {self.hint}" if self.hint else ""
        return f"{place}error: {self.message}{hint}"


class UsageError(OxeggError):
    """The command line or an API call asks for something that does not exist."""


class LoweringError(OxeggError):
    """A kernel uses something that the front end or the back end can't express."""


class IRError(OxeggError):
    """A term is ill-formed: wrong axes, wrong element type, an index out of range."""


class RuleError(OxeggError):
    """A rewrite rule is malformed: an unbound name, a type clash, an unknown operation."""


class MachineError(OxeggError):
    """A machine file has a missing, unknown or impossible field."""


class ExtractionError(OxeggError):
    """An extraction problem has no solution or a malformed input."""


class EmitError(OxeggError):
    """A program can't be turned into machine code (registers, ranges, encodings)."""


class SimulationError(OxeggError):
    """The simulated machine stopped: memory fault, illegal or misaligned instruction."""


class VerificationError(OxeggError):
    """Emitted code computes something else than its source."""
