"""Where a script's session connects to, and what it needs to."""

from __future__ import annotations

import sys

import pytest

from api.database import sync
from api.database.connection_url import ConnectionUrlError, DirectUrl, PooledUrl

DIRECT = "postgresql://me:secret@ep-x.eu-central-1.aws.neon.tech/app"
POOLED = "postgresql://me:secret@ep-x-pooler.eu-central-1.aws.neon.tech/app"


class TestUrlFromEnvironment:
    @pytest.fixture(autouse=True)
    def _no_url(self, monkeypatch):
        for name in ("DATABASE_URL", "DATABASE_URL_UNPOOLED"):
            monkeypatch.delenv(name, raising=False)

    def test_direct_one_is_preferred(self, monkeypatch):
        """Scripts run long and sort much: not through the pooler, where there is a choice."""
        monkeypatch.setenv("DATABASE_URL", POOLED)
        assert sync._url_from_environment() == PooledUrl.parse(POOLED)
        monkeypatch.setenv("DATABASE_URL_UNPOOLED", DIRECT)
        assert sync._url_from_environment() == DirectUrl.parse(DIRECT)

    def test_rules_of_each_kind_hold(self, monkeypatch):
        """A pooled address in the direct variable is refused, and the password is not quoted."""
        monkeypatch.setenv("DATABASE_URL_UNPOOLED", POOLED)
        with pytest.raises(ConnectionUrlError, match="pooler") as caught, sync.reading():
            pass
        assert "secret" not in str(caught.value)

    def test_missing_ones_are_named(self):
        """The error says which variables, and how else."""
        with pytest.raises(
            ConnectionUrlError, match="Neither DATABASE_URL_UNPOOLED nor DATABASE_URL"
        ) as caught:
            sync._url_from_environment()
        assert "bough status" in (caught.value.hint or "")


class TestPsycopg:
    def test_missing_driver_is_explained(self, monkeypatch):
        """In what ships to Lambda there is none; the error says so, and what to use there."""
        monkeypatch.setitem(sys.modules, "psycopg", None)
        url = DirectUrl.parse("postgresql://me@localhost/without_psycopg")
        with pytest.raises(ModuleNotFoundError, match="psycopg is not installed"), sync.reading(url):
            pass
