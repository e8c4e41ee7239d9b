"""The table of all instructions, by assembly mnemonic."""

from collections.abc import Mapping
from types import MappingProxyType

from oxegg.isa import (
    bitmanip,
    oxm1,
    privileged,
    rv64a,
    rv64i,
    rv64m,
    scalar_float,
    v_config,
    v_float,
    v_integer,
    v_memory,
    v_permute,
    zicsr,
)
from oxegg.isa.record import Instruction

MODULES = (
    rv64i, rv64m, rv64a, bitmanip, zicsr, privileged, scalar_float,
    v_config, v_integer, v_float, v_permute, v_memory, oxm1,
)  # fmt: skip


def _table() -> Mapping[str, Instruction]:
    records = [record for module in MODULES for record in module.INSTRUCTIONS]
    table = {record.name: record for record in records}
    assert len(table) == len(records), "two records have the same name"
    return MappingProxyType(table)


TABLE: Mapping[str, Instruction] = _table()
