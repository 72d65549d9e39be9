"""What a shared object of Linux says about itself: just enough of ELF to check it and to make it smaller."""

from __future__ import annotations

import re
import struct
from typing import Final

_MAGIC: Final = b"\x7fELF"

#: Behind the magic number: 64 bits, little end first, as all of Lambda's processors are.
_CLASS_64_LITTLE: Final = b"\x02\x01"

#: `e_machine`, by Lambda's names.
_MACHINES: Final = {183: "arm64", 62: "x86_64"}

#: The header up to `e_shstrndx`, and one entry of the table of segments.
_HEADER: Final = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT: Final = struct.Struct("<IIQQQQQQ")

#: Where the table of sections is named: `e_shoff` and its number of entries and index of names.
_SECTIONS_AT: Final = 40
_SECTION_COUNTS_AT: Final = 60

#: How a file names the C library's release that brought what it calls; the linker looks for the newest.
_GLIBC: Final = re.compile(rb"\0GLIBC_2\.(\d+)(?=[.\0])")


def is_elf(content: bytes) -> bool:
    """Return whether a file is one of Linux's programs or shared objects."""
    return content.startswith(_MAGIC)


def architecture(content: bytes) -> str:
    """Return which processor an ELF file is for: as Lambda names it, or by its number."""
    if len(content) < _HEADER.size or content[4:6] != _CLASS_64_LITTLE:
        return "no 64-bit processor"
    machine = _HEADER.unpack_from(content)[2]
    return _MACHINES.get(machine, f"processor {machine}")


def needed_glibc(content: bytes) -> int:
    """Return which release of glibc 2 an ELF file needs, such as 28 for 2.28; 0 where it says none."""
    return max((int(release) for release in _GLIBC.findall(content)), default=0)


def without_sections(content: bytes) -> bytes:
    """Return an ELF file without what only debuggers and linkers read.

    That is everything behind the last segment: symbols for debuggers, and the table of sections. Nothing is
    moved, which files would not survive whose segments a packer of wheels has moved already. In wheels that
    were built with debug information it is most of the file.
    """
    if len(content) < _HEADER.size or content[4:6] != _CLASS_64_LITTLE:
        return content
    header = _HEADER.unpack_from(content)
    segments, size, count = header[5], header[9], header[10]
    if size != _SEGMENT.size or not count or segments + size * count > len(content):
        return content
    end = segments + size * count
    for index in range(count):
        _, _, offset, _, _, length, _, _ = _SEGMENT.unpack_from(content, segments + size * index)
        end = max(end, offset + length)
    if end >= len(content):
        return content
    kept = bytearray(content[:end])
    kept[_SECTIONS_AT : _SECTIONS_AT + 8] = bytes(8)
    kept[_SECTION_COUNTS_AT : _SECTION_COUNTS_AT + 4] = bytes(4)
    return bytes(kept)
