"""The tables of ``docs/machines.md``, from the machine files and the field annotations.

``python -m oxegg.costmodels.document docs/machines.md`` writes them between their markers.
"""

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from oxegg.costmodels.load import load_machine, machine_names
from oxegg.costmodels.machine import (
    L2,
    Dma,
    Dram,
    Interconnect,
    Machine,
    NearMemory,
    Scalar,
    Simt,
    Spm,
    Tensor,
    Vector,
)

ENGINES: Mapping[str, type[Any]] = {
    "scalar": Scalar,
    "vector": Vector,
    "spm": Spm,
    "dram": Dram,
    "tensor": Tensor,
    "simt": Simt,
    "l2": L2,
    "near_memory": NearMemory,
    "dma": Dma,
    "interconnect": Interconnect,
}

ROWS: Mapping[str, Callable[[Machine], str]] = {
    "cores, clock": lambda m: f"{m.cores} at {m.clock_ghz:g} GHz",
    "VLEN / DLEN x pipes": lambda m: f"{m.vlen} / {m.dlen} x {m.pipes}",
    "MLEN, B/cycle": lambda m: f"{m.mlen_bytes}",
    "tile rows R; TPB, B/cycle": lambda m: (
        f"{m.tensor.rows}; {m.tensor.port_bytes}" if m.tensor else "-"
    ),
    "int8 products per cycle": lambda m: f"{4 * m.tensor.rows**2}" if m.tensor else "-",
    "warps x threads": lambda m: f"{m.simt.warps} x {m.simt.threads}" if m.simt else "-",
    "scratchpad": lambda m: f"{m.spm_bytes // 1024} KiB, {m.spm_latency} cycles",
    "L2": lambda m: f"{m.l2.bytes // 1024} KiB, {m.l2.latency} cycles" if m.l2 else "-",
    "memory": lambda m: f"{m.dram.kind}, {m.dram.gigabytes_per_second:g} GB/s",
    "DRAM, B/cycle/core": lambda m: f"{m.dram_bytes_per_cycle:.1f}",
    "DRAM latency, cycles": lambda m: f"{m.dram_latency}",
    "near memory, sustained x DRAM": lambda m: (
        f"{m.near_memory.multiplier * m.near_memory.efficiency:.1f}" if m.near_memory else "-"
    ),
}


def machine_table() -> str:
    """One column per machine, as Markdown."""
    machines = [load_machine(name) for name in machine_names()]
    rows = [[label, *(show(machine) for machine in machines)] for label, show in ROWS.items()]
    return _markdown(["", *(f"**{machine.name}**" for machine in machines)], rows)


def field_table() -> str:
    """Every field of a machine file with its meaning and range, as Markdown."""
    plain = [member.name for member in fields(Machine) if member.name in ("clock_ghz", "cores")]
    rows = [_field_row(name, Machine, name) for name in ("name", "description", *plain)]
    for engine, kind in ENGINES.items():
        rows += [_field_row(f"{engine}.{m.name}", kind, m.name) for m in fields(kind)]
    return _markdown(["field", "meaning", "value"], rows)


def refresh(text: str) -> str:
    """The document with both tables brought up to date."""
    for name, table in {"machines": machine_table(), "fields": field_table()}.items():
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        pattern = re.escape(start) + r".*?" + re.escape(end)
        text = re.sub(pattern, f"{start}\n{table}\n{end}", text, flags=re.DOTALL)
    return text


def _field_row(label: str, kind: type[Any], name: str) -> list[str]:
    rule = get_args(get_type_hints(kind, include_extras=True)[name])[1]
    return [f"`{label}`", rule.meaning, str(rule)]


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    document = Path(sys.argv[1])
    document.write_text(refresh(document.read_text(encoding="utf-8")), encoding="utf-8")
