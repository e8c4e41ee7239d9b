"""Faults that stop a run whatever the program does about traps."""


class StateFault(Exception):
    """An instruction that an engine refuses in its present state."""
