"""Opening, listing and reading accounts, and credits issued into them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from api.credits.models import MAX_CREDITS
from tests.support.credits import audited_total, balances, open_account, order, send
from tests.support.journeys import problem

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People

pytestmark = pytest.mark.asyncio


class TestCreateAccount:
    """POST /credits/accounts."""

    async def test_opens_an_empty_account(self, client: httpx2.AsyncClient, people: People) -> None:
        """Which its owner then reads."""
        ada = people.add()
        response = await client.post("/credits/accounts", json={"name": " Travel "}, headers=ada.headers)
        account = response.json()
        assert response.status_code == 201
        assert (account["name"], account["balance"], account["owner_id"]) == ("Travel", 0, str(ada.id))
        read = await client.get(f"/credits/accounts/{account['id']}", headers=ada.headers)
        assert read.json() == account

    async def test_name_is_unique_for_its_owner_only(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Regardless of case, also when both are opened at once."""
        ada, ben = people.add("ada"), people.add("ben")
        names = ["Travel", "TRAVEL", "travel"]
        responses = await asyncio.gather(
            *(client.post("/credits/accounts", json={"name": name}, headers=ada.headers) for name in names)
        )
        refused = [response for response in responses if response.status_code != 201]
        assert [problem(response) for response in refused] == [(409, "ACCOUNT_NAME_TAKEN")] * 2
        other = await client.post("/credits/accounts", json={"name": "Travel"}, headers=ben.headers)
        assert other.status_code == 201

    async def test_unacceptable_value_is_refused(self, client: httpx2.AsyncClient, people: People) -> None:
        """A balance is nothing one can ask for."""
        headers = people.add().headers
        changes: list[dict[str, Any]] = [{"name": " "}, {"name": "a\0b"}, {"name": "x" * 101}, {"balance": 5}]
        for change in changes:
            response = await client.post("/credits/accounts", json={"name": "main"} | change, headers=headers)
            assert problem(response) == (422, "VALIDATION_FAILED"), change


class TestListAccounts:
    """GET /credits/accounts."""

    async def test_pages_hold_ones_own_accounts_by_name(
        self, client: httpx2.AsyncClient, people: People, statement_counts: list[int]
    ) -> None:
        """Two statements a page, one of which reads the user."""
        ada, ben = people.add("ada"), people.add("ben")
        for name in ("delta", "Alpha", "charlie", "BRAVO"):
            open_account(people, ada, name)
        open_account(people, ben, "bens")
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            parameters = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
            page = (await client.get("/credits/accounts", params=parameters, headers=ada.headers)).json()
            found += [account["name"] for account in page["items"]]
            cursor = page["next_cursor"]
        assert found == ["Alpha", "BRAVO", "charlie", "delta"]
        assert statement_counts == [2, 2]


class TestReadAccount:
    """GET /credits/accounts/{account_id} and its transfers."""

    @pytest.mark.parametrize("path", ["", "/transfers"])
    async def test_is_for_its_owner_and_admins(
        self, client: httpx2.AsyncClient, people: People, path: str
    ) -> None:
        """Not for moderators: money is none of their business."""
        ada, moderator, admin = people.add(), people.add("mod", "moderator"), people.add("chief", "admin")
        url = f"/credits/accounts/{open_account(people, ada)}{path}"
        assert (await client.get(url, headers=ada.headers)).status_code == 200
        assert (await client.get(url, headers=admin.headers)).status_code == 200
        assert problem(await client.get(url, headers=moderator.headers)) == (403, "NOT_THE_OWNER")
        assert problem(await client.get(url)) == (401, "UNAUTHORIZED")
        unknown = await client.get(f"/credits/accounts/{uuid4()}{path}", headers=ada.headers)
        assert problem(unknown) == (404, "ACCOUNT_NOT_FOUND")


class TestAccountHistory:
    """GET /credits/accounts/{account_id}/transfers."""

    async def test_pages_hold_both_directions_once_the_newest_first(
        self, client: httpx2.AsyncClient, people: People, statement_counts: list[int]
    ) -> None:
        """One statement a page besides the user's, whose rights it checks as well."""
        ada, ben = people.add("ada"), people.add("ben")
        mine, other, third = (
            open_account(people, ada, "mine", 100),
            open_account(people, ben, "other", 100),
            open_account(people, ben, "third"),
        )
        for number in range(3):
            assert (await send(client, ada, order(mine, other, 2, memo=f"sent {number}"))).status_code == 201
            assert (await send(client, ben, order(other, mine, 1, memo=f"got {number}"))).status_code == 201
            assert (await send(client, ben, order(other, third))).status_code == 201
        statement_counts.clear()
        found: list[tuple[str, int]] = []
        cursor: str | None = ""
        while cursor is not None:
            parameters = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
            url = f"/credits/accounts/{mine}/transfers"
            page = (await client.get(url, params=parameters, headers=ada.headers)).json()
            found += [(one["memo"], one["amount"]) for one in page["items"]]
            cursor = page["next_cursor"]
        written = [
            (f"{kind} {number}", 2 - (kind == "got")) for number in range(3) for kind in ("sent", "got")
        ]
        assert found == [*written[::-1], ("", 100)]
        assert statement_counts == [2, 2, 2]

    async def test_cursor_of_another_list_is_refused(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """It would not fit."""
        ada = people.add()
        url = f"/credits/accounts/{open_account(people, ada)}/transfers"
        response = await client.get(url, params={"cursor": "WyJ4Il0"}, headers=ada.headers)
        assert problem(response) == (400, "INVALID_CURSOR")


class TestCreateDeposit:
    """POST /credits/accounts/{account_id}/deposits."""

    async def test_admin_issues_credits(self, client: httpx2.AsyncClient, people: People) -> None:
        """A transfer from nobody, which the log shows."""
        ada, admin = people.add(), people.add("chief", "admin")
        account = open_account(people, ada)
        url = f"/credits/accounts/{account}/deposits"
        response = await client.post(url, json={"amount": 250, "memo": "gift"}, headers=admin.headers)
        made = response.json()
        assert response.status_code == 201
        assert made["from_account_id"] is None
        assert (made["to_account_id"], made["amount"], made["memo"]) == (str(account), 250, "gift")
        assert made["created_by_id"] == str(admin.id)
        assert audited_total(people) == 250

    async def test_nobody_else_does(self, client: httpx2.AsyncClient, people: People) -> None:
        """Not into one's own account either."""
        moderator = people.add("mod", "moderator")
        url = f"/credits/accounts/{open_account(people, moderator)}/deposits"
        response = await client.post(url, json={"amount": 1}, headers=moderator.headers)
        assert problem(response) == (403, "ROLE_REQUIRED")
        assert problem(await client.post(url, json={"amount": 1})) == (401, "UNAUTHORIZED")

    async def test_unknown_account_is_not_found(self, client: httpx2.AsyncClient, people: People) -> None:
        """And nothing is issued."""
        admin = people.add("chief", "admin")
        url = f"/credits/accounts/{uuid4()}/deposits"
        response = await client.post(url, json={"amount": 1}, headers=admin.headers)
        assert problem(response) == (404, "ACCOUNT_NOT_FOUND")
        assert people.query("SELECT count(*) FROM transfers") == [(0,)]

    async def test_balance_has_a_maximum(self, client: httpx2.AsyncClient, people: People) -> None:
        """The largest amount fits; one credit more, or the largest again, is a conflict and no overflow."""
        admin = people.add("chief", "admin")
        account = open_account(people, admin)
        url = f"/credits/accounts/{account}/deposits"
        answers = [
            await client.post(url, json={"amount": amount}, headers=admin.headers)
            for amount in (MAX_CREDITS, 1, MAX_CREDITS)
        ]
        assert answers[0].status_code == 201
        assert [problem(answer) for answer in answers[1:]] == [(409, "BALANCE_TOO_LARGE")] * 2
        assert balances(people, account) == [MAX_CREDITS]
