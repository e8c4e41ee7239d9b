"""The one door to z3, which comes without types. Importing it takes a quarter of a second."""

from importlib import import_module
from typing import Any

z3: Any = import_module("z3")
