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
    people.query(
        """
        WITH account AS (
            INSERT INTO accounts (id, owner_id, name, balance) VALUES (%s, %s, %s, %s) RETURNING *
        )
        INSERT INTO transfers (id, to_account_id, amount, created_by_id)
        SELECT %s, id, balance, owner_id FROM account WHERE balance > 0
        """,
        *(key, owner.id, name, credits_, uuid7()),
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
    held = dict(people.query("SELECT id, balance FROM accounts WHERE id = ANY(%s)", list(keys)))
    return [held[key] for key in keys]


def audited_total(people: People) -> int:
    """Return the sum of all balances; each must equal its log, and none may be negative."""
    wrong = people.query("""
        SELECT a.id, a.balance, logged.sum FROM accounts a CROSS JOIN LATERAL (
            SELECT coalesce(sum(CASE WHEN t.to_account_id = a.id THEN t.amount ELSE -t.amount END), 0) AS sum
            FROM transfers t WHERE a.id IN (t.from_account_id, t.to_account_id)
        ) logged WHERE a.balance < 0 OR a.balance <> logged.sum
    """)
    assert wrong == []
    [(total,)] = people.query("SELECT coalesce(sum(balance), 0) FROM accounts")
    return int(total)
