"""What a secret may be: refused before it is written, where it could not work."""

from __future__ import annotations

from typing import Final

import psycopg

from api.auth_keys import read_auth_keys, refuse_weak_key
from api.database.connection_url import ConnectionUrlError, DirectUrl, PooledUrl
from infra.aws.secrets import SecretError, check_name

#: Which kind of connection string a variable holds, and the function that may read it.
_URLS: Final[dict[str, tuple[type[PooledUrl | DirectUrl], str]]] = {
    "DATABASE_URL": (PooledUrl, "api"),
    "DATABASE_URL_UNPOOLED": (DirectUrl, "migrate"),
}
_CONNECT_TIMEOUT: Final = 10


def check_reader(name: str, owner: str) -> None:
    """Refuse a name that is no variable's, and a connection string for a function that must not have it.

    Raises:
        SecretError: It cannot be used, or the API would read the direct one, or migrations the pooled one.
    """
    check_name(name)
    _, reader = _URLS.get(name, (None, owner))
    if reader != owner:
        raise SecretError(
            f"{name} is for the function {reader}, not {owner}",
            hint=f"add --function {reader}: requests use the pooled connection string, migrations the other",
        )


def check_value(name: str, value: str, *, connect: bool) -> None:
    """Refuse a value that cannot work.

    Args:
        name: The variable.
        value: Its new value.
        connect: Whether to log in with a connection string.

    Raises:
        SecretError: It is empty or no text, a weak key, no connection string of the right kind, or opens no
            database. The message never quotes it.
    """
    if not value:
        raise SecretError(f"the value of {name} is empty", hint="nothing was changed")
    # What stdin holds that is no UTF-8 comes as surrogates.
    if not value.isascii() and any("\ud800" <= each <= "\udfff" for each in value):
        raise SecretError(
            f"the value of {name} is no text in UTF-8", hint="encode it, for instance with base64"
        )
    if name == "AUTH_SECRET":
        _check_key(name, value)
    if name not in _URLS:
        return
    try:
        url = _URLS[name][0].parse(value)
    except ConnectionUrlError as error:
        failure = SecretError(f"{name}: {error}", hint=error.hint)
    else:
        reason = why_not(url) if connect else None
        if reason is None:
            return
        failure = SecretError(
            f"{url} cannot be logged in to: {reason}",
            hint="nothing was changed; --no-check writes it unproven",
        )
    # Raised here: the first error's traceback has frames whose variables hold the value.
    raise failure


def _check_key(name: str, value: str) -> None:
    """Refuse what `api.settings` would, which would only be found when requests fail."""
    try:
        for each in read_auth_keys(value):
            refuse_weak_key(each.key)
    except ValueError as error:
        reason = str(error)
    else:
        return
    raise SecretError(f"{name} {reason}", hint="bough secrets rotate auth makes one itself")


def why_not(url: PooledUrl | DirectUrl) -> str | None:
    """Log in once, and return why that cannot be done; `None` where it can."""
    try:
        # A pooler may not know named statements.
        with psycopg.connect(
            url.libpq(), autocommit=True, connect_timeout=_CONNECT_TIMEOUT, prepare_threshold=None
        ) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        return " ".join(str(error).split())
    return None
