"""A machine: one configuration of OXM-1 (or of a plain RVV core) as plain numbers.

Sizes are bytes or bits as the name says, times are core cycles unless the name ends in ``_ns``.
Chip-wide numbers (cores, DRAM bandwidth) are kept as a data sheet gives them; the properties of
``Machine`` turn them into cycles of *one core with its share*.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Annotated

from oxegg.costmodels.fields import Choice, Flag, Name, PowerOfTwo, Real, Text, Whole


@dataclass(frozen=True)
class Scalar:
    """The in-order RV64GC pipeline that also feeds every other engine."""

    issue_width: Annotated[int, Whole(1, 8, "instructions issued per cycle, in order")]
    load_ports: Annotated[int, Whole(1, 4, "scalar loads or stores per cycle")]
    branch_taken: Annotated[int, Whole(0, 64, "cycles until the target of a taken branch issues")]
    branch_mispredict: Annotated[int, Whole(0, 64, "cycles lost by a mispredicted branch")]


@dataclass(frozen=True)
class Vector:
    """The RVV 1.0 unit: a command queue before one arithmetic, one load and one store sequencer."""

    vlen: Annotated[int, PowerOfTwo(128, 65536, "bits of one vector register")]
    dlen: Annotated[int, PowerOfTwo(32, 65536, "datapath bits of one arithmetic pipe")]
    pipes: Annotated[int, PowerOfTwo(1, 8, "arithmetic pipes that share one instruction stream")]
    mlen_bytes: Annotated[
        int, PowerOfTwo(4, 8192, "bytes per cycle of the load and of the store port")
    ]
    queue_depth: Annotated[int, Whole(1, 256, "vector instructions waiting behind scalar issue")]
    vl_aware: Annotated[bool, Flag("time follows vl; false: the whole LMUL group always counts")]
    queue_cycles: Annotated[
        int, Whole(0, 16, "cycles through an empty queue; 0: vector instructions issue in place")
    ] = 1
    sequencer_gap: Annotated[
        int, Whole(0, 8, "idle cycles of a sequencer between two vector instructions")
    ] = 0
    one_memory_port: Annotated[bool, Flag("vector loads and stores share one sequencer")] = False
    float_sequencer: Annotated[
        bool, Flag("vector floats have a sequencer beside that of the integers")
    ] = False
    blocking_results: Annotated[
        bool, Flag("issue waits for a scalar result of the vector unit; false: who reads it does")
    ] = True
    pipes_take_turns: Annotated[
        bool, Flag("each instruction runs on one pipe; false: all pipes share every instruction")
    ] = False


@dataclass(frozen=True)
class Tensor:
    """The square tile unit: an ``rows x rows`` array of 4-byte dot products."""

    rows: Annotated[int, PowerOfTwo(4, 32, "R: rows of a tile; a tile row has 4R bytes")]
    port_bytes: Annotated[int, PowerOfTwo(4, 4096, "TPB: bytes per cycle of the tile port")]


@dataclass(frozen=True)
class Simt:
    """SIMT mode (Vortex): warps that run on the vector lanes."""

    warps: Annotated[int, PowerOfTwo(1, 64, "resident warps")]
    threads: Annotated[int, PowerOfTwo(1, 64, "threads of one warp")]


@dataclass(frozen=True)
class Spm:
    """The core's own scratchpad (on the RVV-only cores: its nearest memory)."""

    bytes: Annotated[int, Whole(1024, 2**30, "capacity")]
    latency: Annotated[int, Whole(1, 1000, "cycles from a vector load to its first element group")]
    banks: Annotated[
        int, PowerOfTwo(1, 256, "banks, interleaved by 8 bytes, in which a warp's accesses meet")
    ]


@dataclass(frozen=True)
class L2:
    """A cache that all cores of a compute chiplet share."""

    bytes: Annotated[int, Whole(1024, 2**34, "capacity")]
    latency: Annotated[int, Whole(1, 10000, "cycles of a load that hits")]


@dataclass(frozen=True)
class Dram:
    """Main memory of the whole chip."""

    kind: Annotated[str, Text("technology, for people")]
    gigabytes_per_second: Annotated[float, Real(0.01, 1e6, "bandwidth of all channels together")]
    latency_ns: Annotated[float, Real(1, 10000, "time of one access on an idle channel")]


@dataclass(frozen=True)
class NearMemory:
    """Compute units in the memory banks, all in lock step (HBM-PIM, AiM, or SRAM beside the core).

    Channels and units are those of the whole chip; times are of the memory, as in its data sheet.
    """

    kind: Annotated[str, Choice(("sram", "dram"), "an SRAM has no rows to open and no refresh")]
    channels: Annotated[int, PowerOfTwo(1, 4096, "channels of the chip")]
    units_per_channel: Annotated[int, PowerOfTwo(1, 64, "NMUs that work at once in a channel")]
    width_bytes: Annotated[int, PowerOfTwo(4, 64, "W: bytes of one bank access, one register")]
    row_bytes: Annotated[int, PowerOfTwo(64, 65536, "bytes of an open row of one bank")]
    mode_ns: Annotated[float, Real(0, 10000, "time to enter or to leave near-memory mode")]
    t_ccd_long_ns: Annotated[float, Real(0.01, 100, "between column accesses of all banks")]
    t_ccd_short_ns: Annotated[float, Real(0.01, 100, "between column accesses of different banks")]
    t_rcd_ns: Annotated[float, Real(0, 1000, "activate to column access")]
    t_rp_ns: Annotated[float, Real(0, 1000, "precharge")]
    t_rtp_ns: Annotated[float, Real(0, 1000, "last read to precharge")]
    t_wr_ns: Annotated[float, Real(0, 1000, "last write to precharge")]
    read_latency_ns: Annotated[float, Real(0, 1000, "RL")]
    write_latency_ns: Annotated[float, Real(0, 1000, "WL")]
    t_rfc_ns: Annotated[float, Real(0, 10000, "one refresh")]
    t_refi_ns: Annotated[float, Real(0, 1e6, "between refreshes; 0 without refresh")]
    bank_bytes: Annotated[int, PowerOfTwo(64, 2**30, "bytes of each bank that a core may use")] = (
        1 << 25
    )

    @property
    def multiplier(self) -> float:
        """Peak bandwidth over the bandwidth of the ordinary interface (beta)."""
        return self.units_per_channel * self.t_ccd_short_ns / self.t_ccd_long_ns

    @property
    def refresh_stretch(self) -> float:
        """Factor >= 1 by which refresh lengthens every operation."""
        return 1 / (1 - self.t_rfc_ns / self.t_refi_ns) if self.t_refi_ns else 1.0

    @property
    def efficiency(self) -> float:
        """Sustained over peak bandwidth: all-bank rows can't overlap activation, and refresh."""
        work = self.row_bytes / self.width_bytes * self.t_ccd_long_ns
        row = self.t_rcd_ns + work + self.t_rtp_ns + self.t_rp_ns
        return work / row / self.refresh_stretch


@dataclass(frozen=True)
class Dma:
    """The core's copy engine."""

    setup: Annotated[int, Whole(0, 10000, "cycles before the first request of a transfer")]
    burst_bytes: Annotated[int, PowerOfTwo(16, 4096, "bytes of one request")]
    outstanding: Annotated[int, Whole(1, 4096, "requests in flight")]
    port_bytes: Annotated[int, PowerOfTwo(1, 4096, "bytes per cycle into the scratchpad")]
    queues: Annotated[int, Whole(1, 64, "independent transfer queues")]


@dataclass(frozen=True)
class Interconnect:
    """Chiplets and the links between them."""

    compute_chiplets: Annotated[int, Whole(1, 64, "CCB")]
    memory_chiplets: Annotated[int, Whole(0, 64, "MCB")]
    io_chiplets: Annotated[int, Whole(0, 64, "ICB")]
    link_gigabytes_per_second: Annotated[float, Real(0, 1e6, "one edge, one direction; 0: no link")]
    link_latency_ns: Annotated[float, Real(0, 10000, "time of one crossing")]


@dataclass(frozen=True)
class Override:
    """What a machine file says otherwise about one timing class; see ``timing_classes.py``.

    ``name`` may also be a pattern of instruction names (``vmin*``), which goes before their class.
    ``None`` keeps the default; ``one_pipe`` may depend on quantities, as a formula;
    ``where`` is ``file:line`` of the table, for error messages.
    """

    name: str
    occupancy: str | None
    latency: str | None
    chains: bool | None
    one_pipe: bool | str | None
    where: str | None


@dataclass(frozen=True)
class Machine:
    """One configuration. Engines that the machine doesn't have are ``None``."""

    name: Annotated[str, Name("the name on the command line: the file's name without .toml")]
    description: Annotated[str, Text("one line for `oxegg machines list`")]
    clock_ghz: Annotated[float, Real(0.01, 10, "core clock")]
    cores: Annotated[int, Whole(1, 65536, "cores that share the DRAM bandwidth evenly")]
    scalar: Scalar
    vector: Vector
    spm: Spm
    dram: Dram
    tensor: Tensor | None = None
    simt: Simt | None = None
    l2: L2 | None = None
    near_memory: NearMemory | None = None
    dma: Dma | None = None
    interconnect: Interconnect | None = None
    timing: tuple[Override, ...] = ()

    # Machines are keys of the timing caches: the name is enough to hash and costs nothing.
    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def vlen(self) -> int:
        """Bits of a vector register."""
        return self.vector.vlen

    @property
    def dlen(self) -> int:
        """Datapath bits of one arithmetic pipe."""
        return self.vector.dlen

    @property
    def pipes(self) -> int:
        """Vector arithmetic pipes."""
        return self.vector.pipes

    @property
    def mlen_bytes(self) -> int:
        """Bytes per cycle of the vector load port, and of the store port."""
        return self.vector.mlen_bytes

    @property
    def vector_queue_depth(self) -> int:
        """Vector instructions that may wait behind scalar issue."""
        return self.vector.queue_depth

    @property
    def issue_width(self) -> int:
        """Instructions issued per cycle."""
        return self.scalar.issue_width

    @property
    def dispatch_width(self) -> int:
        """Instructions per cycle for the vector unit and the other engines: a queue lets one go."""
        return 1 if self.vector.queue_cycles else self.issue_width

    @property
    def spm_bytes(self) -> int:
        """Capacity of the scratchpad."""
        return self.spm.bytes

    @property
    def spm_latency(self) -> int:
        """Cycles from a vector load to its first element group."""
        return self.spm.latency

    @property
    def l2_latency(self) -> int:
        """Cycles of a load that hits in L2; 0 when the machine has no L2."""
        return self.l2.latency if self.l2 else 0

    @property
    def dram_latency(self) -> int:
        """Cycles of one DRAM access."""
        return self.cycles(self.dram.latency_ns)

    @property
    def dram_bytes_per_cycle(self) -> float:
        """This core's share of the DRAM bandwidth."""
        return self.dram.gigabytes_per_second / self.cores / self.clock_ghz

    @property
    def near_memory_bytes_per_cycle(self) -> float:
        """This core's share of the near-memory peak bandwidth; 0 without near-memory units."""
        memory = self.near_memory
        if memory is None:
            return 0.0
        units = memory.channels * memory.units_per_channel
        return units * memory.width_bytes / memory.t_ccd_long_ns / self.cores / self.clock_ghz

    @property
    def near_memory_channels(self) -> int:
        """Channels that this core can address: its own, or one that it shares with other cores."""
        return max(1, self.near_memory.channels // self.cores) if self.near_memory else 0

    @property
    def has_tensor(self) -> bool:
        return self.tensor is not None

    @property
    def has_simt(self) -> bool:
        return self.simt is not None

    @property
    def has_near_memory(self) -> bool:
        return self.near_memory is not None

    @property
    def has_dma(self) -> bool:
        return self.dma is not None

    @property
    def engines(self) -> frozenset[str]:
        """Names of the engines that can execute instructions here."""
        optional = {
            "tensor": self.tensor,
            "simt": self.simt,
            "near_memory": self.near_memory,
            "dma": self.dma,
        }
        present = {name for name, engine in optional.items() if engine is not None}
        return frozenset(present | {"scalar", "vector"})

    def cycles(self, nanoseconds: float) -> int:
        """Core cycles that cover a time in ns."""
        # The product of two decimal numbers may lie a rounding error above a whole number.
        return ceil(round(nanoseconds * self.clock_ghz, 6))

    def lanes(self, sew: int) -> int:
        """Elements of ``sew`` bits that the arithmetic pipes take per cycle (1 at least)."""
        return max(1, self.dlen * self.pipes // sew)

    def vlmax(self, sew: int, lmul: Fraction | int = 1) -> int:
        """Elements of a register group: VLEN * LMUL / SEW, rounded down."""
        return int(self.vlen * lmul) // sew
