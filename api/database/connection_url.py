"""One translator from any Neon, Supabase or libpq connection URL to what asyncpg and psycopg take.

`PooledUrl` is for requests, `DirectUrl` for migrations; they are siblings, so neither type checker
nor run time takes one for the other, and each refuses an address that is known to be the other kind.

The same meaning for both drivers:

- `sslmode` as in libpq; left out it is `prefer`, and `require` on Neon and Supabase. A verifying
  mode without `sslrootcert` trusts the system's CAs.
- `channel_binding` stays for psycopg. asyncpg has none: `require`, which proves to the client that
  it speaks to the server that knows its password, becomes `verify-full`, which proves as much.
- Parameters for other clients (`pgbouncer`, `supa`, …) are dropped; unknown ones are errors.
- On a Unix socket there is no TLS.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy.engine import URL

from api.database.connection_url_field import field_schema
from api.database.connection_url_parameters import (
    check_together,
    known_parameters,
    why_not_asyncpg,
    why_not_pooled_options,
)
from api.database.connection_url_provider import (
    Provider,
    Refusal,
    provider_of,
    why_not_direct,
    why_not_pooled,
    why_not_user,
)
from api.database.connection_url_syntax import (
    ConnectionUrlError,
    Parts,
    Secret,
    checked_host,
    checked_password,
    checked_port,
    join,
    split,
)
from api.database.connection_url_tls import client_context, system_bundle

if TYPE_CHECKING:
    import ssl

    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

__all__ = ["ConnectionUrl", "ConnectionUrlError", "DirectUrl", "PooledUrl", "Provider"]

_VERIFYING = ("verify-ca", "verify-full")


@dataclass(frozen=True, repr=False)
class ConnectionUrl:
    """A user's way to one database; made with `parse`, compared by value, printed without password.

    Args:
        host: Host name in lower case, IP address without brackets, or a socket's absolute folder.
        port: TCP port, or the number in the socket's name.
        database: Name of the database.
        user: Name of the role, on Supabase's shared pooler with the project's reference.

    Raises:
        ConnectionUrlError: The parts do not fit together or are not of this kind.
    """

    host: str
    port: int
    database: str
    user: str
    _password: Secret | None
    _parameters: dict[str, str] = field(hash=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URL as a provider, libpq or SQLAlchemy writes it.

        Raises:
            ConnectionUrlError: The URL cannot be used. The error and its traceback hold no part of
                the text but names that are known not to be the password.
        """
        sealed = Secret(text)
        del text
        try:
            return cls._read(sealed)
        except ConnectionUrlError as error:
            failure = ConnectionUrlError(str(error), hint=error.hint)
        # Raised anew: the first error's traceback has frames whose variables hold the text.
        raise failure

    @classmethod
    def _read(cls, sealed: Secret) -> Self:
        parts = split(sealed.reveal())
        parameters = known_parameters(parts.parameters)
        return cls(parts.host, parts.port, parts.database, parts.user, parts.password, parameters)

    def __post_init__(self) -> None:
        """Fill in the provider's defaults and refuse what cannot work."""
        object.__setattr__(self, "_parameters", self._with_defaults())
        check_together(self._parameters, self.sslmode, self.host)
        self._refuse(why_not_user(self.host, self.user, self._parameters.get("options", "")))

    def _with_defaults(self) -> dict[str, str]:
        parameters = dict(self._parameters)
        if parameters.get("sslrootcert") == "system":
            parameters.setdefault("sslmode", "verify-full")
        elif self.provider is not Provider.PLAIN:
            parameters.setdefault("sslmode", "require")
        if parameters.get("sslmode") == "verify-full":
            parameters.setdefault("sslrootcert", "system")
        return parameters

    @staticmethod
    def _refuse(refusal: Refusal | None) -> None:
        if refusal is not None:
            raise ConnectionUrlError(refusal.reason, hint=refusal.fix)

    @property
    def provider(self) -> Provider:
        """Who runs the database, as far as the host tells."""
        return provider_of(self.host)

    @property
    def sslmode(self) -> str:
        """The mode in force: one of libpq's six."""
        return self._parameters.get("sslmode", "prefer")

    @property
    def application_name(self) -> str | None:
        """What `pg_stat_activity` shows for the connection."""
        return self._parameters.get("application_name", self._parameters.get("fallback_application_name"))

    def replace(
        self,
        *,
        user: str | None = None,
        password: str | None = None,
        database: str | None = None,
        host: str | None = None,
        port: int | None = None,
    ) -> Self:
        """Return a URL of the same kind with the given parts changed, checked like a parsed one.

        An empty password takes the password away.

        Raises:
            ConnectionUrlError: As `parse`.
        """
        sealed = self._password if password is None else checked_password(Secret(password))
        del password
        return type(self)(
            host=self.host if host is None else checked_host(host),
            port=self.port if port is None else checked_port(port),
            database=database or self.database,
            user=user or self.user,
            _password=sealed,
            _parameters=self._parameters,
        )

    def asyncpg(self) -> tuple[URL, dict[str, Any]]:
        """Return SQLAlchemy's URL, without query, and the `connect_args` to go with it.

        `timeout` (seconds, `None` for no limit) is among them only where the URL has a
        `connect_timeout`; other time limits and caches are the engine's.

        Raises:
            ConnectionUrlError: A parameter asks for protection that asyncpg cannot give, or a
                certificate cannot be read.
        """
        self._refuse(why_not_asyncpg(self._parameters, self.sslmode))
        arguments: dict[str, Any] = {"ssl": self._asyncpg_ssl()}
        settings = {"application_name": self.application_name, "options": self._parameters.get("options")}
        if given := {name: value for name, value in settings.items() if value is not None}:
            arguments["server_settings"] = given
        if (seconds := self._parameters.get("connect_timeout")) is not None:
            arguments["timeout"] = max(int(seconds), 0) or None
        for name in ("target_session_attrs", "krbsrvname", "gsslib"):
            if name in self._parameters:
                arguments[name] = self._parameters[name]
        if self._parameters.get("sslnegotiation") == "direct":
            arguments["direct_tls"] = True
        if self._is_socket:
            arguments |= {"host": self.host, "port": self.port}
        return self._sqlalchemy("postgresql+asyncpg", {}), arguments

    def psycopg(self) -> URL:
        """Return SQLAlchemy's URL with libpq's parameters; the mode is always among them."""
        query = {**self._parameters, "sslmode": self.sslmode}
        # libpq looks in ~/.postgresql, and the libpq in psycopg's wheel knows no system's CAs.
        if self.sslmode in _VERIFYING and query.get("sslrootcert", "system") == "system":
            query["sslrootcert"] = str(system_bundle() or "system")
        if self._is_socket:
            query |= {"host": self.host, "port": str(self.port)}
        return self._sqlalchemy("postgresql+psycopg", query)

    def libpq(self) -> str:
        """Return the whole URL **with the password**, for psql and environment files.

        `parse` gives an equal URL back. Never log it or put it on a command line.
        """
        return join(self._parts, masked=False)

    @property
    def _is_socket(self) -> bool:
        return self.host.startswith("/")

    def _asyncpg_ssl(self) -> ssl.SSLContext | str | bool:
        """Return what asyncpg takes as `ssl`."""
        if self._is_socket or self.sslmode == "disable":
            return False
        if self._parameters.get("channel_binding") == "require":
            return client_context("verify-full", self._parameters)
        if self.sslmode in {"allow", "prefer"}:
            # Only by name does asyncpg try both ways.
            return self.sslmode
        return client_context(self.sslmode, self._parameters)

    def _sqlalchemy(self, driver: str, query: dict[str, str]) -> URL:
        return URL.create(
            driver,
            username=self.user,
            password=None if self._password is None else self._password.reveal(),
            host=None if self._is_socket else self.host,
            port=None if self._is_socket else self.port,
            database=self.database,
            query=query,
        )

    @property
    def _parts(self) -> Parts:
        return Parts(self.host, self.port, self.database, self.user, self._password, self._parameters)

    def __str__(self) -> str:
        """Return the URL with `***` for the password."""
        return join(self._parts, masked=True)

    def __repr__(self) -> str:
        """Return the type and the URL with `***` for the password."""
        return f"{type(self).__name__}({str(self)!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        """Let pydantic read a field of this type from text."""
        return field_schema(cls, cls.parse)


class PooledUrl(ConnectionUrl):
    """A URL for requests: a transaction-mode pooler, or a plain server standing in for one.

    Raises:
        ConnectionUrlError: The address is known to be direct or in session mode, or the parameters
            ask for what a pooler or asyncpg cannot do.
    """

    def __post_init__(self) -> None:
        """Refuse a direct address."""
        super().__post_init__()
        self._refuse(why_not_pooled(self.host, self.port))
        self._refuse(why_not_pooled_options(self._parameters.get("options", "")))
        self._refuse(why_not_asyncpg(self._parameters, self.sslmode))


class DirectUrl(ConnectionUrl):
    """A URL for migrations: the server itself, or a session-mode pooler.

    Raises:
        ConnectionUrlError: The address is known to be a transaction-mode pooler.
    """

    def __post_init__(self) -> None:
        """Refuse a pooled address."""
        super().__post_init__()
        self._refuse(why_not_direct(self.host, self.port))
