"""A machine as the text of a machine file."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from oxegg.costmodels.machine import Machine


def machine_text(machine: Machine) -> str:
    """TOML that :func:`oxegg.costmodels.load_machine` reads as an equal machine."""
    fields: dict[str, Any] = asdict(machine)
    timing = {
        row["name"]: {k: row[k] for k in ("occupancy", "latency", "chains", "one_pipe")}
        for row in fields.pop("timing")
    }
    tables: dict[str, dict[str, Any]] = {k: v for k, v in fields.items() if isinstance(v, dict)}
    lines = _entries({k: v for k, v in fields.items() if k not in tables})
    tables |= {f"timing.{json.dumps(name)}": row for name, row in timing.items()}
    for name, table in tables.items():
        lines += ["", f"[{name}]", *_entries(table)]
    return "\n".join(lines) + "\n"


def _entries(table: Mapping[str, object]) -> list[str]:
    """``key = value`` lines; JSON's numbers, strings and truth values are TOML's, too."""
    return [f"{key} = {json.dumps(value)}" for key, value in table.items() if value is not None]
