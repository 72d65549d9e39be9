"""Previews of pull requests beside production: up, up again, two at once, down, and nothing left."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.support.deployed_shop import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.deployed_shop import Shop

pytestmark = pytest.mark.prove

PRODUCTION = ("--stage", "production", "--local")
JSON = (*PRODUCTION, "-o", "json")
LOGIN = re.compile(r"^Log in as ([^,\s]+).* with the password (\S+)$", re.MULTILINE)


@pytest.fixture
def shop(shop: Shop) -> Iterator[Shop]:
    """The project on the git branch of a pull request, without previews before and after."""
    with shop.pull_request():
        yield shop
    for row in shop.bough("preview", "list", *JSON).json:
        shop.bough("preview", "down", str(row["number"]), "--yes", *PRODUCTION)


class TestPreviews:
    def test_come_and_go_twice_at_once(self, shop: Shop) -> None:
        """Each has a URL and rows of its own; production keeps its rows and its code, and all of it goes."""
        before, branches, answering = shop.names(), branch_names(shop), shop.answering()
        shop.name_version("0.8.0")
        revision = shop.add_table("hopes")
        both = [shop.start("preview", "up", number, *JSON) for number in ("11", "12")]
        ended = [each.communicate(timeout=PATIENCE) for each in both]
        assert [each.returncode for each in both] == [0, 0], ended
        records = [json.loads(stdout) for stdout, _ in ended]
        for (_, stderr), record in zip(ended, records, strict=True):
            assert version_at(record["url"]) == "0.8.0"
            assert can_log_in(record["url"], stderr)
        # A password of one is none of the other's.
        assert not can_log_in(records[0]["url"], ended[1][1])
        assert shop.answering() == answering
        status = shop.bough("migrate", "status", "--branch", "main", "-o", "json").json
        assert revision not in status["current"]
        assert {each["number"] for each in shop.bough("preview", "list", *JSON).json} == {11, 12}

        again = shop.bough("preview", "up", "11", *JSON)
        assert (again.json["changed"], again.json["url"]) == ([], records[0]["url"])
        assert "Nothing was changed" in again.stderr

        shop.name_version("0.8.1")
        renewed = shop.bough("preview", "up", "11", *JSON)
        assert (renewed.json["changed"], renewed.json["url"]) == (["function"], records[0]["url"])
        assert [version_at(record["url"]) for record in records] == ["0.8.1", "0.8.0"]

        refused = shop.bough("preview", "down", "11", *PRODUCTION, code=2)
        assert "error[CONFIRMATION_NEEDED]" in refused.stderr
        downs = [shop.start("preview", "down", number, "--yes", *PRODUCTION) for number in ("11", "12")]
        said = [each.communicate(timeout=PATIENCE) for each in downs]
        assert [each.returncode for each in downs] == [0, 0], said
        assert (shop.names(), branch_names(shop)) == (before, branches)
        assert shop.answering() == answering


def branch_names(shop: Shop) -> set[str]:
    return {each["name"] for each in shop.bough("branch", "list", "-o", "json").json}


def version_at(url: str) -> Any:
    return httpx2.get(f"{url}/openapi.json", timeout=PATIENCE).json()["info"]["version"]


def can_log_in(url: str, said: str) -> bool:
    """Return whether the login that `bough preview up` has shown is one there."""
    found = LOGIN.search(said)
    assert found is not None, said
    login = {"email": found[1], "password": found[2]}
    return httpx2.post(f"{url}/auth/login", json=login, timeout=PATIENCE).status_code == 200
