"""Row-level security switched on in a test's database, and statements by whomever it binds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import ProgrammingError

from api.database.session import ReadSession, claim, read, write
from api.settings import get_settings
from migrations.operations import enable_row_level_security

if TYPE_CHECKING:
    import pytest

    from tests.support.people import People, Person


def switch_on(people: People, monkeypatch: pytest.MonkeyPatch, *tables: str) -> None:
    """Do as a revision of the user's own would, and as the settings then say."""
    monkeypatch.setenv("BOUGH_ROW_LEVEL_SECURITY", "true")
    get_settings.cache_clear()
    for table in tables:
        enable_row_level_security(SimpleNamespace(execute=people.query), table)


async def claim_as(session: ReadSession, person: Person | None, role: str = "user") -> None:
    """Do what the current user's dependency does."""
    if person is not None:
        await claim(session, {"user_id": str(person.id), "role": role, "token": None})


async def attempt(person: Person | None, statement: Any, role: str = "user") -> int | None:
    """Return how many rows a statement changed; `None` where a policy refused it."""
    async with read() as session:
        await claim_as(session, person, role)
        try:
            async with write(session) as writer:
                return (await writer.execute(statement)).rowcount  # type: ignore[no-any-return]
        except ProgrammingError as error:
            if "row-level security" not in str(error):
                raise
            return None
