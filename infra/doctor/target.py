"""One of the two connection strings, as a check finds it: to be read, to be connected to."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import psycopg

from api.database.connection_url import ConnectionUrl, ConnectionUrlError, DirectUrl, PooledUrl
from infra.doctor.checks import Finding, NotCheckedError, failed
from infra.local.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Connection = psycopg.Connection[tuple[Any, ...]]

UrlT = TypeVar("UrlT", bound=ConnectionUrl)

#: Seconds. A suspended compute starts within them.
_CONNECT_TIMEOUT = 10


@dataclass(frozen=True, slots=True)
class Target(Generic[UrlT]):
    """A connection string, or why there is none.

    Args:
        variable: Where it stands, `DATABASE_URL` or `DATABASE_URL_UNPOOLED`.
        url: `None` when it is missing or cannot be used.
        problem: Set exactly then.
    """

    variable: str
    url: UrlT | None
    problem: Finding | None = None

    @classmethod
    def read(cls, kind: type[UrlT], variable: str, text: str | None) -> Self:
        """Read what stands in a variable; nothing connects."""
        if not text:
            fix = "start one with `bough up`, or name a branch: `bough env run --branch NAME -- bough doctor`"
            return cls(variable, None, failed(f"{variable} is not set, and no local world is running", fix))
        try:
            return cls(variable, kind.parse(text))
        except ConnectionUrlError as error:
            fix = error.hint or "take it anew from the provider"
            return cls(variable, None, failed(f"{variable}: {error}", fix))

    @property
    def is_local(self) -> bool:
        """Whether it leads to this machine."""
        host = self.usable().host
        return host in {LOOPBACK, "::1", "localhost"} or host.startswith("/")

    def usable(self) -> UrlT:
        """Return the URL.

        Raises:
            NotCheckedError: There is none.
        """
        if self.url is None:
            raise NotCheckedError(f"there is no usable {self.variable}")
        return self.url

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """Lend a connection in autocommit, without prepared statements.

        Raises:
            NotCheckedError: There is no URL, or it cannot be connected to.
        """
        try:
            connection = self.connect()
        except psycopg.OperationalError:
            # libpq's words are the reachability check's to report.
            unreachable = True
        else:
            unreachable = False
        if unreachable:
            raise NotCheckedError(f"{self.variable} cannot be connected to")
        with connection:
            yield connection

    def connect(self, parameters: Mapping[str, str] | None = None) -> Connection:
        """Return a new connection.

        Args:
            parameters: libpq's, instead of those in the URL.

        Raises:
            NotCheckedError: There is no URL.
            psycopg.OperationalError: It cannot be connected to.
        """
        url = self.usable().psycopg().set(drivername="postgresql")
        query = {"connect_timeout": str(_CONNECT_TIMEOUT), "application_name": "bough doctor", **url.query}
        text = url.set(query=query | dict(parameters or {})).render_as_string(hide_password=False)
        return psycopg.connect(text, autocommit=True, prepare_threshold=None)


Pooled = Target[PooledUrl]
Direct = Target[DirectUrl]
