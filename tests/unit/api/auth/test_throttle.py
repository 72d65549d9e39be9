"""Under which keys an attempt to log in is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.auth.throttle import keys_of
from api.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DATABASE_URL", "postgresql://app@db.example.com/app")
    monkeypatch.setenv("AUTH_SECRET", "0123456789abcdef" * 4)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


class TestKeysOf:
    """Same key, same counter."""

    def test_case_of_an_account_does_not_matter(self) -> None:
        """As the index on `lower(email)` has it."""
        assert keys_of("Ada@Example.com", None) == keys_of("ada@example.com", None)
        assert keys_of("ada@example.com", None) != keys_of("ben@example.com", None)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("203.0.113.5, 192.0.2.7", "192.0.2.7"),
        ],
    )
    def test_addresses_of_one_client_share_a_key(self, one: str, other: str) -> None:
        """One IPv6 network; one IPv4 address in two notations; what a load balancer saw itself."""
        assert keys_of("a@b.example", one).address == keys_of("a@b.example", other).address

    @pytest.mark.parametrize(
        ("one", "other"), [("192.0.2.7", "192.0.2.8"), ("2001:db8:1:2::1", "2001:db8:1:3::1")]
    )
    def test_addresses_of_two_clients_do_not(self, one: str, other: str) -> None:
        """Neighbours are strangers."""
        assert keys_of("a@b.example", one).address != keys_of("a@b.example", other).address

    @pytest.mark.parametrize("address", [None, "", "unknown", "testclient"])
    def test_unknown_address_has_no_key(self, address: str | None) -> None:
        """Otherwise all of them would share one."""
        assert keys_of("a@b.example", address).address is None

    def test_account_and_address_never_share_a_key(self) -> None:
        """An account named like an address is still an account."""
        keys = keys_of("192.0.2.7", "192.0.2.7")
        assert keys.account != keys.address

    def test_key_depends_on_the_secret(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who has the table cannot try a list of addresses on it."""
        before = keys_of("ada@example.com", None)
        monkeypatch.setenv("AUTH_SECRET", "fedcba9876543210" * 4)
        get_settings.cache_clear()
        assert keys_of("ada@example.com", None) != before
