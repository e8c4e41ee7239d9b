"""Virtual memory beyond what ``bare_metal/paging.s`` shows: accesses in pieces, refusals."""

from pathlib import Path

import pytest

from oxegg.costmodels import load_machine
from oxegg.errors import SimulationError
from oxegg.sim import run_elf
from oxegg.sim.faults import Cause, MemoryFault
from oxegg.sim.memory import Memory
from oxegg.sim.paging import (
    ACCESSED,
    DIRTY,
    EXECUTE,
    PAGE,
    READ,
    USER_PAGE,
    VALID,
    WRITE,
    Space,
    VirtualMemory,
)
from tests.sim.toolchain import assemble_program, needs_clang

ROOT, MIDDLE, LEAVES, FIRST = range(16, 20)
FAR = 40
"""Number of the page behind ``FIRST`` in virtual memory."""
DATA = VALID | READ | WRITE | USER_PAGE | ACCESSED | DIRTY


class User:
    """A hart in user mode."""

    def data_space(self) -> Space:
        return Space(ROOT, user=True, user_pages=False, execute_reads=False)


@pytest.fixture
def memory() -> Memory:
    """Three levels of tables, and virtual pages 1 and 2 at the pages ``FIRST`` and ``FAR``."""
    found = Memory(1 << 20, misaligned=True)
    found.map(ROOT * PAGE, 64 * PAGE, "dram", "memory")
    entries = {
        ROOT * PAGE: MIDDLE << 10 | VALID,
        MIDDLE * PAGE: LEAVES << 10 | VALID,
        LEAVES * PAGE + 8: FIRST << 10 | DATA,
        LEAVES * PAGE + 16: FAR << 10 | DATA,
    }
    for place, entry in entries.items():
        found.write(place, entry.to_bytes(8, "little"))
    return found


def test_an_access_across_pages_has_two_pieces(memory: Memory):
    virtual = VirtualMemory(memory, User())
    address = 2 * PAGE - 3
    assert virtual.check(address, 8, 1, write=True) == 2
    virtual.store_bytes(address, 8, 0x8877665544332211)
    assert memory.read((FIRST + 1) * PAGE - 3, 3) == bytes.fromhex("112233")
    assert memory.read(FAR * PAGE, 5) == bytes.fromhex("4455667788")
    assert virtual.load_bytes(address, 8) == 0x8877665544332211


def test_the_second_piece_faults_with_its_own_address(memory: Memory):
    virtual = VirtualMemory(memory, User())
    with pytest.raises(MemoryFault) as caught:
        virtual.check(3 * PAGE - 1, 4, 1, write=False)
    assert (caught.value.cause, caught.value.value) == (Cause.LOAD_PAGE, 3 * PAGE)


def test_a_page_table_outside_memory_is_an_access_fault(memory: Memory):
    entry = (1 << 44) - 1 << 10 | VALID
    memory.write(ROOT * PAGE + 8, entry.to_bytes(8, "little"))
    with pytest.raises(MemoryFault) as caught:
        User().data_space().physical(memory, 1 << 30, "store")
    assert caught.value.cause == Cause.STORE_ACCESS


def test_a_page_for_execution_is_read_only_by_leave(memory: Memory):
    entry = FIRST << 10 | VALID | EXECUTE | USER_PAGE | ACCESSED
    memory.write(LEAVES * PAGE + 8, entry.to_bytes(8, "little"))
    for leave in (False, True):
        space = Space(ROOT, user=True, user_pages=False, execute_reads=leave)
        assert space.physical(memory, PAGE + 4, "fetch") == FIRST * PAGE + 4
        if leave:
            assert space.physical(memory, PAGE + 4, "load") == FIRST * PAGE + 4
        else:
            with pytest.raises(MemoryFault, match="page fault: load"):
                space.physical(memory, PAGE + 4, "load")


@needs_clang
def test_tile_accesses_to_virtual_memory_are_reported(tmp_path: Path):
    source = tmp_path / "program.s"
    source.write_text("""
        .include "environment.inc"
        PROGRAM 3
        vsetivli zero, 4, e8, m1, ta, ma
        la a0, root
        srli a1, a0, 12
        li a2, 8 << 60
        or a1, a1, a2
        csrw satp, a1
        li a1, 1 << 17
        csrs mstatus, a1
        .insn r 0x2b, 1, 0, x0, a0, x0          # ox.tld.a tr0, (a0), x0
        END
        .data
        .balign 4096
root:   .zero 4096
""")
    program = assemble_program(source, tmp_path / "program.elf")
    with pytest.raises(SimulationError, match=r"ox.tld.a.*engines have no virtual memory"):
        run_elf(program, load_machine("ox-edge"))
