"""The settings of another issuer: what is refused, and how that reads."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from api import issuer_settings
from api.settings import Settings, SettingsError, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable

ISSUER = "https://abcdefghijklmnopqrst.supabase.co/auth/v1"
SECRET = "0123456789abcdef" * 4

#: What requests that need neither an issuer nor the storage must not pay for at a cold start.
LAZY = ("cryptography", "jwt", "urllib.request", "supabase", "storage3", "httpx", "yarl")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Read the settings of an environment."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://app@db.example.com/app")
    monkeypatch.setenv("AUTH_SECRET", SECRET)

    def read_(**variables: str) -> Settings:
        for name, value in variables.items():
            monkeypatch.setenv(f"BOUGH_ISSUER{name}", value)
        return read_settings(Settings)

    return read_


class TestIssuerSettings:
    """`BOUGH_ISSUER…`."""

    def test_there_is_no_issuer_by_default(self, read: Callable[..., Settings]) -> None:
        """Nor row-level security."""
        settings = read()
        assert settings.issuer is None
        assert not settings.row_level_security

    def test_issuer_and_audience_suffice(self, read: Callable[..., Settings]) -> None:
        """The rest has defaults: modern signatures, no shared secret, addresses only with a claim."""
        settings = read(**{"": ISSUER, "_AUDIENCE": "authenticated"})
        assert settings.issuer_algorithms == ("ES256", "RS256", "EdDSA")
        assert not settings.issuer_secret.get_secret_value()
        assert not settings.issuer_verifies_email

    @pytest.mark.parametrize(
        "url", ["http://127.0.0.1:54321/auth/v1", "http://localhost:8080", "http://[::1]"]
    )
    def test_http_will_do_on_this_machine(self, read: Callable[..., Settings], url: str) -> None:
        """Where nobody is in between."""
        assert read(**{"": url, "_AUDIENCE": "a", "_JWKS_URL": url}).issuer == url

    @pytest.mark.parametrize(
        ("variables", "message"),
        [
            ({"": ISSUER}, "BOUGH_ISSUER_AUDIENCE: is not set"),
            ({"": "http://issuer.example", "_AUDIENCE": "a"}, "BOUGH_ISSUER: needs an https URL"),
            ({"": "issuer.example", "_AUDIENCE": "a"}, "BOUGH_ISSUER: needs an https URL"),
            ({"": "https://", "_AUDIENCE": "a"}, "BOUGH_ISSUER: needs an https URL"),
            ({"": "https://u:p@issuer.example", "_AUDIENCE": "a"}, "BOUGH_ISSUER: needs an https URL"),
            ({"": "https://:p@issuer.example", "_AUDIENCE": "a"}, "BOUGH_ISSUER: needs an https URL"),
            ({"": f"{ISSUER}\n", "_AUDIENCE": "a"}, "BOUGH_ISSUER: needs an https URL"),
            ({"": f" {ISSUER}", "_AUDIENCE": "a"}, "BOUGH_ISSUER: needs an https URL"),
            ({"": "https://issuer.example:abc", "_AUDIENCE": "a"}, "BOUGH_ISSUER: Port could not be cast"),
            ({"": ISSUER, "_JWKS_URL": "file:///etc/hostname"}, "BOUGH_ISSUER_JWKS_URL: needs an https URL"),
            ({"": ISSUER, "_ALGORITHMS": "HS256"}, "BOUGH_ISSUER_ALGORITHMS: "),
            ({"": ISSUER, "_ALGORITHMS": "none"}, "BOUGH_ISSUER_ALGORITHMS: "),
            ({"": ISSUER, "_AUDIENCE": "a", "_ALGORITHMS": ""}, "BOUGH_ISSUER_ALGORITHMS: names none"),
            ({"_SECRET": "short"}, "BOUGH_ISSUER_SECRET: needs at least 32 characters"),
        ],
        ids=str,
    )
    def test_wrong_setting_is_named_with_its_reason(
        self, read: Callable[..., Settings], variables: dict[str, str], message: str
    ) -> None:
        """Before the first token comes."""
        with pytest.raises(SettingsError) as caught:
            read(**variables)
        assert str(caught.value).startswith(message)

    def test_missing_extra_is_named_with_its_remedy(
        self, read: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not a 500 at the first request. A shared secret alone does without it."""
        monkeypatch.setattr(issuer_settings, "find_spec", lambda _: None)
        variables = {"": ISSUER, "_AUDIENCE": "authenticated", "_SECRET": SECRET}
        with pytest.raises(SettingsError, match="needs the extra `oidc`"):
            read(**variables)
        assert read(**variables, _ALGORITHMS="").issuer == ISSUER


def test_cold_start_does_not_pay_for_it() -> None:
    """Neither cryptography nor an HTTP or a vendor's client is imported with the application."""
    code = f"import sys, api.app; print([name for name in {LAZY} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
