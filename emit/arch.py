"""The architecture string (RISC-V ELF psABI, Tag_RISCV_arch) of a piece of code."""

from collections.abc import Iterable, Mapping

# Version of each extension, in canonical order. LP64D itself needs F, D and Zicsr; the custom
# extensions have no name that linkers know and are left out.
VERSIONS: Mapping[str, str] = {
    "i": "2p1",
    "m": "2p0",
    "a": "2p1",
    "f": "2p2",
    "d": "2p2",
    "v": "1p0",
    "zicond": "1p0",
    "zicsr": "2p0",
    "zifencei": "2p0",
    "zfh": "1p0",
    "zfhmin": "1p0",
    "zba": "1p0",
    "zbb": "1p0",
    "zbs": "1p0",
    "zvfbfmin": "1p0",
    "zvfbfwma": "1p0",
    "zvfh": "1p0",
    "zvfhmin": "1p0",
}
_ALWAYS = ("i", "m", "f", "d", "zicsr")
_IMPLIED: Mapping[str, tuple[str, ...]] = {
    "v": ("zvfh", "zvfhmin"),
    "zfh": ("zfhmin",),
    "zvfbfwma": ("zvfbfmin",),
    "zvfbfmin": ("v", "zfhmin"),
}


def arch_string(extensions: Iterable[str]) -> str:
    """``rv64i2p1_m2p0_...`` for the extensions that instructions belong to.

    Vector code counts as Zvfh code: the table has one set of records for all float widths.
    """
    names = {*_ALWAYS, *(extension.lower().removeprefix("rv64") for extension in extensions)}
    for name in tuple(names):
        names.update(_IMPLIED.get(name, ()))
    return "rv64" + "_".join(name + version for name, version in VERSIONS.items() if name in names)
