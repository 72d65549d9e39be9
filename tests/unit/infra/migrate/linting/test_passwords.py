"""Passwords in statements."""

from __future__ import annotations

import pytest

from infra.migrate.linting.passwords import masked


class TestMasked:
    """`masked`."""

    @pytest.mark.parametrize(
        "sql",
        [
            "ALTER ROLE app WITH ENCRYPTED PASSWORD 'sec''ret' LOGIN",
            "ALTER ROLE app PASSWORD E'sec\\'ret'",
            "ALTER ROLE app PASSWORD $$secret$$",
            "DO $do$ BEGIN ALTER ROLE app PASSWORD 'secret'; END $do$",
            "DO $$ BEGIN EXECUTE 'ALTER ROLE app PASSWORD ''secret'''; END $$",
            "CREATE USER MAPPING FOR app SERVER s OPTIONS (user 'app', password 'secret')",
            "CREATE SUBSCRIPTION s CONNECTION 'host=h password=secret dbname=d' PUBLICATION p",
            "SELECT dblink('postgresql://app:secret@h/d')",
        ],
    )
    def test_hides_them(self, sql: str) -> None:
        """All else stays."""
        found = masked(sql)
        assert "***" in found
        assert "sec" not in found
        assert found[:3] == sql[:3]

    @pytest.mark.parametrize(
        "sql",
        [
            "ALTER TABLE users ADD password_hash text, ADD site text DEFAULT 'https://a.b/c'",
            "COMMENT ON COLUMN users.password IS 'it''s the password'",
            "SELECT 'password",
        ],
    )
    def test_leaves_the_rest(self, sql: str) -> None:
        """Nothing in them is secret."""
        assert masked(sql) == sql
