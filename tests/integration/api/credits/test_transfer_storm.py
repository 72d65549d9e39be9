"""Thousands of transfers at once while processes and connections die: nothing is lost, nothing done twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from api.settings import get_settings
from tests.support.credits import audited_total, open_account
from tests.support.transfer_storm import Storm

if TYPE_CHECKING:
    from fastapi import FastAPI

    from tests.support.people import People

pytestmark = pytest.mark.asyncio

ACCOUNTS: Final = 20
FILLED: Final = 100

#: What a client may see of a process or a connection that died, and of many that want the same accounts.
EXPECTED: Final = {
    "ConnectError",
    "ReadError",
    "ReadTimeout",
    "RemoteProtocolError",
    "WriteError",
    "COMMIT_UNCERTAIN",
    "CONNECTION_LOST",
    "DATABASE_UNAVAILABLE",
    "LOCK_TIMEOUT",
    "POOL_EXHAUSTED",
}


@pytest.fixture
def environment(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the processes inherit: tokens are made here and read there."""
    monkeypatch.setenv("AUTH_SECRET", "0123456789abcdef" * 4)
    # They import credits and nothing else.
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
    # On a machine that has other things to do, waiting costs less than being refused.
    monkeypatch.setenv("BOUGH_POOL_TIMEOUT", "20")
    get_settings.cache_clear()


@pytest.mark.usefixtures("environment")
class TestTransferStorm:
    """Clients that send what was not answered again, with its key, until it is."""

    @pytest.mark.parametrize(
        ("total", "processes", "in_flight", "disasters"),
        [
            pytest.param(100, 2, 16, 1, id="short"),
            pytest.param(5000, 4, 64, 8, id="full", marks=pytest.mark.prove),
        ],
    )
    async def test_books_balance_after_it(
        self, people: People, total: int, processes: int, in_flight: int, disasters: int
    ) -> None:
        """The total is unchanged, each acknowledged transfer is there, and none is there twice."""
        payer = people.add()
        accounts = [open_account(people, payer, str(number), FILLED) for number in range(ACCOUNTS)]
        storm = Storm(payer, accounts, total)
        await storm.run(people.database, processes=processes, in_flight=in_flight, disasters=disasters)
        rows = people.query("SELECT memo::int, id::text FROM transfers WHERE from_account_id IS NOT NULL")
        stored = dict(rows)
        assert len(stored) == len(rows)
        assert stored.items() >= storm.made.items()
        # A refusal is not kept: the attempt that was given up may still find credits after it.
        assert stored.keys() - storm.made.keys() <= storm.refused & storm.unanswered
        assert len(storm.made) + len(storm.refused) == total
        assert audited_total(people) == ACCOUNTS * FILLED
        assert set(storm.lost) <= EXPECTED
        assert storm.replayed > 0
