"""Which line of a revision's file runs at the moment."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def line_in(path: Path) -> int | None:
    """Return the line of a file, from 1, that has led here; the innermost. `None` when none has."""
    name, frame = str(path), inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_filename == name:
            return frame.f_lineno
        frame = frame.f_back
    return None
