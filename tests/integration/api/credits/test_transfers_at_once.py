"""Transfers between the same accounts at the same moment."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.support.credits import audited_total, balances, open_account, order, send

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People

pytestmark = pytest.mark.asyncio


class TestTransfersAtOnce:
    """Four connections, and more requests than that."""

    async def test_opposite_directions_never_deadlock(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Both lock the same account first, alone and in batches of any order."""
        ada = people.add()
        keys = [open_account(people, ada, str(number), 100) for number in range(3)]
        a, b, c = keys
        circle = [order(a, b), order(b, c), order(c, a)]
        requests = [
            send(client, ada, one) for one in (order(a, b), order(b, a), order(b, c), order(c, b)) * 6
        ]
        requests += [
            client.post("/credits/transfers/batch", json={"transfers": batch}, headers=ada.headers)
            for batch in (circle, circle[::-1]) * 4
        ]
        statuses = Counter(response.status_code for response in await asyncio.gather(*requests))
        assert statuses == {201: 24, 200: 8}
        assert balances(people, *keys) == [100, 100, 100]
        assert audited_total(people) == 300

    async def test_account_is_never_overdrawn(self, client: httpx2.AsyncClient, people: People) -> None:
        """Ten want three credits each of ten: three get them."""
        ada = people.add()
        a, b = open_account(people, ada, "a", 10), open_account(people, ada, "b")
        responses = await asyncio.gather(*(send(client, ada, order(a, b, 3)) for _ in range(10)))
        assert Counter(response.status_code for response in responses) == {201: 3, 409: 7}
        assert balances(people, a, b) == [1, 9]
        assert audited_total(people) == 10
