"""Do the two connection strings lead where they should, protected, through the right kind of pooler?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import psycopg

from api.database.connection_url_tls import system_bundle
from infra.doctor.checks import failed, ok, one_line, warning

if TYPE_CHECKING:
    from infra.doctor.checks import Finding
    from infra.doctor.target import Direct, Pooled, Target

#: Two clients ask in turn so often which server process serves them.
_ROUNDS: Final = 10

_FIXES: Final = {
    "authentication failed": "take the connection string anew from the provider",
    "Connection refused": "nothing listens there: `bough status` says what runs, `bough up` starts it",
    "timeout": "is a firewall between, or has the host only an IPv6 address, which this network lacks?",
    "resolve": "is the host name right?",
    "does not exist": "is the database's or the role's name right?",
}


def reachable(target: Target[Any]) -> Finding:
    """Does the connection string lead to a database that answers?"""
    if target.problem is not None:
        return target.problem
    url = target.usable()
    begun = time.monotonic()
    try:
        with target.connect() as connection:
            connection.execute("SELECT 1")
            version = connection.info.parameter_status("server_version")
    except psycopg.OperationalError as error:
        said = one_line(error)
        fix = next((fix for text, fix in _FIXES.items() if text in said), "check host, port and network")
        return failed(f"{url}: {said}", fix)
    milliseconds = (time.monotonic() - begun) * 1000
    return ok(f"{url} answered in {milliseconds:.0f} ms: PostgreSQL {version}")


def encrypted(target: Target[Any]) -> Finding:
    """Is the connection encrypted, and the server's certificate or key verified?"""
    url = target.usable()
    with target.connected() as connection:
        in_use = connection.pgconn.ssl_in_use
        # libpq's own defaults among them.
        given = {each.keyword: each.val for each in connection.pgconn.info if each.val is not None}
    mode = given.get(b"sslmode", b"").decode()
    if not in_use and target.is_local:
        return ok("not encrypted, and nothing leaves this machine")
    if not in_use:
        return failed(
            f"the connection to {url.host} is not encrypted (sslmode={mode})",
            f"write sslmode=verify-full into {target.variable}",
        )
    if mode == "verify-full":
        return ok("encrypted, certificate and host name verified")
    if given.get(b"channel_binding") == b"require":
        return ok("encrypted, and bound to the server that knows the password (channel_binding=require)")
    said = _why_unverified(target, given.get(b"sslrootcert", b"").decode())
    if said is None:
        return warning(
            f"encrypted, but whose certificate it is goes unchecked (sslmode={mode})",
            f"write sslmode=verify-full into {target.variable}: it works here",
        )
    return warning(
        f"encrypted, but the certificate cannot be verified: {said}",
        "name the provider's CA with sslrootcert=…, and write sslmode=verify-full",
    )


def _why_unverified(target: Target[Any], given: str) -> str | None:
    authorities = given or str(system_bundle() or "system")
    try:
        target.connect({"sslmode": "verify-full", "sslrootcert": authorities}).close()
    except psycopg.OperationalError as error:
        return one_line(error)
    return None


def pooled(target: Pooled) -> Finding:
    """Does a transaction-mode pooler stand in the pooled URL's way?"""
    if shares_server_processes(target):
        return ok("transaction mode: one server process served several clients")
    if target.is_local:
        return warning(
            "every client has a server process of its own: no transaction-mode pooler is in between",
            "on this machine: install PgBouncer and start again with `bough up`",
        )
    return failed(
        "every client keeps a server process of its own: a direct URL, or a pooler in session mode",
        f"give {target.variable} the provider's transaction-mode pooler: each Lambda keeps a connection",
    )


def direct(target: Direct) -> Finding:
    """Is there no transaction-mode pooler in the direct URL's way?"""
    if shares_server_processes(target):
        return failed(
            "a transaction-mode pooler is in between: locks and settings of a migration do not hold there",
            f"give {target.variable} the provider's direct connection string",
        )
    return ok("sessions are the client's own")


def shares_server_processes(target: Target[Any]) -> bool:
    """Return whether connections outlast no transaction: proof of a transaction-mode pooler.

    Asks for nothing but `pg_backend_pid()`. One process for two clients that are both connected, or
    two for one client, can be nothing else; a busy pooler shows the second, an idle one the first.
    """
    with target.connected() as one, target.connected() as other:
        served: tuple[set[int], set[int]] = (set(), set())
        for _ in range(_ROUNDS):
            for connection, processes in zip((one, other), served, strict=True):
                row = connection.execute("SELECT pg_backend_pid()").fetchone()
                processes.add(row[0] if row else 0)
            if served[0] & served[1] or max(map(len, served)) > 1:
                return True
    return False
