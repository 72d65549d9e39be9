"""Users of the sample domain, put straight into a database: registering each would hash a password."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import psycopg

from api.auth.passwords import hash_password
from api.auth.tokens import issue_access_token
from api.database.base import uuid7

if TYPE_CHECKING:
    from uuid import UUID

    from infra.testing.databases import Database

PASSWORD: Final = "correct horse battery staple"


@lru_cache(maxsize=1)
def hashed_password() -> str:
    """Return the hash of `PASSWORD`, made once for all users."""
    return hash_password(PASSWORD)


@dataclass(frozen=True)
class Person:
    """A user, with the header that proves it."""

    id: UUID
    email: str
    username: str

    @property
    def headers(self) -> dict[str, str]:
        """An `Authorization` header with a fresh access token."""
        return {"Authorization": f"Bearer {issue_access_token(self.id)}"}

    @property
    def credentials(self) -> dict[str, str]:
        """What logs this user in."""
        return {"email": self.email, "password": PASSWORD}


@dataclass(frozen=True)
class People:
    """Who is in a database."""

    database: Database

    def add(self, username: str = "ada", role: str = "user", *, active: bool = True) -> Person:
        """Add a user whose password is `PASSWORD`."""
        person = Person(uuid7(), f"{username}@example.com", username)
        with psycopg.connect(self.database.direct.libpq()) as connection:
            connection.execute(
                "INSERT INTO users (id, email, username, hashed_password, role, is_active) "
                "VALUES (%s, %s, %s, %s, %s, %s)",
                (person.id, person.email, username, hashed_password(), role, active),
            )
        return person

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Return what the owner sees of the database."""
        with psycopg.connect(self.database.direct.libpq()) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []
