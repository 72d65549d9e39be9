"""Make a branch usable: its computes answer, and the application role is there and its own.

A branch is a copy: it comes with its parent's application role and that role's password. Until
`provision` has run, production's application password opens it.
"""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from api.database.timeouts import Timeouts
from infra.branches import application_role, login_roles
from infra.branches.application_rights import Rights, read_rights
from infra.branches.errors import BranchError, BranchNotReadyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.database.connection_url import ConnectionUrl, DirectUrl, PooledUrl
    from infra.deadline import Deadline

    Connection = psycopg.Connection[tuple[Any, ...]]

#: Key of the advisory lock under which one of many callers makes the role.
_LOCK_KEY: Final = int.from_bytes(b"bough/pr", "big")
#: Seconds: for one try to connect, and between two tries from the first to the longest.
_CONNECT_TIMEOUT: Final = 10
_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 2.0
#: Seconds. A provider's proxy may know a role's new password a moment after the server does.
_PASSWORD_GRACE: Final = 15.0
#: libpq has no SQLSTATE for a login that failed.
_NO_LOGIN: Final = re.compile(r"(password|SASL) authentication|role .* does not exist|not permitted")


@dataclass(frozen=True, slots=True)
class BranchUrls:
    """The four ways into a branch, with passwords; the application's is what it shall become."""

    owner_direct: DirectUrl
    owner_pooled: PooledUrl
    application_direct: DirectUrl
    application_pooled: PooledUrl


def password_of(url: ConnectionUrl) -> str | None:
    """Return the password that a URL holds, if any."""
    password = conninfo_to_dict(url.libpq()).get("password")
    return None if password is None else str(password)


def provision(
    urls: BranchUrls,
    *,
    application: str,
    deadline: Deadline,
    announce: Callable[[str], None],
    timeouts: Timeouts | None = None,
    prove: Callable[[Connection], object] | None = None,
    mark: Callable[[Connection], None] | None = None,
) -> None:
    """Wait until the branch answers, make its application role, and log in as both roles both ways.

    Nothing is altered where the role can log in with its password and has its rights: another
    verifier for the same password breaks logins through a PgBouncer that knows the old one. Many
    callers may do this at once.

    Args:
        urls: Of one branch.
        application: Name of the application role in the database.
        deadline: For all of it.
        announce: Is told, in one sentence, when the branch does not answer at once.
        timeouts: The application role's limits.
        prove: Is called with the owner's direct connection before anything is changed, to raise unless
            it leads to the branch that is meant.
        mark: Is called with that connection too, in the transaction that makes the role: for providers
            whose servers do not say which branch they are.

    Raises:
        BranchNotReadyError: A login was not answered until the deadline; the message quotes why.
        BranchError: The role could not be made, or has rights that it must not have.
    """
    wanted = timeouts or Timeouts()
    with connected(urls.owner_direct, deadline, announce) as owner:
        if prove is not None:
            prove(owner)
        name = application_role.own_role(owner)
        rights = _rights(urls.application_direct, name)
        if mark is not None or rights is None or not rights.are_complete(wanted):
            _make(
                owner,
                urls.application_direct,
                names=(name, application),
                wait=deadline.remaining(),
                timeouts=wanted,
                mark=mark,
            )
        login_roles.end_copied_logins(owner, application)
    with connected(urls.application_direct, deadline, announce) as connection:
        _refuse_excess(read_rights(connection, name), application)
    for pooled in (urls.owner_pooled, urls.application_pooled):
        with connected(pooled, deadline, announce):
            pass


def _make(
    owner: Connection,
    url: DirectUrl,
    *,
    names: tuple[str, str],
    wait: float,
    timeouts: Timeouts,
    mark: Callable[[Connection], None] | None,
) -> None:
    name, application = names
    try:
        with owner.transaction():
            owner.execute("SELECT set_config('lock_timeout', %s, true)", [f"{max(1, round(wait * 1000))}ms"])
            owner.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK_KEY])
            # Who held the lock before may have done it.
            rights = _rights(url, name)
            if rights is None or not rights.are_complete(timeouts):
                application_role.provision(
                    owner,
                    owner=name,
                    owner_password="",
                    application=application,
                    application_password=password_of(url) if rights is None else None,
                    timeouts=timeouts,
                )
            if mark is not None:
                mark(owner)
    except psycopg.Error as error:
        reason = error.diag.message_primary or type(error).__name__
    else:
        return
    # Raised here: the driver's error holds the statement, with the password's verifier.
    raise BranchError(
        f"the role {application!r} could not be made on {url.host}:{url.port}: {reason}",
        hint=f"was it made by another role than {name!r}? drop it, or name another application role",
    )


def _rights(url: DirectUrl, owner: str) -> Rights | None:
    """Return the application role's rights, or nothing where it cannot log in with its password."""
    connection = _try_to_connect(url, _CONNECT_TIMEOUT)
    if isinstance(connection, str):
        return None
    with connection:
        return read_rights(connection, owner)


def _refuse_excess(rights: Rights, application: str) -> None:
    if not rights.excess:
        return
    raise BranchError(
        f"the application role {application!r} may do more than it must: {', '.join(rights.excess)}",
        hint="drop it, after REASSIGN OWNED if it owns tables, and run this again: a role made in Neon's "
        "console or API joins neon_superuser",
    )


@contextmanager
def connected(
    url: ConnectionUrl, deadline: Deadline, announce: Callable[[str], None]
) -> Iterator[Connection]:
    """Connect as soon as the server answers a query; autocommit, closed at the end."""
    wait, began = _FIRST_WAIT, time.monotonic()
    while True:
        seconds = min(_CONNECT_TIMEOUT, max(1, round(deadline.remaining())))
        connection = _try_to_connect(url, seconds)
        if not isinstance(connection, str):
            break
        is_final = _NO_LOGIN.search(connection) and time.monotonic() - began > _PASSWORD_GRACE
        if is_final or wait >= deadline.remaining():
            raise BranchNotReadyError(
                f"{url} does not answer: {connection}",
                hint="the branch itself is there: run this again to go on",
            )
        if wait == _FIRST_WAIT:
            announce(f"waiting for {url.host}:{url.port} to answer ({connection})")
        time.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)
    with connection:
        yield connection


def _try_to_connect(url: ConnectionUrl, seconds: int) -> Connection | str:
    """Return a connection that has answered a query, or why there is none."""
    connection: Connection | None = None
    try:
        # A pooler may not know named statements.
        connection = psycopg.connect(
            url.libpq(), autocommit=True, connect_timeout=seconds, prepare_threshold=None
        )
        connection.execute("SELECT 1")
    except psycopg.Error as error:
        if connection is not None:
            connection.close()
        # As text: the error's traceback holds the URL with its password.
        return " ".join(str(error).split())
    return connection
