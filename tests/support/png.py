"""The pixels of a PNG file as browsers write them: 8 bits, RGB or RGBA, not interlaced."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def colours(file: Path) -> tuple[tuple[int, int], Counter[tuple[int, int, int]]]:
    """Return width and height, and how many pixels have which colour."""
    content = file.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    packed, at = b"", 8
    width = height = size = 0
    while at < len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        chunk = content[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, bits, form, *_, interlaced = struct.unpack(">IIBBBBB", chunk)
            assert (bits, interlaced) == (8, 0)
            size = {2: 3, 6: 4}[form]
        elif kind == b"IDAT":
            packed += chunk
        at += length + 12
    counted: Counter[tuple[int, int, int]] = Counter()
    for line in _lines(zlib.decompress(packed), width * size, size):
        counted.update(zip(line[::size], line[1::size], line[2::size], strict=True))
    return (width, height), counted


def _lines(content: bytes, length: int, size: int):
    """Undo the filters of https://www.w3.org/TR/png-3/#9Filters."""
    above = bytearray(length)
    for at in range(0, len(content), length + 1):
        line = bytearray(content[at + 1 : at + 1 + length])
        kind = content[at]
        if kind == 2:
            line = bytearray((a + b) & 255 for a, b in zip(line, above, strict=True))
        elif kind:
            for index in range(length):
                left = line[index - size] if index >= size else 0
                corner = above[index - size] if index >= size else 0
                guess = {1: left, 3: (left + above[index]) // 2, 4: _paeth(left, above[index], corner)}[kind]
                line[index] = (line[index] + guess) & 255
        yield line
        above = line


def _paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    return min((left, above, corner), key=lambda each: abs(guess - each))
