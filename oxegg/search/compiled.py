"""A compiled kernel: callable like the NumPy function, with its report and its files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from oxegg.certificate.folder import MACHINE_FILE, render, sha256
from oxegg.certificate.folder import NAME as CERTIFICATE
from oxegg.emit.executable import (
    BankedBuffer,
    FloatScalar,
    InputBuffer,
    IntegerScalar,
    OutputBuffer,
    ScratchBuffer,
    exactly,
    executable,
    within,
)
from oxegg.emit.header import Parameter, header
from oxegg.emit.lowering.program import scratch_layout
from oxegg.emit.object_file import object_file
from oxegg.emit.physical import Buffer
from oxegg.errors import UsageError
from oxegg.ir.evaluate import to_layout
from oxegg.ir.term import Kernel, Term
from oxegg.ir.types import BOOL, U8, value_to_bits
from oxegg.report import render_html
from oxegg.search.certify import certificate
from oxegg.search.driver import Search, timing_inputs
from oxegg.sim.memory import NEAR_MEMORY_BASE, SPM_BASE
from oxegg.verify import analyse

Array = npt.NDArray[Any]


@dataclass
class CompiledKernel:
    """The result of :func:`oxegg.compile`. Calling it runs the machine code on the simulator."""

    search: Search
    report: dict[str, Any]
    proof: Mapping[str, Any]  # the chain of rules, see oxegg.search.certify
    source: Mapping[str, Any]  # where the kernel stands: file and SHA-256, as far as known
    machine_text: str  # the machine's file

    @property
    def kernel(self) -> Kernel:
        return self.search.kernel

    def __call__(self, *arrays: npt.ArrayLike) -> Any:
        """Run on the simulator; arguments and results as those of the NumPy function."""
        inputs = [
            _converted(term, value) for term, value in zip(self.kernel.inputs, arrays, strict=True)
        ]
        results = self.search.best.runner(inputs)
        return results[0] if len(results) == 1 else tuple(results)

    @property
    def assembly(self) -> str:
        return self.search.best.code.assembly

    @cached_property
    def object_bytes(self) -> bytes:
        code = self.search.best.code
        return object_file(
            self.kernel.name, code.code, code.statistics.instructions, code.extensions
        )

    @cached_property
    def header_text(self) -> str:
        program = self.search.best.runner.program
        parameters = [_parameter(term) for term in self.kernel.inputs]
        for output in self.kernel.outputs:
            shape = tuple(a.size for a in output.layout)
            dtype = output.value.type.numpy.name
            parameters.append(Parameter(output.name, dtype, shape or (1,), "output"))
        scratch = scratch_layout(program)[1] if program.scratch else 0
        layouts = self.search.best.runner.layouts
        banked = {name.removeprefix("output "): at for name, at in layouts.items()}
        return header(self.kernel.name, parameters, scratch, banked)

    @cached_property
    def elf_bytes(self) -> bytes:
        """Runs the kernel once on the timing inputs; exits 0 when results are within bounds."""
        runner, kernel = self.search.best.runner, self.kernel
        inputs = timing_inputs(kernel)
        arguments: list[Any] = []
        for item, term, value in zip(runner.program.inputs, kernel.inputs, inputs, strict=True):
            arguments.append(
                InputBuffer(_stored(value).tobytes())
                if isinstance(item, Buffer)
                else _scalar(term, value)
            )
        arguments += self._expected(inputs)
        arguments = self._in_banks(arguments)
        if runner.program.scratch:
            address = SPM_BASE if runner.program.transfers else None
            arguments.append(ScratchBuffer(scratch_layout(runner.program)[1], address))
        return executable(self.search.best.code.code, arguments)

    def _in_banks(self, arguments: Sequence[Any]) -> list[Any]:
        """The arguments, those that lie in near-memory banks carried there."""
        runner = self.search.best.runner
        program = runner.program
        placed = list(arguments)
        for number, item in enumerate((*program.inputs, *program.outputs)):
            layout = runner.layouts.get(item.name) if isinstance(item, Buffer) else None
            if layout is not None:
                address = NEAR_MEMORY_BASE + layout.offset
                placed[number] = BankedBuffer(placed[number], address, layout)
        return placed

    def _expected(self, inputs: Sequence[Array]) -> list[OutputBuffer]:
        named = {t.attributes[0]: v for t, v in zip(self.kernel.inputs, inputs, strict=True)}
        results = self.search.best.runner(list(inputs))
        if self.report["mode"] == "exact":
            return [exactly(_stored(r)) for r in results]
        bounds = analyse([o.value for o in self.kernel.outputs], named)
        expected: list[OutputBuffer] = []
        for output, result, bound in zip(self.kernel.outputs, results, bounds, strict=True):
            if not output.value.type.is_float:
                expected.append(exactly(_stored(result).reshape(-1)))
                continue
            error = to_layout(bound.error, output.value.axes, output.layout)
            error = np.where(np.isfinite(error), error, 0.0).reshape(-1)
            expected.append(within(result.reshape(-1), 2 * error))
        return expected

    def write(self, directory: Path) -> None:
        """Write the object, header, assembly, program, reports and certificate."""
        directory.mkdir(parents=True, exist_ok=True)
        name = self.kernel.name
        files: Mapping[str, bytes] = {
            f"{name}.s": self.assembly.encode(),
            f"{name}.o": self.object_bytes,
            f"{name}.h": self.header_text.encode(),
            f"{name}.elf": self.elf_bytes,
            "report.json": json.dumps(self.report, indent=1).encode(),
            "report.html": render_html({**self.report, "assembly": self.assembly}).encode(),
            MACHINE_FILE: self.machine_text.encode(),
        }
        hashes = {file: sha256(content) for file, content in files.items()}
        sealed = render({**self.certificate, "files": hashes})
        for file, content in {**files, CERTIFICATE: sealed}.items():
            temporary = directory / f".{file}.part"
            temporary.write_bytes(content)
            temporary.replace(directory / file)

    @property
    def certificate(self) -> dict[str, Any]:
        """What was proved or checked about this code, and how (without hashes of files)."""
        return certificate(self.search, self.report, self.proof, self.source)


def _converted(term: Term, value: npt.ArrayLike) -> Array:
    array = np.asarray(value)
    layout = tuple(a.size for a in term.attributes[1])
    if array.shape != layout:
        raise UsageError(
            f"argument {term.attributes[0]} has shape {array.shape}, the kernel expects {layout}"
        )
    return array.astype(term.type.numpy)


def _stored(value: Array) -> Array:
    return value.astype(np.uint8) if value.dtype == np.bool_ else np.ascontiguousarray(value)


def _parameter(term: Term) -> Parameter:
    shape = tuple(a.size for a in term.attributes[1])
    role = "input" if shape else "scalar"
    return Parameter(term.attributes[0], term.type.numpy.name, shape, role)


def _scalar(term: Term, value: Array) -> IntegerScalar | FloatScalar:
    type_ = U8 if term.type is BOOL else term.type
    if type_.is_float:
        return FloatScalar(value_to_bits(float(value), type_), type_.bytes)
    number = int(value)
    if type_.name == "u32" and number >> 31:
        number -= 1 << 32  # the ABI sign-extends 32-bit arguments
    return IntegerScalar(number)
