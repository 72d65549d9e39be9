"""The artifacts of a world that packages again while it runs: each in a folder of its own.

An invocation that runs during a rebuild ends in the code that it began with, its late imports too.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from infra.aws.artifact import build_folder
from infra.local import own_folder

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from infra.aws.artifact import Artifact
    from infra.config import Project


class Rebuilds:
    """Numbered artifact folders in the project's `.bough/`; those of an earlier world are deleted."""

    def __init__(self, project: Project) -> None:
        """Build nothing yet."""
        self._project = project
        self._folder = own_folder.folder(project.root) / "rebuilt"
        self._number = 0
        self._delete_except(())

    def build(self, in_use: Container[Path]) -> Artifact:
        """Build the project's artifact into a new folder; delete the earlier ones but those `in_use`.

        Raises:
            ArtifactError, ConfigError, DependenciesError, DiskFullError, RevisionsError: As `build_folder`.
        """
        self._delete_except(in_use)
        self._number += 1
        return build_folder(self._project, self._folder / str(self._number) / "artifact")

    def _delete_except(self, in_use: Container[Path]) -> None:
        for earlier in self._folder.glob("*"):
            if earlier / "artifact" not in in_use:
                shutil.rmtree(earlier, ignore_errors=True)
