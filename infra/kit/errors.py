"""What can stand between a kit and the projects made from it."""

from __future__ import annotations

from typing import ClassVar

from infra.errors import InfraError


class NoKitError(InfraError):
    """There is no kit here, or not the commit of it that is asked for."""

    code: ClassVar[str] = "KIT_NOT_FOUND"


class ProjectRefusedError(InfraError):
    """A project cannot be made like this; nothing was written."""

    code: ClassVar[str] = "PROJECT_REFUSED"
    exit_code: ClassVar[int] = 2


class UpdateRefusedError(InfraError):
    """The project cannot be updated as it is; nothing was changed."""

    code: ClassVar[str] = "UPDATE_REFUSED"


class UpdateConflictError(InfraError):
    """The kit and the project changed the same lines: somebody has to say what stays."""

    code: ClassVar[str] = "UPDATE_CONFLICTS"
    exit_code: ClassVar[int] = 3


class KitFailedError(InfraError):
    """Git or copier failed while files were written."""

    code: ClassVar[str] = "KIT_FAILED"
