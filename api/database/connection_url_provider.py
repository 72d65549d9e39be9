"""Whose database an address is, and whether it is a transaction-mode pooler.

From the providers' documents: Neon puts `-pooler` after the endpoint's id in the host; Supabase
serves transactions on port 6543 and sessions on 5432 of its shared pooler
(`*.pooler.supabase.com`, user `postgres.<ref>`), a dedicated PgBouncer on port 6543 and the
database itself on port 5432 of `db.<ref>.supabase.co`. Any other host may be either.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from api.database.connection_url_syntax import ConnectionUrlError

_TRANSACTIONS: Final = 6543
_SESSIONS: Final = 5432
_SHARED_POOLER: Final = ".pooler.supabase.com"


class Provider(StrEnum):
    """Who runs the database, as far as the host tells."""

    NEON = "neon"
    SUPABASE = "supabase"
    PLAIN = "plain"


class Refusal(NamedTuple):
    """Why a URL will not do, and what to use instead."""

    reason: str
    fix: str


def refuse(refusal: Refusal | None) -> None:
    """Raise a refusal, where there is one.

    Raises:
        ConnectionUrlError: There is one.
    """
    if refusal is not None:
        raise ConnectionUrlError(refusal.reason, hint=refusal.fix)


def provider_of(host: str) -> Provider:
    """Return whose host it is; a socket's folder, whatever its name, is nobody's."""
    if host.startswith("/"):
        return Provider.PLAIN
    if host.endswith(".neon.tech"):
        return Provider.NEON
    if host.endswith(_SHARED_POOLER) or _project_of(host):
        return Provider.SUPABASE
    return Provider.PLAIN


def why_not_pooled(host: str, port: int) -> Refusal | None:
    """Return why this is known not to be a transaction-mode pooler."""
    provider = provider_of(host)
    label, _, domain = host.partition(".")
    if provider is Provider.NEON and not label.endswith("-pooler"):
        return Refusal(
            f"{host} is Neon's direct host, and a pooled URL is needed here",
            f"use the host {label}-pooler.{domain}",
        )
    if provider is not Provider.SUPABASE or port != _SESSIONS:
        return None
    if project := _project_of(host):
        return Refusal(
            f"{host}:{port} is Supabase's direct address, and a pooled URL is needed here",
            f'use the "Transaction pooler" of the dashboard\'s Connect page: '
            f"host aws-<number>-<region>{_SHARED_POOLER}, port {_TRANSACTIONS}, user postgres.{project}",
        )
    return Refusal(
        f"port {port} of {host} is Supabase's session mode, and transaction mode is needed here",
        f"use port {_TRANSACTIONS} of the same host",
    )


def why_not_direct(host: str, port: int) -> Refusal | None:
    """Return why this is known to be a transaction-mode pooler."""
    provider = provider_of(host)
    label, _, domain = host.partition(".")
    if provider is Provider.NEON and label.endswith("-pooler"):
        return Refusal(
            f"{host} is Neon's pooler, and a direct URL is needed here",
            f"use the host {label.removesuffix('-pooler')}.{domain}",
        )
    if provider is Provider.SUPABASE and port == _TRANSACTIONS:
        what = "the database itself" if _project_of(host) else "session mode"
        return Refusal(
            f"port {port} of {host} is Supabase's transaction pooler, and a direct URL is needed here",
            f"use port {_SESSIONS} of the same host, {what}",
        )
    return None


def why_not_user(host: str, user: str, options: str) -> Refusal | None:
    """Return why Supabase would not find this user: the shared pooler tells projects apart by it."""
    if provider_of(host) is not Provider.SUPABASE:
        return None
    name, _, project = user.rpartition(".")
    if host.endswith(_SHARED_POOLER) and not name and "reference=" not in options:
        return Refusal(
            f"{host} serves many projects and the user does not say which",
            f"use the user {user}.<project reference>",
        )
    if name and project == _project_of(host):
        return Refusal(
            f"{host} serves one project and has no user of that name",
            f"use the user {name}: the suffix is for the shared pooler",
        )
    return None


def _project_of(host: str) -> str:
    """Return the project's reference in `db.<ref>.supabase.co`, or an empty string."""
    label, _, rest = host.partition(".")
    project, _, domain = rest.partition(".")
    return project if (label, domain) == ("db", "supabase.co") else ""
