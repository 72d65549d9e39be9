"""Projects and who works on them."""

from __future__ import annotations

from api.projects.models import Project, ProjectMember, ProjectRole
from infra.testing.factories import Factory


class ProjectFactory(Factory[Project]):
    """Without members."""


class ProjectMemberFactory(Factory[ProjectMember]):
    """An editor."""

    role = ProjectRole.EDITOR
