"""How far back a Supabase branch can be taken, which the PITR add-on decides."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from infra.branches.errors import HistoryError
from infra.branches.timestamps import rfc3339

if TYPE_CHECKING:
    from infra.branches.supabase.answers import Backups


def refuse_unkept(backups: Backups, name: str, at: datetime) -> None:
    """Refuse a moment that a branch cannot be taken back to.

    Raises:
        HistoryError: Supabase keeps nothing of it; the hint says of what it does.
    """
    kept = backups.physical_backup_data
    earliest, latest = kept.earliest_physical_backup_date_unix, kept.latest_physical_backup_date_unix
    if not backups.pitr_enabled or earliest is None or latest is None:
        raise HistoryError(
            f"Supabase keeps no history of the branch {name!r}", hint="it does with the PITR add-on"
        )
    if not earliest <= at.timestamp() <= latest:
        span = " to ".join(rfc3339(datetime.fromtimestamp(each, UTC)) for each in (earliest, latest))
        raise HistoryError(
            f"Supabase keeps nothing of the branch {name!r} at {rfc3339(at)}",
            hint=f"take a moment from {span}",
        )
