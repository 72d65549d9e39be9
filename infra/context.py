"""Which provider, project and branch a command means, and where each value came from.

What was said about one provider's project is never taken for another's: a link or a pyproject.toml
that names Neon's project says nothing to a command that was told `--provider local`, and a link's
branch counts only in the project that it was pinned in.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from infra import link as link_file
from infra.branches.errors import BranchNameMissingError
from infra.config_tables import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.config import Project
    from infra.link import Link

APPLICATION_ROLE: Final = "bough_app"


class ProviderName(StrEnum):
    """Who hosts the branches."""

    LOCAL = "local"
    NEON = "neon"
    SUPABASE = "supabase"


#: The environment's names, by provider: of the project, the API's base URL and the token.
PROJECT_VARIABLES: Final = {
    ProviderName.NEON: "NEON_PROJECT_ID",
    ProviderName.SUPABASE: "SUPABASE_PROJECT_REF",
}
API_VARIABLES: Final = {ProviderName.NEON: "NEON_API_HOST", ProviderName.SUPABASE: "SUPABASE_API_URL"}
TOKEN_VARIABLES: Final = {
    ProviderName.NEON: "NEON_API_KEY",
    ProviderName.SUPABASE: "SUPABASE_ACCESS_TOKEN",
}

_API_HOSTS: Final = {
    ProviderName.NEON: "https://console.neon.tech/api/v2",
    ProviderName.SUPABASE: "https://api.supabase.com",
}


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
        api_host: Base URL of the provider's API; `None` where it is the local control plane's.
    """

    provider: Setting
    project_id: Setting
    branch: Setting
    database: Setting
    owner_role: Setting
    application_role: Setting
    api_host: Setting

    def settings(self) -> dict[str, Setting]:
        """Return every setting by its name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


_NOT_SET: Final = Setting(None, "not set")


def resolve(project: Project, *, flags: Mapping[str, str | None], environment: Mapping[str, str]) -> Context:
    """Return the context; see `Context` for the order.

    Args:
        project: With its link, if it has one, and `[tool.bough.branches]`.
        flags: By the option's name without dashes: `provider`, `project`, `branch`; `None` for not given.
        environment: Of the process.

    Raises:
        ConfigError: A value is not one that it can have; the message names its origin.
        BranchNameMissingError: A branch was named, but with nothing: that must never mean production.
    """
    return _Sources(project, link_file.read(project.root), flags, environment).context()


@dataclass(frozen=True, slots=True)
class _Sources:
    """Everything that may have a say."""

    project: Project
    link: Link | None
    flags: Mapping[str, str | None]
    environment: Mapping[str, str]

    def context(self) -> Context:
        provider = _first(
            self._flag("provider"),
            self._variable("BOUGH_PROVIDER"),
            Setting(self.link.provider if self.link else None, link_file.NAME),
            self._file("provider"),
            Setting(ProviderName.LOCAL, "default"),
        )
        name = _provider_name(provider)
        link = self.link if self.link and self.link.provider == name else None
        file_speaks_of_it = (self.project.branches.provider or ProviderName.LOCAL) == name
        project_id = _first(
            self._flag("project"),
            self._variable(PROJECT_VARIABLES.get(name)),
            Setting(link.project_id if link else None, link_file.NAME),
            self._file("project") if file_speaks_of_it else _NOT_SET,
        )
        if link and project_id.value != link.project_id:
            link = None
        return Context(
            provider=provider,
            project_id=project_id,
            branch=_first(
                self._flag("branch"),
                self._variable("BOUGH_BRANCH"),
                Setting(link.branch_id if link else None, link_file.NAME),
            ),
            database=_first(self._file("database")),
            owner_role=_first(self._file("owner_role")),
            application_role=_first(self._file("application_role"), Setting(APPLICATION_ROLE, "default")),
            api_host=_first(
                self._variable(API_VARIABLES.get(name)), Setting(_API_HOSTS.get(name), "default")
            ),
        )

    def _flag(self, name: str) -> Setting:
        return Setting(self.flags.get(name), f"--{name}")

    def _variable(self, name: str | None) -> Setting:
        return Setting(self.environment.get(name), name) if name else _NOT_SET

    def _file(self, key: str) -> Setting:
        return Setting(getattr(self.project.branches, key), "pyproject.toml")


def _first(*candidates: Setting) -> Setting:
    """Return the first that was given; one that was given as nothing is an error, not a default."""
    first = next((each for each in candidates if each.value is not None), _NOT_SET)
    if first.value is None:
        return first
    if value := first.value.strip():
        return Setting(value, first.origin)
    hint = f"give it a value, or leave {first.origin} out"
    if first.origin in {"--branch", "BOUGH_BRANCH"}:
        raise BranchNameMissingError(
            f"{first.origin} is empty, and providers take an empty name for production", hint=hint
        )
    raise ConfigError(f"{first.origin} is empty", hint=hint)


def _provider_name(provider: Setting) -> ProviderName:
    try:
        return ProviderName(provider.value or "")
    except ValueError as error:
        raise ConfigError(
            f"there is no provider {provider.value!r} ({provider.origin})",
            hint=f"the providers are {', '.join(ProviderName)}",
        ) from error
