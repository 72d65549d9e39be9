"""Replace a stage's secrets without a request that fails.

A function reads a secret again when it is older than ten minutes, and at once when the database refuses it.
The old one stays good until every environment has the new one.
"""

from __future__ import annotations

import json
import secrets as random
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, ClassVar, Final

from api.auth_keys import AuthKey, read_auth_keys
from api.database.connection_url import PooledUrl
from api.database.timeouts import Timeouts
from infra.branches.login_roles import (
    LoginRoleError,
    end_login,
    login_of,
    make_login,
    next_login,
    read_logins,
)
from infra.branches.provisioning import connected
from infra.deadline import Deadline
from infra.errors import InfraError
from infra.migrate.connection import open_connection
from infra.plan import Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.database.connection_url import DirectUrl
    from infra.aws.secrets import Secrets

DATABASE_URL: Final = "DATABASE_URL"
AUTH_SECRET: Final = "AUTH_SECRET"  # noqa: S105  a variable's name
API: Final = "api"
#: Seconds in which every environment in use reads a new value: what `api.parameters` promises, and a minute
#: for clocks that differ.
SPREAD: Final = 660
#: Seconds until the new login must work: a provider's proxy may know it a moment after the server does.
_PATIENCE: Final = 30.0
#: Older keys that are kept: each signed for `SPREAD` at least, so that tokens which last an hour stay good
#: however often keys are replaced. When they end is the application's to say.
_OLDER_KEYS: Final = 7
#: A connection, as another one of the same server and database sees it.
_SEEN: Final = """
    SELECT FROM pg_stat_activity WHERE pid = %(pid)s AND usename = %(role)s AND datname = current_database()
"""
_TIMEOUTS: Final = Timeouts(statement=30.0, lock=5.0, idle_in_transaction=30.0)


class RotationError(InfraError):
    """A secret cannot be rotated now; nothing was changed."""

    code: ClassVar[str] = "ROTATION_REFUSED"
    exit_code: ClassVar[int] = 3


def plan_database(
    secrets: Secrets, owner: DirectUrl, application: str, *, announce: Callable[[str], None]
) -> list[Step]:
    """Plan that the API logs in to its database as the other of two roles, with a new password.

    The login that it has now stays good until `finish_database`.

    Args:
        secrets: Of the stage.
        owner: The database, as the role that made the application role.
        application: Name of the application role.
        announce: Is told, in one sentence, when the new login does not work at once.

    Raises:
        RotationError: There is no DATABASE_URL to begin with, or the last rotation is not finished.
        LoginRoleError: It logs in as a role of somebody else's.
    """
    current = _current_url(secrets)
    used = login_of(current, application)
    role, password = next_login(used, application), random.token_urlsafe(24)
    with open_connection(owner, _TIMEOUTS) as connection:
        logins = [each.role for each in read_logins(connection, application)]
    if used not in logins:
        raise _elsewhere(owner, used)
    if others := [each for each in logins if each != used]:
        raise RotationError(
            f"the last rotation is not finished: {' and '.join(others)} can log in too",
            hint="bough secrets rotate database --finish",
        )
    url = current.replace(user=f"{role}{current.user.removeprefix(used)}", password=password)

    def make() -> None:
        with open_connection(owner, _TIMEOUTS) as connection:
            make_login(connection, role, password, application=application)

    def end() -> str | None:
        # Ctrl-C, or a connection that broke, may have come when it was written.
        if login_of(_current_url(secrets), application) == role:
            return f"it stays: {DATABASE_URL} has it by now"
        with open_connection(owner, _TIMEOUTS) as connection:
            end_login(connection, role)
        return None

    def prove() -> None:
        with connected(url, Deadline(_PATIENCE), announce):
            pass

    def write() -> str:
        return f"version {secrets.put(API, DATABASE_URL, url.libpq())}"

    return [
        Step("role", f"Let {role} log in, with the rights and limits of {application}", make, undo=end),
        Step("prove", f"Log in as {role} to {url.host}:{url.port}", prove, after=("role",)),
        Step("write", f"Write {DATABASE_URL}", write, after=("prove",)),
    ]


def finish_database(
    secrets: Secrets,
    owner: DirectUrl,
    application: str,
    *,
    announce: Callable[[str], None],
    now: bool = False,
) -> list[str]:
    """End every login to the API's database but the one that DATABASE_URL holds; return whose it was.

    Nothing is ended before that one was seen to work, on this very database.

    Args:
        secrets: Of the stage.
        owner: The database, as the role that made the application role.
        application: Name of the application role.
        announce: Is told, in one sentence, when the login does not work at once.
        now: Also while an old login has connections, which go on. Who has no connection of the new login yet
            is refused once, and reads the secret again.

    Raises:
        RotationError: An old login has connections.
        LoginRoleError: DATABASE_URL logs in as a role of somebody else's, or to another database.
        BranchNotReadyError: It cannot be logged in with.
    """
    url = _current_url(secrets)
    used = login_of(url, application)
    with open_connection(owner, _TIMEOUTS) as connection:
        logins = read_logins(connection, application)
        if used not in {each.role for each in logins}:
            raise _elsewhere(owner, used)
        with connected(url, Deadline(_PATIENCE), announce) as own, own.transaction():
            seen = own.execute("SELECT pg_backend_pid()").fetchone()
            if connection.execute(_SEEN, {"pid": seen and seen[0], "role": used}).fetchone() is None:
                raise _elsewhere(owner, used)
        old = [each for each in logins if each.role != used]
        busy = [f"{each.role} has {each.connections}" for each in old if each.connections]
        if busy and not now:
            raise RotationError(
                f"connections of the old login are open: {', '.join(busy)}",
                hint="environments leave it within 15 minutes, a pooler's idle connections some time later;"
                " nothing was changed, --now ends the login all the same",
            )
        for each in old:
            end_login(connection, each.role)
    return [each.role for each in old]


def rotate_auth(secrets: Secrets, *, at_once: bool = False, now: float | None = None) -> float:
    """Write a new key of access tokens beside the old one, and return when it begins to sign.

    By then every environment has read it, so none meets a token that it cannot check. The old key is good
    until what it has signed has expired.

    Args:
        secrets: Of the stage.
        at_once: Write the new key alone: what the old one has signed is refused, and clients refresh it.
        now: Seconds since 1970.

    Raises:
        RotationError: The key of the last rotation does not sign yet, or what is there are no keys.
    """
    moment = time.time() if now is None else now
    new, text = random.token_hex(32), secrets.get(API, AUTH_SECRET)
    if at_once or text is None:
        secrets.put(API, AUTH_SECRET, new)
        return moment
    keys = _auth_keys(text)
    if (wait := keys[0].signs_from - moment) > 0:
        raise RotationError(
            f"the key of the last rotation begins to sign in {round(wait)} s",
            hint="nothing was changed; --now replaces both keys, and refuses the tokens that they signed",
        )
    signs_from = int(moment) + SPREAD
    document = {"keys": [asdict(each) for each in (AuthKey(new, signs_from), *keys[:_OLDER_KEYS])]}
    secrets.put(API, AUTH_SECRET, json.dumps(document))
    return signs_from


def _auth_keys(text: str) -> tuple[AuthKey, ...]:
    try:
        return read_auth_keys(text)
    except ValueError as error:
        reason = str(error)
    # Outside of `except`: the chain would quote the keys.
    raise RotationError(f"{AUTH_SECRET} {reason}", hint="--now writes a new key in its place")


def _current_url(secrets: Secrets) -> PooledUrl:
    text = secrets.get(API, DATABASE_URL)
    if text is None:
        raise RotationError(f"the stage has no {DATABASE_URL} yet", hint=f"bough secrets set {DATABASE_URL}")
    return PooledUrl.parse(text)


def _elsewhere(owner: DirectUrl, role: str) -> LoginRoleError:
    return LoginRoleError(
        f"{DATABASE_URL} logs in as {role}, and no such role can log in to {owner}: it is another database",
        hint="name the stage's branch with `branch` of [tool.bough.stages.…], or give the owner with --url",
    )
