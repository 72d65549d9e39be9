"""Settings from the environment, and how their errors read."""

from __future__ import annotations

import subprocess
import sys
import traceback
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from api.settings import Settings, SettingsError, WebSettings, get_settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "f3a9" * 4 + "0b7c1d5e" * 4
PLAIN = "postgresql://bough_app:hunter2secret@localhost:6432/app"
NEON_DIRECT = "postgresql://app:hunter2secret@ep-cool-rain-123456.eu-central-1.aws.neon.tech/app"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hide the settings of whoever runs the tests."""
    for name in (
        "DATABASE_URL",
        "AUTH_SECRET",
        "BOUGH_ENVIRONMENT",
        "BOUGH_STATEMENT_TIMEOUT",
        "BOUGH_CORS_ORIGINS",
    ):
        monkeypatch.delenv(name, raising=False)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


class TestSettings:
    """Reading and defaults."""

    def test_environment_defaults_to_production(self) -> None:
        """Forgetting the environment weakens nothing."""
        assert WebSettings().environment == "production"

    def test_variables_are_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each setting comes from its variable, times in seconds."""
        monkeypatch.setenv("DATABASE_URL", PLAIN)
        monkeypatch.setenv("AUTH_SECRET", SECRET)
        monkeypatch.setenv("BOUGH_STATEMENT_TIMEOUT", "2.5")
        monkeypatch.setenv("BOUGH_CORS_ORIGINS", "https://a.example, https://b.example")
        settings = get_settings()
        assert settings.timeouts.settings()["statement_timeout"] == "2500ms"
        assert settings.cors_origins == ("https://a.example", "https://b.example")
        assert settings.auth_secret.get_secret_value() == SECRET
        assert settings.database_url.database == "app"

    @pytest.mark.parametrize(
        "origin", ["https://a.example/", "a.example", "https://A.example", "https://a.example/x"]
    )
    def test_origin_that_no_browser_sends_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, origin: str
    ) -> None:
        """It would match nothing, and pages would be refused without a reason."""
        monkeypatch.setenv("BOUGH_CORS_ORIGINS", f"*,http://localhost:5173,{origin}")
        with pytest.raises(SettingsError, match=r"BOUGH_CORS_ORIGINS.*like https://app\.example\.com"):
            read_settings(WebSettings)

    def test_settings_are_frozen(self) -> None:
        """Nobody changes settings while the process runs."""
        settings = WebSettings()
        with pytest.raises(ValidationError, match="frozen"):
            settings.environment = "test"  # type: ignore[misc]

    def test_secrets_are_masked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Neither password nor secret is in what is printed."""
        monkeypatch.setenv("DATABASE_URL", PLAIN)
        monkeypatch.setenv("AUTH_SECRET", SECRET)
        printed = f"{get_settings()!r} {get_settings()}"
        assert "hunter2" not in printed
        assert SECRET not in printed

    def test_secret_outside_production_lasts_for_the_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Development needs no AUTH_SECRET: a random one stands in."""
        monkeypatch.setenv("DATABASE_URL", PLAIN)
        monkeypatch.setenv("BOUGH_ENVIRONMENT", "development")
        first = get_settings().auth_secret.get_secret_value()
        assert len(first) >= 32
        assert get_settings().auth_secret.get_secret_value() == first
        assert Settings().auth_secret.get_secret_value() != first  # type: ignore[call-arg]


class TestSettingsError:
    """What is missing or wrong, by variable, without values."""

    def test_missing_url_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An absent DATABASE_URL is named."""
        monkeypatch.setenv("AUTH_SECRET", SECRET)
        with pytest.raises(SettingsError, match=r"^DATABASE_URL: is not set$"):
            get_settings()

    def test_error_is_not_remembered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Once the variable is set the next call succeeds."""
        monkeypatch.setenv("AUTH_SECRET", SECRET)
        with pytest.raises(SettingsError):
            get_settings()
        monkeypatch.setenv("DATABASE_URL", PLAIN)
        assert get_settings().database_url.host == "localhost"

    @pytest.mark.parametrize(
        "url", [NEON_DIRECT, "http://u:hunter2secret@h/d", "postgresql://u:hunter2secret@h/d?nope=1"]
    )
    def test_refused_url_is_named_without_password(self, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        """A refused URL: the variable and the reason, the password nowhere, not even in locals."""
        monkeypatch.setenv("AUTH_SECRET", SECRET)
        monkeypatch.setenv("DATABASE_URL", url)
        with pytest.raises(SettingsError, match=r"^DATABASE_URL: \w") as caught:
            get_settings()
        report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        assert caught.value.__context__ is None
        assert "hunter2" not in str(caught.value)
        assert "hunter2" not in "".join(f"{frame.locals}" for frame in report.stack[1:])

    def test_direct_url_says_what_to_use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The fix comes along."""
        monkeypatch.setenv("AUTH_SECRET", SECRET)
        monkeypatch.setenv("DATABASE_URL", NEON_DIRECT)
        with pytest.raises(SettingsError, match="-pooler"):
            get_settings()

    @pytest.mark.parametrize(
        ("secret", "reason"),
        [
            (None, "is not set, and production needs it"),
            ("", "is not set, and production needs it"),
            ("short", "needs at least 32 characters"),
            ("change-me-" * 5, "is a placeholder"),
            ("your_secret_key_goes_here_0123456789", "is a placeholder"),
            ("a" * 64, "is a placeholder"),
        ],
    )
    def test_weak_secret_is_refused_in_production(
        self, monkeypatch: pytest.MonkeyPatch, secret: str | None, reason: str
    ) -> None:
        """No secret, a short one and a placeholder are refused."""
        monkeypatch.setenv("DATABASE_URL", PLAIN)
        if secret is not None:
            monkeypatch.setenv("AUTH_SECRET", secret)
        with pytest.raises(SettingsError, match=f"^AUTH_SECRET: {reason}") as caught:
            get_settings()
        assert not secret or secret not in str(caught.value)

    def test_every_wrong_variable_has_a_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """All problems are told at once."""
        monkeypatch.setenv("BOUGH_ENVIRONMENT", "prod")
        monkeypatch.setenv("BOUGH_STATEMENT_TIMEOUT", "0")
        with pytest.raises(SettingsError) as caught:
            get_settings()
        names = {line.partition(":")[0] for line in str(caught.value).splitlines()}
        assert names == {"BOUGH_ENVIRONMENT", "BOUGH_STATEMENT_TIMEOUT", "DATABASE_URL"}

    @pytest.mark.parametrize("value", ["0", "0.0001", "1e10", "inf", "nan", "soon"])
    @pytest.mark.parametrize("name", ["STATEMENT", "LOCK", "IDLE_IN_TRANSACTION"])
    def test_limit_that_the_server_cannot_keep_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        """At the start, by the variable's name, and not under every request."""
        monkeypatch.setenv("BOUGH_ENVIRONMENT", "test")
        monkeypatch.setenv("DATABASE_URL", PLAIN)
        monkeypatch.setenv(f"BOUGH_{name}_TIMEOUT", value)
        with pytest.raises(SettingsError) as caught:
            get_settings()
        assert caught.value.variables == [f"BOUGH_{name}_TIMEOUT"]

    def test_validation_error_hides_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Even pydantic's own error quotes no value."""
        monkeypatch.setenv("DATABASE_URL", "http://u:hunter2secret@h/d")
        with pytest.raises(ValidationError) as caught:
            Settings()  # type: ignore[call-arg]
        assert "hunter2" not in f"{caught.value} {caught.value!r}"


class TestLaziness:
    """Importing the application reads no database setting."""

    @pytest.mark.parametrize("url", [None, "garbage"])
    def test_app_imports_without_usable_url(self, url: str | None) -> None:
        """Neither a missing nor a malformed DATABASE_URL stops the import."""
        environment = {"PATH": "/usr/bin:/bin"} | ({"DATABASE_URL": url} if url else {})
        subprocess.run(
            [sys.executable, "-W", "error", "-c", "import api.handler"],
            check=True,
            env=environment,
            timeout=60,
        )

    def test_wrong_environment_stops_the_import(self) -> None:
        """What shapes the app itself is needed at once; the error names the variable."""
        done = subprocess.run(
            [sys.executable, "-c", "import api.handler"],
            check=False,
            env={"PATH": "/usr/bin:/bin", "BOUGH_ENVIRONMENT": "prod"},
            timeout=60,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert "SettingsError: BOUGH_ENVIRONMENT: Input should be" in done.stderr
