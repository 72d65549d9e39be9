"""The project's control plane: started when needed, found again, ended.

It is one process, `python -m infra.local.neon_api --folder <project>/.bough`, which outlives the
command that needed it first. In `.bough/neon/` it

- holds `lock` (`infra.local.lock_file.held`) from before it touches anything else until all its
  servers have ended: the lock says whether one runs, whatever else lies there;
- writes `address.json`, `{"base_url": "http://127.0.0.1:<port>/api/v2", "pid": <its own>}`, once it
  answers, and prefers the port that stood there before;
- takes requests with the bearer key `read_secrets(root).neon_api_key`;
- ends in order at SIGTERM, its servers first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A running control plane, and how to speak to it.

    Args:
        base_url: Of its Neon API, `http://127.0.0.1:<port>/api/v2`.
        api_key: Made for this project, kept in its `.bough/`.
        project_id: The one project of this folder.
        pid: The process that runs it.
    """

    base_url: str
    api_key: str = field(repr=False)
    project_id: str
    pid: int


def ensure_running(root: Path, *, announce: Callable[[str], None]) -> ControlPlane:
    """Return the project's control plane, started when none runs; it outlives the calling process.

    Args:
        root: The project's folder.
        announce: Is told, in one sentence, that it was started.
    """
    raise NotImplementedError


def find(root: Path) -> ControlPlane | None:
    """Return the one that runs, if any; what a killed one left behind does not count."""
    raise NotImplementedError


def stop(root: Path) -> list[str]:
    """End it and all servers of its branches, also those that a killed one left; return what was ended."""
    raise NotImplementedError


def delete(root: Path) -> None:
    """Delete all local branches, wherever their data lies; nothing may run."""
    raise NotImplementedError
