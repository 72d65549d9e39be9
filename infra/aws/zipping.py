"""Zips whose bytes depend on nothing but the names and the content of their files."""

from __future__ import annotations

import shutil
import zipfile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: The first day that a zip can name.
_DATE: Final = (1980, 1, 1, 0, 0, 0)

#: A regular file that all may read, which Lambda needs, whatever the umask was.
_MODE: Final = 0o100644 << 16

#: What Unix is in a zip: without it the mode counts for nothing.
_UNIX: Final = 3

#: 9 takes four times as long for one hundredth less.
_LEVEL: Final = 6


def write_zip(file: Path, entries: Mapping[str, Path], *, begun: Path | None = None) -> None:
    """Write a zip.

    Args:
        file: Where; it is written over.
        entries: Name inside the zip to path on disk.
        begun: A zip that this function wrote, whose entries come first: they are not compressed again.

    Raises:
        OSError: The disk is full, or a file cannot be read.
    """
    if begun is not None:
        shutil.copyfile(begun, file)
    with zipfile.ZipFile(file, "w" if begun is None else "a") as archive:
        for name, path in sorted(entries.items()):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system = _UNIX
            entry.external_attr = _MODE
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, _LEVEL)
