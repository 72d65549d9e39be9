"""The connection strings of a Supabase branch, on hosts that Supabase names, never on guessed ones."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from api.database.connection_url import DirectUrl, PooledUrl
from api.database.connection_url_syntax import Secret
from infra.branches.errors import NotSupportedError, ProviderAuthError, TargetError
from infra.branches.passwords import application_password
from infra.branches.provider import DatabaseRole
from infra.branches.provisioning import BranchUrls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infra.branches.supabase.answers import BranchDetail, PoolerConfig
    from infra.branches.supabase.api import SupabaseApi

_DATABASE: Final = "postgres"
#: Seconds for a try whether the network reaches the direct host.
_PATIENCE: Final = 3.0


@dataclass(frozen=True, slots=True)
class Hosting:
    """Where databases may be: who could change an answer of the API would otherwise get the password.

    Args:
        domains: In which all hosts must lie.
        session_port: On which the shared pooler, whose transaction mode has its own, keeps sessions.
    """

    domains: Sequence[str] = ("supabase.com", "supabase.co")
    session_port: int = 5432

    def check(self, host: str) -> None:
        """Refuse a host of somebody else's.

        Raises:
            TargetError: It lies in none of the domains.
        """
        if not any(host.lower() == domain or host.lower().endswith(f".{domain}") for domain in self.domains):
            raise TargetError(
                f"the API names the host {host!r}, which is not Supabase's",
                hint="nothing was sent to it; is the API's address right, is a proxy between?",
            )


class SupabaseUrls:
    """Makes connection strings of one project's branches, **with passwords**."""

    def __init__(
        self,
        project_ref: str,
        *,
        application_role: str,
        owner_password: str | None,
        hosting: Hosting,
        announce: Callable[[str], None],
    ) -> None:
        """Connect to nothing yet.

        Args:
            project_ref: The project whose branches they are.
            application_role: What requests log in as.
            owner_password: For branches whose password the API keeps to itself.
            hosting: Where databases may be.
            announce: Is told, once, that sessions go through the pooler.
        """
        self._project_ref = project_ref
        self._application_role = application_role
        self._owner_password = Secret(owner_password or "")
        self._hosting = hosting
        self._announce = announce
        self._reachable: dict[str, bool] = {}

    def pooled(self, api: SupabaseApi, detail: BranchDetail, role: DatabaseRole) -> PooledUrl:
        """Return the connection string through the branch's transaction pooler.

        Raises:
            ProviderAuthError: The API keeps the password to itself, and none was given.
            TargetError: The pooler is another project's, or its host not Supabase's.
            NotSupportedError: The project has none.
        """
        return self._pooled(self._pooler(api, detail), detail, role)

    def direct(self, api: SupabaseApi, detail: BranchDetail, role: DatabaseRole) -> DirectUrl:
        """Return the direct connection string, or the session pooler's where only that can be reached.

        Most networks reach the database itself only if they have IPv6.

        Raises:
            ProviderAuthError, TargetError, NotSupportedError: As `pooled`.
        """
        pooler = None if self._is_reachable(detail) else self._pooler(api, detail)
        return self._direct(pooler, detail, role)

    def of_branch(self, api: SupabaseApi, detail: BranchDetail) -> BranchUrls:
        """Return all ways into a branch.

        Raises:
            ProviderAuthError, TargetError, NotSupportedError: As `pooled`.
        """
        pooler = self._pooler(api, detail)
        session = None if self._is_reachable(detail) else pooler
        return BranchUrls(
            owner_direct=self._direct(session, detail, DatabaseRole.OWNER),
            owner_pooled=self._pooled(pooler, detail, DatabaseRole.OWNER),
            application_direct=self._direct(session, detail, DatabaseRole.APP),
            application_pooled=self._pooled(pooler, detail, DatabaseRole.APP),
        )

    def _pooled(self, pooler: PoolerConfig, detail: BranchDetail, role: DatabaseRole) -> PooledUrl:
        user, password = self._login(detail, role)
        return PooledUrl.parse(f"postgresql://user@localhost/{_DATABASE}").replace(
            host=pooler.db_host,
            port=pooler.db_port,
            user=_tenant_user(pooler, detail.ref, user),
            password=password.reveal(),
        )

    def _direct(self, pooler: PoolerConfig | None, detail: BranchDetail, role: DatabaseRole) -> DirectUrl:
        """Return the way to the database itself, or with a pooler its session mode."""
        user, password = self._login(detail, role)
        host, port = detail.db_host, detail.db_port
        if pooler is not None:
            if "." not in pooler.db_user:
                raise NotSupportedError(
                    f"this network does not reach {host}, and the project has no shared pooler",
                    hint="use a network with IPv6, or the project's IPv4 add-on",
                )
            host, port = pooler.db_host, self._hosting.session_port
            user = _tenant_user(pooler, detail.ref, user)
        return DirectUrl.parse(f"postgresql://user@localhost/{_DATABASE}").replace(
            host=host, port=port, user=user, password=password.reveal()
        )

    def _login(self, detail: BranchDetail, role: DatabaseRole) -> tuple[str, Secret]:
        owner = Secret(detail.db_pass.get_secret_value()) if detail.db_pass else self._owner_password
        if not owner.reveal():
            raise ProviderAuthError(
                f"Supabase does not tell this token the password of the branch {detail.ref}",
                hint="set SUPABASE_DB_PASSWORD to it; the dashboard resets it under Database, Settings",
            )
        if role is DatabaseRole.OWNER:
            return detail.db_user, owner
        name = self._application_role
        derived = application_password(
            owner.reveal(), project_id=self._project_ref, branch_id=detail.ref, role=name
        )
        return name, Secret(derived)

    def _pooler(self, api: SupabaseApi, detail: BranchDetail) -> PoolerConfig:
        """Return the branch's own transaction pooler; its replicas have others."""
        poolers = api.poolers(detail.ref)
        pooler = next(
            (each for each in poolers if each.database_type == "PRIMARY" and each.pool_mode == "transaction"),
            None,
        )
        if pooler is None:
            raise NotSupportedError(
                f"the branch {detail.ref} has no pooler in transaction mode",
                hint="switch it on in the dashboard, under Database, Settings, Connection pooling",
            )
        self._hosting.check(pooler.db_host)
        return pooler

    def _is_reachable(self, detail: BranchDetail) -> bool:
        """Say whether the network leads to the server: found out by trying, once for each.

        A server that refuses is reached: another way to it would only hide why.
        """
        host = detail.db_host
        self._hosting.check(host)
        if host not in self._reachable:
            try:
                socket.create_connection((host, detail.db_port), timeout=_PATIENCE).close()
            except ConnectionRefusedError:
                self._reachable[host] = True
            except OSError as error:
                if all(self._reachable.values()):
                    self._announce(
                        f"this network does not reach {host} ({error}), which takes IPv6; "
                        "the session pooler stands in for direct connections"
                    )
                self._reachable[host] = False
            else:
                self._reachable[host] = True
        return self._reachable[host]


def _tenant_user(pooler: PoolerConfig, ref: str, user: str) -> str:
    """Return the user as the pooler knows it: a shared one tells projects apart by it.

    Raises:
        TargetError: The pooler is another project's.
    """
    _, dot, tenant = pooler.db_user.partition(".")
    is_own = tenant == ref if dot else ref in pooler.db_host.split(".")
    if not is_own:
        raise TargetError(
            f"the pooler that the API names for the branch {ref} serves {tenant or pooler.db_host}",
            hint="nothing was sent to it; is the API's address right, is a proxy between?",
        )
    return f"{user}.{ref}" if dot else user
