"""Many transfers in one request, each of which may be refused on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.credits import audited_total, balances, open_account, order
from tests.support.journeys import problem

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People, Person

pytestmark = pytest.mark.asyncio


async def send_batch(
    client: httpx2.AsyncClient, person: Person, transfers: list[dict[str, Any]], key: str | None = None
) -> httpx2.Response:
    """Ask for a batch."""
    headers = person.headers | ({"Idempotency-Key": key} if key else {})
    return await client.post("/credits/transfers/batch", json={"transfers": transfers}, headers=headers)


def codes(response: httpx2.Response) -> list[str | None]:
    """Return the code of each transfer that was refused, and nothing for each that was made."""
    outcomes = response.json()["outcomes"]
    assert all((one["transfer"] is None) == (one["code"] is not None) for one in outcomes)
    return [one["code"] for one in outcomes]


class TestCreateTransferBatch:
    """POST /credits/transfers/batch."""

    async def test_refused_transfer_leaves_the_others(
        self, client: httpx2.AsyncClient, people: People, statement_counts: list[int]
    ) -> None:
        """In their order: what the first one moved, the second one may spend."""
        ada, ben = people.add("ada"), people.add("ben")
        a, b = open_account(people, ada, "a", 10), open_account(people, ada, "b")
        other, unknown = open_account(people, ben, "other", 10), uuid4()
        response = await send_batch(
            client,
            ada,
            [
                order(a, b, 7),
                order(a, b, 7),
                order(b, other, 5),
                order(other, a, 1),
                order(a, unknown, 1),
                order(unknown, a, 1),
                order(b, b, 1),
                order(a, other, 3),
            ],
        )
        assert response.status_code == 200
        assert codes(response) == [
            None,
            "INSUFFICIENT_CREDITS",
            None,
            "NOT_THE_OWNER",
            "ACCOUNT_NOT_FOUND",
            "ACCOUNT_NOT_FOUND",
            "SAME_ACCOUNT",
            None,
        ]
        assert balances(people, a, b, other) == [0, 2, 18]
        assert audited_total(people) == 20
        # User, BEGIN, locks, COMMIT; for each that may be made a savepoint, the move, the savepoint's end.
        assert statement_counts == [4 + 4 * 3]

    async def test_key_covers_the_whole_batch(self, client: httpx2.AsyncClient, people: People) -> None:
        """Refusals included: the repeated request gets the same outcomes and moves nothing."""
        ada = people.add()
        a, b = open_account(people, ada, "a", 10), open_account(people, ada, "b")
        transfers = [order(a, b, 6), order(a, b, 6)]
        first = await send_batch(client, ada, transfers, "key")
        people.query("UPDATE accounts SET balance = 100 WHERE id = %s", a)
        again = await send_batch(client, ada, transfers, "key")
        assert codes(first) == [None, "INSUFFICIENT_CREDITS"]
        assert again.content == first.content
        assert again.headers["idempotent-replayed"] == "true"
        assert balances(people, b) == [6]

    @pytest.mark.parametrize(
        "transfers",
        [[], [order(UUID(int=1), UUID(int=2))] * 51, None],
        ids=["none", "too many", "null"],
    )
    async def test_unacceptable_batch_is_refused_as_a_whole(
        self, client: httpx2.AsyncClient, people: People, transfers: list[dict[str, Any]]
    ) -> None:
        """What no transfer can be is not tried."""
        response = await send_batch(client, people.add(), transfers)
        assert problem(response) == (422, "VALIDATION_FAILED")

    async def test_batch_needs_a_user(self, client: httpx2.AsyncClient) -> None:
        """Like each of its transfers."""
        response = await client.post("/credits/transfers/batch", json={"transfers": []})
        assert problem(response) == (401, "UNAUTHORIZED")

    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        filled=st.lists(st.integers(0, 20), min_size=3, max_size=3),
        moves=st.lists(st.tuples(st.permutations(range(3)), st.integers(1, 15)), min_size=1, max_size=12),
    )
    async def test_any_sequence_does_what_bookkeeping_says(
        self,
        client: httpx2.AsyncClient,
        people: People,
        filled: list[int],
        moves: list[tuple[list[int], int]],
    ) -> None:
        """Each transfer is made exactly when its account holds enough by then, and the books balance."""
        total = audited_total(people)
        ada = people.add(f"ada{uuid4().hex}"[:32])
        keys = [open_account(people, ada, str(number), held) for number, held in enumerate(filled)]
        expected, refused = list(filled), []
        for (source, target, _), amount in moves:
            refused.append(expected[source] < amount)
            if not refused[-1]:
                expected[source] -= amount
                expected[target] += amount
        transfers = [order(keys[source], keys[target], amount) for (source, target, _), amount in moves]
        response = await send_batch(client, ada, transfers)
        assert [code == "INSUFFICIENT_CREDITS" for code in codes(response)] == refused
        assert balances(people, *keys) == expected
        assert audited_total(people) == total + sum(filled)
