"""Accounts with credits in them, put straight into a database, and what must hold of all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.database.base import uuid7

if TYPE_CHECKING:
    from uuid import UUID

    import httpx2

    from tests.support.people import People, Person


def open_account(people: People, owner: Person, name: str = "main", credits_: int = 0) -> UUID:
    """Add an account, and the deposit that filled it."""
    key = uuid7()
    people.query("INSERT INTO accounts (id, owner_id, name) VALUES (%s, %s, %s)", key, owner.id, name)
    if credits_:
        people.query("UPDATE accounts SET balance = %s WHERE id = %s", credits_, key)
        people.query(
            "INSERT INTO transfers (id, to_account_id, amount, created_by_id) VALUES (%s, %s, %s, %s)",
            uuid7(),
            key,
            credits_,
            owner.id,
        )
    return key


def order(source: UUID, target: UUID, amount: int = 1, **more: Any) -> dict[str, Any]:
    """Return the body of a transfer."""
    return {"from_account_id": str(source), "to_account_id": str(target), "amount": amount, **more}


async def send(
    client: httpx2.AsyncClient, person: Person, body: dict[str, Any], key: str | None = None
) -> httpx2.Response:
    """Ask for a transfer."""
    headers = person.headers | ({"Idempotency-Key": key} if key else {})
    return await client.post("/credits/transfers", json=body, headers=headers)


def balances(people: People, *keys: UUID) -> list[int]:
    """Return the balances of these accounts."""
    return [people.query("SELECT balance FROM accounts WHERE id = %s", key)[0][0] for key in keys]


def assert_books_balance(people: People, issued: int) -> None:
    """Every balance equals its log and is not negative, and all together are what was issued."""
    wrong = people.query("""
        SELECT a.id, a.balance, logged.sum FROM accounts a CROSS JOIN LATERAL (
            SELECT coalesce(sum(CASE WHEN t.to_account_id = a.id THEN t.amount ELSE -t.amount END), 0) AS sum
            FROM transfers t WHERE a.id IN (t.from_account_id, t.to_account_id)
        ) logged WHERE a.balance < 0 OR a.balance <> logged.sum
    """)
    assert wrong == []
    assert people.query("SELECT sum(balance) FROM accounts") == [(issued,)]
