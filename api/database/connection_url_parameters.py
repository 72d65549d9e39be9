"""The parameters of a connection URL: which are known, what they may be, and to which driver."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from api.database.connection_url_provider import Provider, Refusal
from api.database.connection_url_syntax import ConnectionUrlError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: libpq's values; `ssl_*_protocol_version` without the versions that OpenSSL 3 no longer speaks.
_CHOICES: Final = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "channel_binding": ("disable", "prefer", "require"),
    "client_encoding": ("utf8", "UTF8"),
    "gssencmode": ("disable", "prefer", "require"),
    "sslnegotiation": ("postgres", "direct"),
    "ssl_min_protocol_version": ("TLSv1.2", "TLSv1.3"),
    "ssl_max_protocol_version": ("TLSv1.2", "TLSv1.3"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
}
_INTEGERS: Final = frozenset(
    {
        "connect_timeout",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "tcp_user_timeout",
    }
)
#: Checks that asyncpg cannot make: leaving them out would weaken what the URL asks for.
_PSYCOPG_ONLY: Final = frozenset({"require_auth", "requirepeer", "sslcertmode", "sslcrl", "sslcrldir"})
_TEXTS: Final = frozenset(
    {
        "application_name",
        "fallback_application_name",
        "gssdelegation",
        "gsslib",
        "krbsrvname",
        "load_balance_hosts",
        "options",
        "sslcert",
        "sslcompression",
        "sslkey",
        "sslrootcert",
        "sslsni",
    }
)
_KNOWN: Final = frozenset(_CHOICES) | _INTEGERS | _PSYCOPG_ONLY | _TEXTS
#: What Supabase's and Vercel's consoles and the guides for Prisma and node-postgres add for
#: their own clients.
_FOR_OTHERS: Final = frozenset({"connection_limit", "pgbouncer", "pool_timeout", "supa", "uselibpqcompat"})
_UNSUPPORTED: Final = {
    "hostaddr": "name the host only",
    "passfile": "put the password into the URL",
    "service": "write the service's settings into the URL",
    "sslpassword": "use a client key without a passphrase",
}
#: `options` that choose where a proxy sends the connection, which the proxy then removes: Neon's
#: `endpoint` and `project`, Supavisor's `reference`.
_ROUTING: Final = re.compile(r"(?:endpoint|project|reference)=[A-Za-z0-9_.-]+")
_SETTING_NAME: Final = re.compile(r"(?:^|\s)(?:-c\s*|--)([A-Za-z_][\w.]*)\s*=")


def known_parameters(given: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters in libpq's names, without those meant for other clients.

    Raises:
        ConnectionUrlError: One is unknown or has a value that libpq would refuse.
    """
    parameters = {name: value for name, value in given.items() if name not in _FOR_OTHERS}
    if "ssl" in parameters:
        # JDBC's `ssl=true`, which libpq takes too, and SQLAlchemy's `ssl=<mode>` for asyncpg.
        mode = parameters.pop("ssl")
        if "sslmode" in parameters:
            raise ConnectionUrlError("The connection URL gives both ssl and sslmode", hint="keep sslmode")
        parameters["sslmode"] = "require" if mode == "true" else mode
    for name, value in parameters.items():
        _check(name, value)
    return parameters


def _check(name: str, value: str) -> None:
    if name in _UNSUPPORTED:
        message = f"The connection URL has the parameter {name}, which is not supported"
        raise ConnectionUrlError(message, hint=_UNSUPPORTED[name])
    if name not in _KNOWN:
        nearest = get_close_matches(name, _KNOWN, n=1)
        message = f"The connection URL has an unknown parameter: {name}"
        hint = f"did you mean {nearest[0]}?" if nearest else f"known are {', '.join(sorted(_KNOWN))}"
        raise ConnectionUrlError(message, hint=hint)
    if name in _CHOICES and value not in _CHOICES[name]:
        message = f"The connection URL's {name} has a value that does not exist"
        raise ConnectionUrlError(message, hint=f"use one of {', '.join(_CHOICES[name])}")
    if name in _INTEGERS and not re.fullmatch(r"-?[0-9]{1,9}", value):
        message = f"The connection URL's {name} is not a whole number"
        raise ConnectionUrlError(message)


def with_defaults(parameters: Mapping[str, str], provider: Provider) -> dict[str, str]:
    """Return the parameters with what libpq and the provider imply."""
    completed = dict(parameters)
    if completed.get("sslrootcert") == "system":
        completed.setdefault("sslmode", "verify-full")
    elif provider is not Provider.PLAIN:
        completed.setdefault("sslmode", "require")
    if completed.get("sslmode") == "verify-full":
        completed.setdefault("sslrootcert", "system")
    return completed


def check_together(parameters: Mapping[str, str], sslmode: str, *, is_socket: bool) -> None:
    """Check parameters that exclude each other, as libpq does at connect time.

    Raises:
        ConnectionUrlError: The connection could never be made as asked.
    """
    if parameters.get("channel_binding") == "require" and (sslmode == "disable" or is_socket):
        message = "The connection URL asks for channel_binding=require on a connection without TLS"
        raise ConnectionUrlError(message, hint="use sslmode=require or stronger, or drop channel_binding")
    if parameters.get("sslrootcert") == "system" and sslmode != "verify-full":
        message = f"The connection URL's sslrootcert=system means nothing with sslmode={sslmode}"
        raise ConnectionUrlError(
            message, hint="use sslmode=verify-full: anyone can have a public certificate"
        )
    if parameters.get("sslnegotiation") == "direct" and sslmode in {"disable", "allow", "prefer"}:
        message = f"The connection URL's sslnegotiation=direct excludes sslmode={sslmode}"
        raise ConnectionUrlError(message, hint="use sslmode=require or stronger")


def why_not_asyncpg(parameters: Mapping[str, str], sslmode: str) -> Refusal | None:
    """Return what asyncpg could not honour, and ignoring would weaken."""
    for name in sorted(_PSYCOPG_ONLY & parameters.keys()):
        return Refusal(f"asyncpg cannot honour the parameter {name}", "leave it to the direct URL")
    if parameters.get("gssencmode") == "require":
        return Refusal(
            "asyncpg has no GSSAPI encryption", "use TLS: drop gssencmode, give sslmode=verify-full"
        )
    if "sslcert" in parameters and sslmode in {"allow", "prefer"}:
        return Refusal(
            f"asyncpg sends no client certificate with sslmode={sslmode}", "use sslmode=require or stronger"
        )
    return None


def why_not_pooled_options(options: str) -> Refusal | None:
    """Return why a pooler would not carry these `options`.

    PgBouncer rejects settings in them, Neon's proxy and Supavisor drop them without a word.
    """
    if all(_ROUTING.fullmatch(word) for word in options.split()):
        return None
    names = _SETTING_NAME.findall(options)
    what = f"options that set {', '.join(names)}" if names else "options"
    return Refusal(
        f"The pooled URL has {what}: poolers reject or silently drop them",
        f"set it on the role, over the direct URL: ALTER ROLE <role> SET {names[0] if names else '<name>'} = "
        "<value>; timeouts are set so at provisioning",
    )
