"""Where in a revision's Python a statement comes from."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alembic.runtime.migration import MigrationContext

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType


@dataclass(frozen=True, slots=True)
class Origin:
    """A revision's own statement comes from its `upgrade` or `downgrade`.

    Args:
        line: Of the revision's file, the innermost; `None` where the function stands in another one.
    """

    line: int | None


def origin(path: Path) -> Origin | None:
    """Return where the revision in a file is now; `None` in the bookkeeping around it."""
    name = str(path)
    inner: FrameType | None = None
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  inspect.stack() reads every file on the way
    while frame is not None:
        if frame.f_code.co_filename == name:
            return Origin(frame.f_lineno)
        if frame.f_code is MigrationContext.run_migrations.__code__:
            own = inner is not None and inner.f_code.co_name in {"upgrade", "downgrade"}
            return Origin(None) if own else None
        inner, frame = frame, frame.f_back
    return None
