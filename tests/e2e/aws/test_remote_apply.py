"""`bough migrate apply --remote`: the migration function that was deployed, taken back from AWS and run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.deployed_shop import Ended, Shop

pytestmark = pytest.mark.prove

#: Where the function finds the direct connection string of the branch that production works on.
SECRET = "/bough/shop/production/migrate/DATABASE_URL_UNPOOLED"


def apply(shop: Shop, *, code: int = 0) -> Ended:
    stage = ("--stage", "production", "--local", "-o", "json")
    return shop.bough("migrate", "apply", "--remote", *stage, code=code)


def current(shop: Shop) -> list[str]:
    """Return where production's database is, as seen from here."""
    return shop.bough("migrate", "status", "--branch", "main", "-o", "json").json["current"]


class TestRemoteApply:
    def test_applies_this_checkouts_revisions(self, shop: Shop) -> None:
        """The function gets its secret and the revisions, runs them, and tells meanwhile; once is enough."""
        if SECRET in shop.names():
            shop.account.parameters.delete_parameter(Name=SECRET)
        revision = shop.add_table("wishes")
        done = apply(shop)
        assert [run["id"] for run in done.json["revisions"]] == [revision]
        assert f"Writing {SECRET}" in done.stderr
        assert "Giving shop-production-migrate these revisions" in done.stderr
        assert "Migrating postgresql://bough_owner:***@" in done.stderr
        assert current(shop) == [revision]
        again = apply(shop)
        assert again.json["revisions"] == []
        assert not {"Writing", "Giving"} & set(again.stderr.split())

    def test_failure_is_the_same_as_out_here(self, shop: Shop) -> None:
        """Its code, its message, and the exit code; the database is where it was."""
        before = current(shop)
        revision = shop.add_table("doubts")
        shop.edit(f"migrations/versions/{shop.file_of(revision)}", '"doubts",', '"users",')
        failed = apply(shop, code=1)
        assert "already exists" in failed.stderr
        assert current(shop) == before
        shop.restore()
        assert [run["id"] for run in apply(shop).json["revisions"]] == [revision]

    def test_deploy_has_the_function_migrate(self, shop: Shop) -> None:
        """Where nobody but AWS reaches the database; the code that needs the revision is live then."""
        shop.name_version("0.7.0")
        revision = shop.add_table("plans")
        asked = shop.deploy("--remote", code=2)
        assert "without having been rehearsed" in asked.stderr
        done = shop.deploy("--remote", "--yes")
        assert (done.json["applied"], shop.answering()) == ([revision], "0.7.0")
        assert current(shop) == [revision]
