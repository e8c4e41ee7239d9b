"""Handlers of NumPy functions, one file a family."""

from importlib import import_module

_FAMILIES = ("counting", "joins", "products", "sampling", "selecting", "shapes", "statistics")


def register_all() -> None:
    """Import every family, so that its handlers are registered."""
    for family in _FAMILIES:
        import_module(f"oxegg.frontend.functions.{family}")
