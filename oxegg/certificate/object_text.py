"""The machine code of an object file: its ``.text`` section (System V ABI, ELF-64)."""

from __future__ import annotations

import struct

from oxegg.errors import VerificationError

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_MAGIC = b"\x7fELF\x02\x01"


def text_section(data: bytes) -> bytes:
    """Raises :class:`oxegg.errors.VerificationError` where there is none."""
    try:
        header: tuple[int, ...] = _HEADER.unpack_from(data)
        start, size, count, names = header[6], header[11], header[12], header[13]
        sections: list[tuple[int, ...]] = [
            _SECTION.unpack_from(data, start + i * size) for i in range(count)
        ]
        strings = sections[names]
    except (struct.error, IndexError) as error:
        raise VerificationError("the object file is no ELF file") from error
    table = data[strings[4] : strings[4] + strings[5]]
    for section in sections:
        name = table[section[0] : table.index(b"\0", section[0])]
        if name == b".text" and data.startswith(_MAGIC):
            return data[section[4] : section[4] + section[5]]
    raise VerificationError("the object file has no .text")
