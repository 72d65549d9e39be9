"""Whoever watches a run of revisions: the rehearsal's measurement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import sqlalchemy as sa

    from api.database.connection_url import DirectUrl
    from infra.migrate.history import Revision


class Observer(Protocol):
    """Is told what the runner does, on the thread that does it."""

    def attempt(self, connection: sa.Connection, url: DirectUrl, plan: tuple[Revision, ...]) -> None:
        """Watch a connection on which Alembic is about to run a plan.

        Called once before the first revision, and again for what is left after a lock timeout or deadlock.

        Args:
            connection: In no transaction, and must be left in none.
            url: For further connections to the same database.
            plan: In the order of running.
        """

    def done(self, revision: Revision) -> None:
        """Take note that a revision has run; its transaction is not committed yet."""

    def ended(self) -> None:
        """Take note that everything is committed, or that the attempt failed."""
