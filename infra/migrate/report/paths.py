"""Files as a report names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def relative(path: Path, root: Path) -> str:
    """Return the path below the project's root, with `/`; of a file outside only its name."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
