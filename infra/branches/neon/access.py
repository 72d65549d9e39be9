"""The ways into a branch at Neon: connection strings for both roles, never built here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from api.database.connection_url import ConnectionUrl, DirectUrl, PooledUrl
from infra.branches.errors import BranchError
from infra.branches.passwords import application_password
from infra.branches.provider import DatabaseRole
from infra.branches.provisioning import BranchUrls, password_of

if TYPE_CHECKING:
    from infra.branches.neon.api import NeonApi

_Url = TypeVar("_Url", bound=ConnectionUrl)


@dataclass(frozen=True, slots=True)
class NeonAccess:
    """Which database and roles of a branch are meant.

    Args:
        database: Without one, the only one of each branch.
        owner_role: Without one, the database's owner.
        application_role: What requests log in as.
    """

    database: str | None
    owner_role: str | None
    application_role: str

    def url(self, api: NeonApi, branch_id: str, kind: type[_Url], role: DatabaseRole) -> _Url:
        """Return one connection string, with its password."""
        database, owner = self._names(api, branch_id)
        url = api.connection_url(kind, branch_id, database, owner, pooled=kind is PooledUrl)
        if role is DatabaseRole.OWNER:
            return url
        password = self._password(url, api.project_id, branch_id)
        return url.replace(user=self.application_role, password=password)

    def urls(self, api: NeonApi, branch_id: str) -> BranchUrls:
        """Return all four, with passwords."""
        database, owner = self._names(api, branch_id)
        direct = api.connection_url(DirectUrl, branch_id, database, owner, pooled=False)
        pooled = api.connection_url(PooledUrl, branch_id, database, owner, pooled=True)
        password = self._password(direct, api.project_id, branch_id)
        return BranchUrls(
            owner_direct=direct,
            owner_pooled=pooled,
            application_direct=direct.replace(user=self.application_role, password=password),
            application_pooled=pooled.replace(user=self.application_role, password=password),
        )

    def database_of(self, api: NeonApi, branch_id: str) -> str:
        """Return the database's name."""
        return self.database or self._names(api, branch_id)[0]

    def _password(self, owner: ConnectionUrl, project_id: str, branch_id: str) -> str:
        """Return the application role's password, derived from the owner's; it takes 60 ms."""
        owners = password_of(owner)
        if not owners:
            raise BranchError(
                f"Neon does not give the password of the role {owner.user!r}",
                hint="the project does not store passwords, or the role has none: reset it in Neon's console",
            )
        return application_password(
            owners, project_id=project_id, branch_id=branch_id, role=self.application_role
        )

    def _names(self, api: NeonApi, branch_id: str) -> tuple[str, str]:
        """Return the database and the role that owns it."""
        if self.database and self.owner_role:
            return self.database, self.owner_role
        databases = api.databases(branch_id)
        fitting = [each for each in databases if self.database in {None, each.name}]
        if len(fitting) == 1:
            return fitting[0].name, self.owner_role or fitting[0].owner_name
        names = ", ".join(each.name for each in databases) or "none"
        if self.database:
            raise BranchError(f"the branch {branch_id} has no database {self.database!r}; there is {names}")
        raise BranchError(
            f"the branch {branch_id} has {len(databases)} databases: {names}",
            hint="name the one that is meant",
        )
