"""The vtype register: element width, register grouping, tail and mask policy."""

from dataclasses import dataclass
from fractions import Fraction

from oxegg.errors import OxeggError

LMULS: dict[Fraction, int] = {
    Fraction(1): 0, Fraction(2): 1, Fraction(4): 2, Fraction(8): 3,
    Fraction(1, 8): 5, Fraction(1, 4): 6, Fraction(1, 2): 7,
}  # fmt: skip
LMUL_OF_FIELD = {field: lmul for lmul, field in LMULS.items()}
SEWS = (8, 16, 32, 64)
MAX_SEW = 64


@dataclass(frozen=True)
class VType:
    """A legal vtype value; ``sew`` in bits, ``lmul`` in registers."""

    sew: int
    lmul: Fraction
    tail_agnostic: bool = True
    mask_agnostic: bool = True

    def encode(self) -> int:
        """The number in a vsetvli constant; raises ``OxeggError`` for an illegal combination."""
        if self.sew not in SEWS or self.lmul not in LMULS:
            raise OxeggError(f"no vtype has SEW {self.sew} and LMUL {self.lmul}")
        policy = self.tail_agnostic << 6 | self.mask_agnostic << 7
        return LMULS[self.lmul] | SEWS.index(self.sew) << 3 | policy

    def vlmax(self, vlen: int) -> int:
        """Elements of one register group on a machine with ``vlen`` bits."""
        return int(vlen * self.lmul) // self.sew

    def __str__(self) -> str:
        lmul = f"m{self.lmul}" if self.lmul >= 1 else f"mf{self.lmul.denominator}"
        tail = "ta" if self.tail_agnostic else "tu"
        mask = "ma" if self.mask_agnostic else "mu"
        return f"e{self.sew}, {lmul}, {tail}, {mask}"


def decode_vtype(value: int) -> VType | None:
    """The vtype of a register value, or None when it is reserved (the machine then sets vill).

    A fractional group must hold at least one element of SEW out of ELEN: LMUL >= SEW / 64.
    """
    lmul, sew = LMUL_OF_FIELD.get(value & 7), 8 << (value >> 3 & 7)
    if value >> 8 or lmul is None or sew > MAX_SEW or lmul < Fraction(sew, MAX_SEW):
        return None
    return VType(sew, lmul, bool(value >> 6 & 1), bool(value >> 7 & 1))
