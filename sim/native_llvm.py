"""LLVM through llvmlite: IR text in, the address of a function out.

llvmlite is optional at run time: without it ``available`` is False and the lower tiers do all the
work, with the same results.
"""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

QUICK, GOOD = 0, 1
"""Levels of code generation: the first takes a third of the time of the second."""


@dataclass(frozen=True)
class Function:
    """A compiled function; ``owner`` keeps its code in memory."""

    address: int
    owner: Any


@cache
def available() -> bool:
    """Whether llvmlite is installed."""
    return find_spec("llvmlite") is not None


@cache
def _binding() -> Any:
    binding: Any = import_module("llvmlite.binding")
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding


def compile_function(text: str, name: str, level: int) -> Function:
    """Native code of the function ``name`` of a module in IR text."""
    binding = _binding()
    # An engine owns its target machine, so each needs a new one.
    machine = binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten(),
        opt=level,
        jit=True,
    )
    module = binding.parse_assembly(text)
    options = binding.PipelineTuningOptions(speed_level=1)
    builder = binding.create_pass_builder(machine, options)
    passes = binding.create_new_function_pass_manager()
    passes.add_sroa_pass()
    passes.add_simplify_cfg_pass()
    passes.run(module.get_function(name), builder)
    engine = binding.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return Function(engine.get_function_address(name), engine)
