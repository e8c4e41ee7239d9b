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
}  # fmt: skip


def tile_name(number: int) -> str:
    """Name of a tile operand: tr0-tr7, acc0-acc3 (encoded 16-19)."""
    return f"acc{number - 16}" if number >= 16 else f"tr{number}"
