"""Names of registers and control registers, as assemblers write them."""

X_NAMES = (
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1",
    *(f"a{i}" for i in range(8)), *(f"s{i}" for i in range(2, 12)), *(f"t{i}" for i in range(3, 7)),
)  # fmt: skip
F_NAMES = (
    *(f"ft{i}" for i in range(8)), "fs0", "fs1", *(f"fa{i}" for i in range(8)),
    *(f"fs{i}" for i in range(2, 12)), *(f"ft{i}" for i in range(8, 12)),
)  # fmt: skip
ROUNDING_MODES = {0: "rne", 1: "rtz", 2: "rdn", 3: "rup", 4: "rmm", 7: "dyn"}
CSR_NUMBERS = {
    "fflags": 0x001, "frm": 0x002, "fcsr": 0x003,
    "vstart": 0x008, "vxsat": 0x009, "vxrm": 0x00A, "vcsr": 0x00F,
    "tm": 0x8C0, "tn": 0x8C1, "tk": 0x8C2,
    # SIMT mode, as Vortex numbers them.
    "thread_id": 0xCC0, "warp_id": 0xCC1, "core_id": 0xCC2, "active_warps": 0xCC3,
    "active_threads": 0xCC4, "num_threads": 0xFC0, "num_warps": 0xFC1, "num_cores": 0xFC2,
    "cycle": 0xC00, "time": 0xC01, "instret": 0xC02,
    "vl": 0xC20, "vtype": 0xC21, "vlenb": 0xC22,
    # Supervisor mode.
    "sstatus": 0x100, "sie": 0x104, "stvec": 0x105, "scounteren": 0x106, "senvcfg": 0x10A,
    "sscratch": 0x140, "sepc": 0x141, "scause": 0x142, "stval": 0x143, "sip": 0x144, "satp": 0x180,
    # Machine mode.
    "mstatus": 0x300, "misa": 0x301, "medeleg": 0x302, "mideleg": 0x303, "mie": 0x304,
    "mtvec": 0x305, "mcounteren": 0x306, "menvcfg": 0x30A, "mcountinhibit": 0x320,
    "mscratch": 0x340, "mepc": 0x341, "mcause": 0x342, "mtval": 0x343, "mip": 0x344,
    "pmpcfg0": 0x3A0, "pmpcfg2": 0x3A2, **{f"pmpaddr{i}": 0x3B0 + i for i in range(16)},
    "tselect": 0x7A0, "tdata1": 0x7A1, "tdata2": 0x7A2, "tdata3": 0x7A3,
    "mcycle": 0xB00, "minstret": 0xB02,
    **{f"mhpmcounter{i}": 0xB00 + i for i in range(3, 32)},
    **{f"mhpmevent{i}": 0x320 + i for i in range(3, 32)},
    "mvendorid": 0xF11, "marchid": 0xF12, "mimpid": 0xF13, "mhartid": 0xF14, "mconfigptr": 0xF15,
}  # fmt: skip


def tile_name(number: int) -> str:
    """Name of a tile operand: tr0-tr7, acc0-acc3 (encoded 16-19)."""
    return f"acc{number - 16}" if number >= 16 else f"tr{number}"
