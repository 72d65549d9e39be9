"""Take a database for a branch because somebody said so by name, and let it say so from then on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from api.database.timeouts import Timeouts
from infra.branches import identity
from infra.branches.errors import TargetError
from infra.branches.identity import BranchIdentity
from infra.branches.provider import DatabaseRole
from infra.branches.provisioning import BranchUrls, provision
from infra.migrate.connection import open_connection

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from api.database.connection_url import DirectUrl
    from infra.branches.provider import BranchProvider
    from infra.context import ProviderName
    from infra.deadline import Deadline

    Connection = psycopg.Connection[tuple[Any, ...]]

_TIMEOUTS: Final = Timeouts(statement=30.0, lock=5.0, idle_in_transaction=30.0)


@dataclass(frozen=True, slots=True)
class Adoption:
    """What a database says now, and what it said before; the same where there was nothing to do."""

    identity: BranchIdentity
    before: BranchIdentity | None


def adopt(
    provider: BranchProvider,
    host: ProviderName,
    branch: str,
    *,
    application: str,
    deadline: Deadline,
    announce: Callable[[str], None],
    url: DirectUrl | None = None,
) -> Adoption:
    """Mark a branch's database as that branch, and provide its application role.

    That it is that branch follows from the way to it: the provider's API says which host and role lead
    there, and the connection is made with those.

    Args:
        provider: Of the project.
        host: Who the provider is.
        branch: Id or name.
        application: Name of the application role.
        deadline: For all of it.
        announce: Is told, in one sentence, when the branch does not answer at once.
        url: What the caller takes for the way there; it must be the provider's.

    Raises:
        TargetError: `url` leads elsewhere, or the server says that it is another branch.
        BranchError: As `provision`.
    """
    found = provider.get(branch)
    expected = BranchIdentity.of(host, found)
    urls = BranchUrls(
        owner_direct=provider.direct_url(found.id, DatabaseRole.OWNER),
        owner_pooled=provider.pooled_url(found.id, DatabaseRole.OWNER),
        application_direct=provider.direct_url(found.id, DatabaseRole.APP),
        application_pooled=provider.pooled_url(found.id, DatabaseRole.APP),
    )
    if url is not None and _way(url) != _way(urls.owner_direct):
        raise TargetError(
            f"{url} is not the way to {expected}, which is {urls.owner_direct}",
            hint="nothing was changed; leave DATABASE_URL_UNPOOLED out, or name the branch that it leads to",
        )
    marking = _Marking(expected)
    provision(urls, application=application, deadline=deadline, announce=announce, mark=marking.write)
    return Adoption(expected, marking.before)


def adopt_plain(url: DirectUrl, *, project: str, name: str) -> Adoption:
    """Mark the database of a plain PostgreSQL, of which nobody but the caller knows what it is.

    Its roles are left alone.

    Args:
        url: As the owner.
        project: Whose database it is: the name in pyproject.toml.
        name: What it shall be called from now on.

    Raises:
        TargetError: The server itself says that it is another branch.
        MigrationError: There is no way to it, or it refuses.
    """
    expected = BranchIdentity(identity.PLAIN, project, name)
    marking = _Marking(expected)
    with open_connection(url, _TIMEOUTS) as connection:
        marking.write(connection)
    return Adoption(expected, marking.before)


@dataclass(slots=True)
class _Marking:
    expected: BranchIdentity
    before: BranchIdentity | None = None

    def write(self, connection: Connection) -> None:
        self.before = identity.read(connection)
        identity.mark(connection, self.expected)


def _way(url: DirectUrl) -> tuple[str, int, str, str]:
    return url.host, url.port, url.database, url.user
