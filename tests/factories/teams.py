"""Teams and who is in them."""

from __future__ import annotations

from api.teams.models import Team, TeamMember
from infra.testing.factories import Factory


class TeamFactory(Factory[Team]):
    """Without members."""


class TeamMemberFactory(Factory[TeamMember]):
    """A user in a team."""
