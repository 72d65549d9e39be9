"""The grammar of a connection URL: text taken apart and put together, as libpq does it.

`urllib.parse` is not used to split: it cuts at `#`, which libpq allows in a password, and its errors
quote the text. Nothing here quotes anything that could be a piece of the password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv6Address
from typing import ClassVar, Final
from urllib.parse import quote, unquote

DEFAULT_PORT: Final = 5432

_SCHEME: Final = re.compile(r"postgres(?:ql)?(?:\+(?:asyncpg|psycopg|psycopg2))?://")
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PARAMETER_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}")
#: What consoles and templates show where the password belongs; asterisks are a masked copy.
_PLACEHOLDER: Final = re.compile(r"\*+|\[your-password\]", re.IGNORECASE)
#: Parameters by which libpq lets the query fill what the URL's front left out.
_IN_QUERY: Final = ("user", "password", "host", "port", "dbname")

_ENCODE: Final = "percent-encode it in the password and the user: @ is %40, / is %2F, ? is %3F, % is %25"


class ConnectionUrlError(ValueError):
    """A connection URL cannot be used; the message says why and never holds the password.

    Args:
        message: What is wrong.
        hint: How to put it right.
    """

    code: ClassVar[str] = "CONNECTION_URL_INVALID"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """Keep the hint apart, as `InfraError` does."""
        super().__init__(message)
        self.hint = hint


class Secret:
    """A string that shows itself only when asked by name: tracebacks and logs print `***`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Seal `value`."""
        self._value = value

    def reveal(self) -> str:
        """Return the string."""
        return self._value

    def __repr__(self) -> str:
        """Return `***`."""
        return "***"

    def __eq__(self, other: object) -> bool:
        """Compare the strings."""
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        """Hash the string."""
        return hash(self._value)


@dataclass(frozen=True)
class Parts:
    """A URL taken apart: percent-decoded, defaults filled in, parameters not yet judged."""

    host: str
    port: int
    database: str
    user: str
    password: Secret | None
    parameters: dict[str, str] = field(hash=False)

    @property
    def is_socket(self) -> bool:
        """Whether `host` is the folder of a Unix socket."""
        return self.host.startswith("/")


def split(text: str) -> Parts:
    """Take a URL apart.

    Raises:
        ConnectionUrlError: `text` is no URL of one PostgreSQL server with a user and a host.
    """
    body = _without_scheme(text)
    # libpq ends the credentials at the first @; a second one, or a / or ? before it, means that the
    # password is not encoded, and every guess at its end could show a piece of it as a host.
    credentials, _, rest = body.rpartition("@")
    if any(character in credentials for character in "@/?"):
        message = "The connection URL has an @, / or ? that is not percent-encoded"
        raise ConnectionUrlError(message, hint=_ENCODE)
    location, _, query = rest.partition("?")
    address, _, path = location.partition("/")
    if "/" in path:
        raise ConnectionUrlError("The connection URL has more than one / after the host", hint=_ENCODE)
    parameters = _parameters(query)
    user, _, password = credentials.partition(":")
    host, port = _address(address)
    given = {
        "user": _decoded(user, "user"),
        "password": _decoded(password, "password"),
        "host": _decoded(host, "host"),
        "port": port,
        "dbname": _decoded(path, "database"),
    }
    for name in _IN_QUERY:
        if (value := parameters.pop(name, "")) and given[name]:
            message = f"The connection URL gives {name} twice: before the ? and as a parameter"
            raise ConnectionUrlError(message, hint="keep one of them")
        given[name] = given[name] or value
    return _filled(given, parameters)


def join(parts: Parts, *, masked: bool) -> str:
    """Return the URL's text; unless masked, `split` gives the same parts back."""
    password = ""
    if parts.password is not None:
        password = ":***" if masked else ":" + quote(parts.password.reveal(), safe="")
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted(parts.parameters.items()))
    is_ipv6 = ":" in parts.host and not parts.is_socket
    host = f"[{quote(parts.host, safe=':')}]" if is_ipv6 else quote(parts.host, safe="")
    return (
        f"postgresql://{quote(parts.user, safe='')}{password}@{host}:{parts.port}"
        f"/{quote(parts.database, safe='')}{'?' * bool(query)}{query}"
    )


def _without_scheme(text: str) -> str:
    """Return what follows `postgresql://`, or say what the text is instead."""
    if not text.strip():
        raise ConnectionUrlError(
            "The connection URL is empty", hint="postgresql://user:password@host/database"
        )
    if text.startswith("psql "):
        message = "The connection URL is a whole psql command"
        raise ConnectionUrlError(message, hint="keep only what stands between the quotes")
    if text[0] in "'\"`" or text[-1] in "'\"`":
        raise ConnectionUrlError("The connection URL is in quotes", hint="remove the quotes around it")
    if text != text.strip():
        message = "The connection URL has white space around it"
        raise ConnectionUrlError(message, hint="remove the spaces and line ends around it")
    # Surrogates are what Python makes of environment variables that are not UTF-8.
    if any(
        character <= " " or character == "\x7f" or "\ud800" <= character <= "\udfff" for character in text
    ):
        message = "The connection URL has a space, a control character or bytes that are not UTF-8"
        raise ConnectionUrlError(message, hint="percent-encode it: a space is %20")
    scheme = _SCHEME.match(text)
    if scheme is None:
        message = "The connection URL does not start with postgresql:// or postgres://"
        raise ConnectionUrlError(message, hint="postgresql://user:password@host/database")
    return text[scheme.end() :]


def _decoded(text: str, what: str) -> str:
    """Percent-decode; `+` stays, as in libpq."""
    if _BAD_ESCAPE.search(text):
        message = f"The connection URL's {what} has a % that starts no percent-encoding"
        raise ConnectionUrlError(message, hint="write a literal % as %25")
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        message = f"The connection URL's {what} is not UTF-8 once percent-decoded"
        raise ConnectionUrlError(message, hint="percent-encode its UTF-8 bytes") from None
    if "\0" in decoded:
        message = f"The connection URL's {what} has a zero byte, which PostgreSQL cannot take"
        raise ConnectionUrlError(message)
    return decoded


def _address(text: str) -> tuple[str, str]:
    """Return the host, still encoded, and the port's text, empty where the URL gives none."""
    if "," in text:
        message = "The connection URL names several hosts"
        raise ConnectionUrlError(message, hint="name one: failover is the provider's or the pooler's work")
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            message = "The connection URL's IPv6 host is not [address] or [address]:port"
            raise ConnectionUrlError(message)
        return host, port[1:]
    host, _, port = text.partition(":")
    if ":" in port:
        message = "The connection URL has more than one : in its host"
        raise ConnectionUrlError(message, hint="put an IPv6 address in brackets: [::1]:5432")
    return host, port


def _parameters(query: str) -> dict[str, str]:
    """Take the query apart; the names are known to look like names."""
    parameters: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        name = _decoded(name, "parameter name")
        if not value or not _PARAMETER_NAME.fullmatch(name):
            message = "The connection URL has a parameter that is not name=value"
            raise ConnectionUrlError(message, hint="write ?name=value&name=value after the database")
        if name in parameters:
            message = f"The connection URL gives the parameter {name} twice"
            raise ConnectionUrlError(message, hint="keep one of them")
        parameters[name] = _decoded(value, f"parameter {name}")
    return parameters


def _filled(given: dict[str, str], parameters: dict[str, str]) -> Parts:
    """Check what every URL must have and fill in libpq's defaults."""
    if not given["host"]:
        message = "The connection URL names no host"
        raise ConnectionUrlError(
            message, hint="postgresql://user:password@host/database, host may be localhost"
        )
    if not given["user"]:
        message = "The connection URL names no user"
        raise ConnectionUrlError(message, hint="postgresql://user:password@host/database")
    return Parts(
        host=checked_host(given["host"]),
        port=_port(given["port"]),
        database=given["dbname"] or given["user"],
        user=given["user"],
        password=checked_password(Secret(given["password"])),
        parameters=parameters,
    )


def checked_host(host: str) -> str:
    """Return a host name in lower case, an IP address or a socket's folder.

    Raises:
        ConnectionUrlError: It is none of these, or several.
    """
    # A comma separates several hosts, for libpq in a socket's folder too.
    if host.startswith("/") and "," not in host:
        return host
    if ":" in host and not host.startswith("/"):
        try:
            IPv6Address(host)
        except AddressValueError:
            raise ConnectionUrlError("The connection URL's host is no IPv6 address") from None
        return host.lower()
    host = host.removesuffix(".").lower()
    if not _HOST_NAME.fullmatch(host):
        message = "The connection URL's host is no host name, IP address or absolute folder of a socket"
        raise ConnectionUrlError(message, hint=f"if a piece of the password stands there, {_ENCODE}")
    return host


def checked_port(port: int) -> int:
    """Return the port.

    Raises:
        ConnectionUrlError: It is not between 1 and 65535.
    """
    if not 1 <= port <= 65535:  # noqa: PLR2004  the range of TCP ports
        raise ConnectionUrlError("The connection URL's port is not between 1 and 65535")
    return port


def checked_password(password: Secret) -> Secret | None:
    """Return the password, `None` for an empty one, as in libpq.

    Raises:
        ConnectionUrlError: It is a placeholder or a mask, which no server would accept.
    """
    if _PLACEHOLDER.fullmatch(password.reveal()):
        message = "The connection URL has a placeholder where the password belongs"
        raise ConnectionUrlError(message, hint="copy the URL with the password shown, or put it in")
    return password if password.reveal() else None


def _port(text: str) -> int:
    if not text:
        return DEFAULT_PORT
    # The length keeps int() from its own error about huge numbers, which would quote the text.
    if not text.isascii() or not text.isdigit() or len(text) > 5:  # noqa: PLR2004  65535
        message = "The connection URL's port is not a number between 1 and 65535"
        raise ConnectionUrlError(message, hint=f"postgresql://user:password@host:port/database; {_ENCODE}")
    return checked_port(int(text))
