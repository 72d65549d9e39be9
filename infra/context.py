"""Which provider, project and branch a command means, and where each value came from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.config import Project


class ProviderName(StrEnum):
    """Who hosts the branches."""

    LOCAL = "local"
    NEON = "neon"
    SUPABASE = "supabase"


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and its origin, such as `--branch`, `BOUGH_BRANCH`, `.bough/link.json` or `default`."""

    value: str | None
    origin: str


@dataclass(frozen=True, slots=True)
class Context:
    """What a command means, by flags, then environment, then files, then defaults.

    Args:
        provider: A `ProviderName`.
        project_id: Neon's project id or Supabase's project reference; the local project has its own.
        branch: Id or name of the pinned branch, if any.
        database: Name of the database; without one the only one there is.
        owner_role: The role that owns it; without one the only one there is.
        application_role: What requests log in as.
        api_host: Base URL of the provider's API.
    """

    provider: Setting
    project_id: Setting
    branch: Setting
    database: Setting
    owner_role: Setting
    application_role: Setting
    api_host: Setting


def resolve(project: Project, *, flags: Mapping[str, str | None], environment: Mapping[str, str]) -> Context:
    """Return the context; see `Context` for the order.

    Raises:
        ConfigError: A value is not one that it can have; the message names its origin.
    """
    raise NotImplementedError
