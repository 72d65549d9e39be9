"""A fork of a target: a branch of it with all its data, gone again when the rehearsal has ended."""

from __future__ import annotations

import re
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

import psycopg

from infra.branches import identity
from infra.branches.errors import NotSupportedError, TargetUnmarkedError
from infra.branches.identity import BranchIdentity
from infra.branches.provider import BranchSpec, DatabaseRole
from infra.errors import InfraError
from infra.migrate.connection import TIMEOUTS, open_connection
from infra.migrate.errors import ForkDiffersError, PoolerUnusableError
from infra.migrate.rehearsal.results import ForkKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from api.database.connection_url import DirectUrl, PooledUrl
    from infra.branches.provider import Branch, BranchProvider
    from infra.context import ProviderName

#: What a fork's branch is called, before random letters.
NAME_PREFIX: Final = "rehearsal-"

_NAME: Final = re.compile(rf"{NAME_PREFIX}[0-9a-f]{{8}}")

#: After which a provider deletes a fork whose rehearsal was killed.
_LIFETIME: Final = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Origin:
    """What is to be forked.

    Args:
        url: The target, as its owner.
        identity: What it has proven to be.
        keep: Leave the fork there at the end, and say how to reach it.
        announce: Is told of every step, in one sentence.
    """

    url: DirectUrl
    identity: BranchIdentity
    keep: bool
    announce: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Fork:
    """A database like the target, on which nobody depends.

    Args:
        direct: As the owner, **with the password**.
        pooled: As the application's role, **with the password**; `None` where there is no pooler or role.
        kind: A branch, or a copy of the schema.
        identity: What it must prove to be; never the target's.
        differs: What a copy has not that its target has, such as an extension; `None` for nothing.
        rows_per_table: At most so many rows of each table are in it; `None` for all.
    """

    direct: DirectUrl
    pooled: PooledUrl | None
    kind: ForkKind
    identity: BranchIdentity
    differs: str | None = None
    rows_per_table: int | None = None


class Forking(Protocol):
    """A way to fork a target."""

    def __call__(self, origin: Origin, /) -> AbstractContextManager[Fork]:
        """Make a fork that is there for the length of the block, whatever happens in it.

        Raises:
            InfraError: It cannot be made; the target was not touched.
        """


@dataclass(frozen=True, slots=True)
class BranchForking:
    """Forks by the branches of the target's own provider.

    Args:
        provider: Of the target's project.
        host: Who that is.
    """

    provider: BranchProvider
    host: ProviderName

    @contextmanager
    def __call__(self, origin: Origin, /) -> Iterator[Fork]:
        """Make a branch of the target, with its data.

        Raises:
            BranchLimitError: The project has as many branches as it may have.
            NotSupportedError: The provider makes no branches of this target.
            BranchError: As `BranchProvider.create`.
        """
        name = f"{NAME_PREFIX}{secrets.token_hex(4)}"
        keep = False
        try:
            branch = self._make(name, origin)
            keep = origin.keep
            yield Fork(
                self.provider.direct_url(branch.id, DatabaseRole.OWNER),
                self.provider.pooled_url(branch.id, DatabaseRole.APP),
                ForkKind.BRANCH,
                BranchIdentity.of(self.host, branch),
            )
        finally:
            if keep:
                hours = _LIFETIME // timedelta(hours=1)
                origin.announce(f"The fork stays for {hours} hours; the way into it: bough branch url {name}")
            else:
                self._delete(name, origin)

    def _make(self, name: str, origin: Origin) -> Branch:
        parent = origin.identity.branch_id
        spec = BranchSpec(name, parent, expires_at=datetime.now(UTC).replace(microsecond=0) + _LIFETIME)
        try:
            return self.provider.create(spec)
        except NotSupportedError:
            # Supabase knows no expiry: there the next rehearsal deletes what was left.
            self._delete_left(origin)
            return self.provider.create(BranchSpec(name, parent))

    def _delete_left(self, origin: Origin) -> None:
        for branch in self.provider.list():
            if _NAME.fullmatch(branch.name) and datetime.now(UTC) - branch.created_at > _LIFETIME:
                origin.announce(f"Deleting {branch.name}, which a rehearsal has left")
                self._delete(branch.name, origin)

    def _delete(self, name: str, origin: Origin) -> None:
        """Delete the branch by its name: an interrupted request may have made it unseen."""
        try:
            self.provider.delete(name)
        except InfraError as error:
            # What the rehearsal found, or what ended it, matters more.
            origin.announce(f"The fork {name} could not be deleted ({error}): bough branch delete {name}")


def prove(fork: Fork, target: BranchIdentity) -> None:
    """Make sure, over SQL, that a fork is itself and not its target; nothing is changed before.

    Raises:
        ForkDiffersError: It says that it is the target.
        TargetError: It is some other database than the one that was made.
    """
    if fork.identity == target:
        message = f"the fork says that it is the target itself, {target}"
        raise ForkDiffersError(message, hint="nothing was changed; report this as an error of the provider")
    with open_connection(fork.direct, TIMEOUTS) as connection:
        identity.verify(connection, fork.identity)


def application_url(fork: Fork) -> PooledUrl:
    """Return the way that code and clients take, once it is certain where it leads: they write.

    Raises:
        PoolerUnusableError: There is none, or it does not say.
        TargetError: It leads to some other database.
    """
    if fork.pooled is None:
        raise PoolerUnusableError("the fork has no pooler, or no role of the application")
    try:
        with psycopg.connect(fork.pooled.libpq(), autocommit=True, prepare_threshold=None) as connection:
            identity.verify(connection, fork.identity)
    except (TargetUnmarkedError, psycopg.Error) as error:
        reason = str(error).partition("\n")[0]
        raise PoolerUnusableError(f"the fork's pooler does not say where it leads: {reason}") from None
    return fork.pooled
