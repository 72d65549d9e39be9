"""Moving credits from one account to another."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from api.credits.models import MAX_CREDITS
from tests.support.credits import audited_total, balances, open_account, order, send
from tests.support.journeys import problem

if TYPE_CHECKING:
    import httpx2

    from tests.support.people import People

pytestmark = pytest.mark.asyncio


class TestCreateTransfer:
    """POST /credits/transfers."""

    async def test_debits_credits_and_logs(
        self, client: httpx2.AsyncClient, people: People, statement_counts: list[int]
    ) -> None:
        """Five statements: the user, BEGIN, the locks, the move, COMMIT."""
        ada, ben = people.add("ada"), people.add("ben")
        source, target = open_account(people, ada, credits_=100), open_account(people, ben)
        response = await send(client, ada, order(source, target, 30, memo="Review"))
        made = response.json()
        assert response.status_code == 201
        assert made | {"id": None, "created_at": None} == {
            "id": None,
            "from_account_id": str(source),
            "to_account_id": str(target),
            "amount": 30,
            "memo": "Review",
            "created_by_id": str(ada.id),
            "created_at": None,
        }
        assert balances(people, source, target) == [70, 30]
        assert audited_total(people) == 100
        assert statement_counts == [5]

    async def test_last_credit_can_be_moved_and_none_more(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """A refused transfer leaves no trace, neither in the balances nor in the log."""
        ada = people.add()
        source, target = open_account(people, ada, "a", 5), open_account(people, ada, "b")
        assert (await send(client, ada, order(source, target, 5))).status_code == 201
        response = await send(client, ada, order(source, target, 1))
        assert problem(response) == (409, "INSUFFICIENT_CREDITS")
        assert balances(people, source, target) == [0, 5]
        assert audited_total(people) == 5

    async def test_only_the_owner_and_admins_take_from_an_account(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """Others learn nothing of its balance: too much and enough are answered alike."""
        ada, ben = people.add("ada"), people.add("ben", "moderator")
        admin = people.add("chief", "admin")
        source, target = open_account(people, ada, credits_=10), open_account(people, ben)
        for amount in (1, 1000):
            response = await send(client, ben, order(source, target, amount))
            assert problem(response) == (403, "NOT_THE_OWNER")
        assert balances(people, source, target) == [10, 0]
        made = (await send(client, admin, order(source, target, 4))).json()
        assert made["created_by_id"] == str(admin.id)
        assert balances(people, source, target) == [6, 4]
        assert problem(await client.post("/credits/transfers", json=order(source, target))) == (
            401,
            "UNAUTHORIZED",
        )

    @pytest.mark.parametrize("missing", ["from_account_id", "to_account_id"])
    async def test_unknown_account_is_not_found(
        self, client: httpx2.AsyncClient, people: People, missing: str
    ) -> None:
        """And named, because there are two."""
        ada = people.add()
        body = order(open_account(people, ada, "a", 5), open_account(people, ada, "b"))
        body[missing] = str(uuid4())
        response = await send(client, ada, body)
        assert problem(response) == (404, "ACCOUNT_NOT_FOUND")
        assert body[missing] in response.json()["detail"]

    async def test_account_of_a_deleted_user_receives_and_admins_take_from_it(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """So nothing that was sent by mistake is lost."""
        ada, ben, admin = people.add("ada"), people.add("ben"), people.add("chief", "admin")
        source, target = open_account(people, ada, credits_=10), open_account(people, ben)
        assert (await client.delete(f"/users/{ben.id}", headers=ben.headers)).status_code == 204
        assert (await send(client, ada, order(source, target, 4))).status_code == 201
        assert problem(await send(client, ben, order(target, source, 4)))[0] == 401
        assert (await send(client, admin, order(target, source, 4))).status_code == 201
        assert balances(people, source, target) == [10, 0]

    async def test_account_cannot_pay_itself(self, client: httpx2.AsyncClient, people: People) -> None:
        """However much it holds."""
        ada = people.add()
        account = open_account(people, ada, "a", 5)
        assert problem(await send(client, ada, order(account, account))) == (422, "SAME_ACCOUNT")
        assert balances(people, account) == [5]

    async def test_receiver_cannot_hold_more_than_the_maximum(
        self, client: httpx2.AsyncClient, people: People
    ) -> None:
        """The sum of the two is checked where it is made."""
        ada = people.add()
        source, target = (
            open_account(people, ada, "a", MAX_CREDITS),
            open_account(people, ada, "b", MAX_CREDITS),
        )
        for amount in (1, MAX_CREDITS):
            response = await send(client, ada, order(source, target, amount))
            assert problem(response) == (409, "BALANCE_TOO_LARGE")
        assert balances(people, source, target) == [MAX_CREDITS, MAX_CREDITS]

    async def test_unacceptable_amount_is_refused(self, client: httpx2.AsyncClient, people: People) -> None:
        """Nothing reaches the database that it could not hold."""
        ada = people.add()
        for amount in (0, 2**63, 10**30):
            response = await send(client, ada, order(uuid4(), uuid4(), amount))
            assert problem(response) == (422, "VALIDATION_FAILED")


class TestTransferLog:
    """The table `transfers`."""

    @pytest.mark.parametrize(
        "statement",
        ["UPDATE transfers SET amount = 1", "DELETE FROM transfers", "TRUNCATE transfers CASCADE"],
    )
    async def test_rows_are_never_changed(self, people: People, statement: str) -> None:
        """Not even by the owner of the table, without saying so."""
        open_account(people, people.add(), credits_=5)
        with pytest.raises(psycopg.errors.RaiseException, match="never changed"):
            people.query(statement)

    @pytest.mark.parametrize("table", ["accounts", "users"])
    async def test_what_it_refers_to_stays(self, people: People, table: str) -> None:
        """Accounts and users with a past are not deleted."""
        open_account(people, people.add(), credits_=5)
        with pytest.raises(psycopg.errors.RestrictViolation):
            people.query(f"DELETE FROM {table}")
