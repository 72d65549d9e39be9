"""Functions, versions and aliases on the AWS of this machine, and two who change them at once."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from infra.aws.function_errors import FunctionChangedError, FunctionNotFoundError
from infra.aws.functions import Functions
from infra.aws.release_note import ReleaseNote
from infra.aws.stage import LIVE
from tests.support.published import lead, make, publish, zipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.aws.account import Account

_numbers = itertools.count()


@pytest.fixture
def name() -> str:
    """A function's, of the test's own."""
    return f"shop-functions{next(_numbers)}-api"


def outcomes(*calls: Callable[[], object]) -> list[str]:
    """Run calls at the same time; return what they raised, sorted."""

    def outcome(call: Callable[[], object]) -> str:
        try:
            call()
        except FunctionChangedError:
            return "refused"
        return "done"

    with ThreadPoolExecutor() as threads:
        return sorted(threads.map(outcome, calls))


class TestFunctions:
    """`Functions`."""

    def test_tells_a_function_that_is_not_there(self, account: Account) -> None:
        """From one that fails."""
        functions = Functions(account)
        assert functions.find("shop-nowhere-api") is None
        assert functions.alias("shop-nowhere-api", LIVE) is None
        assert functions.url("shop-nowhere-api", LIVE) is None
        with pytest.raises(FunctionNotFoundError, match="shop-nowhere-api"):
            functions.get("shop-nowhere-api")
        functions.delete("shop-nowhere-api")

    def test_publishes_what_was_uploaded(self, account: Account, name: str, tmp_path: Path) -> None:
        """Each version keeps its note; the newest stands first."""
        notes = [ReleaseNote("1f63dff", "a", "a"), ReleaseNote("2a63dff", "b", "b")]
        for note in notes:
            publish(account, name, zipped(tmp_path, note.code), note)
        versions = Functions(account).versions(name)
        assert [(version.number, version.note) for version in versions] == [("2", notes[1]), ("1", notes[0])]

    def test_lets_one_of_two_updates_win(self, account: Account, name: str, tmp_path: Path) -> None:
        """Both had read the same revision; the function has the winner's code alone."""
        function = make(account, name, zipped(tmp_path, "one"))

        def update(code: str) -> None:
            Functions(account).update_code(name, zipped(tmp_path, code), revision_id=function.revision_id)

        assert outcomes(lambda: update("two"), lambda: update("three")) == ["done", "refused"]

    def test_publishes_nothing_else(self, account: Account, name: str, tmp_path: Path) -> None:
        """When another deploy has brought its code meanwhile."""
        functions = Functions(account)
        mine = make(account, name, zipped(tmp_path, "one"))
        functions.update_code(name, zipped(tmp_path, "two"), revision_id=mine.revision_id)
        with pytest.raises(FunctionChangedError, match="the code of function"):
            functions.publish(name, code_sha256=mine.code_sha256, description="")
        assert functions.versions(name) == ()

    def test_lets_one_of_two_shifts_win(self, account: Account, name: str, tmp_path: Path) -> None:
        """A rollback and a canary, say."""
        for code in ("one", "two"):
            publish(account, name, zipped(tmp_path, code))
        live = lead(account, name, "1")

        def point(version: str, **weights: float) -> None:
            Functions(account).point(name, LIVE, version, weights=weights, revision_id=live.revision_id)

        assert outcomes(lambda: point("2"), lambda: point("1", **{"2": 0.1})) == ["done", "refused"]

    def test_ends_a_canary_with_the_next_shift(self, account: Account, name: str, tmp_path: Path) -> None:
        """No weight is left over."""
        for code in ("one", "two"):
            publish(account, name, zipped(tmp_path, code))
        assert lead(account, name, "1", v2=0.1).shares == {"1": 0.9, "2": 0.1}
        lead(account, name, "1")
        found = Functions(account).alias(name, LIVE)
        assert found is not None
        assert found.shares == {"1": 1}

    def test_gives_an_alias_a_url_that_it_keeps(self, account: Account, name: str, tmp_path: Path) -> None:
        """The second time nothing is changed; closing and opening it keeps the address."""
        publish(account, name, zipped(tmp_path, "one"))
        lead(account, name, "1")
        functions = Functions(account)
        urls = [functions.ensure_url(name, LIVE, auth) for auth in ("NONE", "NONE", "AWS_IAM", "NONE")]
        assert len({url.url for url in urls}) == 1
        assert functions.url(name, LIVE) == urls[-1]
