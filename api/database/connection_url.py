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

import dataclasses
from typing import TYPE_CHECKING, Any, Self

from api.database.connection_url_field import field_schema
from api.database.connection_url_parameters import (
    check_together,
    known_parameters,
    why_not_asyncpg,
    why_not_pooled_options,
    with_defaults,
)
from api.database.connection_url_provider import (
    Provider,
    provider_of,
    refuse,
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
    from sqlalchemy.engine import URL

__all__ = ["ConnectionUrl", "ConnectionUrlError", "DirectUrl", "PooledUrl", "Provider"]


class ConnectionUrl:
    """A user's way to one database: immutable, compared by value, printed without the password.

    Made with `parse`; use `PooledUrl` or `DirectUrl` where it matters which it is.
    """

    # Not a dataclass: pydantic-settings would take a field of this type for JSON, and quote the
    # URL when it fails to read it as such.
    __slots__ = ("_parts",)
    _parts: Parts

    def __init__(self, parts: Parts) -> None:
        """Fill in the provider's defaults and refuse what cannot work.

        Raises:
            ConnectionUrlError: The parts do not fit together or are not of this kind.
        """
        completed = dataclasses.replace(
            parts, parameters=with_defaults(parts.parameters, provider_of(parts.host))
        )
        object.__setattr__(self, "_parts", completed)
        self._check()

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: a URL that was checked stays what it is."""
        message = f"{type(self).__name__} is immutable; use replace()"
        raise AttributeError(message)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URL as a provider, libpq or SQLAlchemy writes it.

        Raises:
            ConnectionUrlError: The URL cannot be used. Neither the error nor its traceback holds
                anything that may be the password.
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
        return cls(dataclasses.replace(parts, parameters=known_parameters(parts.parameters)))

    def _check(self) -> None:
        check_together(self._parameters, self.sslmode, is_socket=self._parts.is_socket)
        refuse(why_not_user(self.host, self.user, self._parameters.get("options", "")))

    @property
    def host(self) -> str:
        """Host name in lower case, IP address without brackets, or a socket's absolute folder."""
        return self._parts.host

    @property
    def port(self) -> int:
        """TCP port, or the number in the socket's name."""
        return self._parts.port

    @property
    def database(self) -> str:
        """Name of the database."""
        return self._parts.database

    @property
    def user(self) -> str:
        """Name of the role; on Supabase's shared pooler with the project's reference."""
        return self._parts.user

    @property
    def _parameters(self) -> dict[str, str]:
        return self._parts.parameters

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
        sealed = self._parts.password if password is None else checked_password(Secret(password))
        del password
        return type(self)(
            dataclasses.replace(
                self._parts,
                host=self.host if host is None else checked_host(host),
                port=self.port if port is None else checked_port(port),
                database=database or self.database,
                user=user or self.user,
                password=sealed,
            )
        )

    def asyncpg(self) -> tuple[URL, dict[str, Any]]:
        """Return SQLAlchemy's URL, without query, and the `connect_args` to go with it.

        `timeout` (seconds, `None` for no limit) is among them only where the URL has a
        `connect_timeout`; other time limits and caches are the engine's.

        Raises:
            ConnectionUrlError: A parameter asks for protection that asyncpg cannot give, or a
                certificate cannot be read.
        """
        refuse(why_not_asyncpg(self._parameters, self.sslmode))
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
        if self._parts.is_socket:
            arguments |= {"host": self.host, "port": self.port}
        return self._sqlalchemy("postgresql+asyncpg", {}), arguments

    def psycopg(self) -> URL:
        """Return SQLAlchemy's URL with libpq's parameters; the mode is always among them."""
        query = {**self._parameters, "sslmode": self.sslmode}
        # libpq looks in ~/.postgresql, and the libpq in psycopg's wheel knows no system's CAs.
        if self.sslmode.startswith("verify") and query.get("sslrootcert", "system") == "system":
            query["sslrootcert"] = str(system_bundle() or "system")
        if self._parts.is_socket:
            query |= {"host": self.host, "port": str(self.port)}
        return self._sqlalchemy("postgresql+psycopg", query)

    def libpq(self) -> str:
        """Return the whole URL **with the password**, for psql and environment files.

        `parse` gives an equal URL back. Never log it or put it on a command line.
        """
        return join(self._parts, masked=False)

    def _asyncpg_ssl(self) -> ssl.SSLContext | str | bool:
        """Return what asyncpg takes as `ssl`."""
        if self._parts.is_socket or self.sslmode == "disable":
            return False
        if self._parameters.get("channel_binding") == "require":
            return client_context("verify-full", self._parameters)
        if self.sslmode in {"allow", "prefer"}:
            # Only by name does asyncpg try both ways.
            return self.sslmode
        return client_context(self.sslmode, self._parameters)

    def _sqlalchemy(self, driver: str, query: dict[str, str]) -> URL:
        from sqlalchemy.engine import URL  # noqa: PLC0415  half a second that `bough status` need not pay

        return URL.create(
            driver,
            username=self.user,
            password=None if self._parts.password is None else self._parts.password.reveal(),
            host=None if self._parts.is_socket else self.host,
            port=None if self._parts.is_socket else self.port,
            database=self.database,
            query=query,
        )

    def __eq__(self, other: object) -> bool:
        """Compare by value, and by kind: a pooled URL never equals a direct one."""
        return isinstance(other, ConnectionUrl) and type(self) is type(other) and self._parts == other._parts

    def __hash__(self) -> int:
        """Hash the value."""
        return hash(self._parts)

    def __reduce__(self) -> tuple[type[Self], tuple[Parts]]:
        """Let copies be made, which `__setattr__` would refuse."""
        return type(self), (self._parts,)

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

    Refuses an address known to be direct or in session mode, and parameters that ask for what a
    pooler or asyncpg cannot do.
    """

    __slots__ = ()

    def _check(self) -> None:
        super()._check()
        refuse(why_not_pooled(self.host, self.port))
        refuse(why_not_pooled_options(self._parameters.get("options", "")))
        refuse(why_not_asyncpg(self._parameters, self.sslmode))


class DirectUrl(ConnectionUrl):
    """A URL for migrations: the server itself, or a session-mode pooler.

    Refuses an address known to be a transaction-mode pooler.
    """

    __slots__ = ()

    def _check(self) -> None:
        super()._check()
        refuse(why_not_direct(self.host, self.port))
