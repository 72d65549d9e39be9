"""Settings whose variables name a parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.settings import SettingsError, WebSettings, get_settings, read_settings, renew_settings
from tests.support.parameters_extension import ParametersExtension, parameters_extension

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "f3a9" * 4 + "0b7c1d5e" * 4
URL = "postgresql://bough_app:hunter2secret@localhost:6432/app"
NAMES = {"DATABASE_URL": "/shop/DATABASE_URL", "AUTH_SECRET": "/shop/AUTH_SECRET"}


@pytest.fixture
def extension(monkeypatch: pytest.MonkeyPatch) -> Iterator[ParametersExtension]:
    """A function whose two secrets are parameters."""
    for name, parameter in NAMES.items():
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(f"{name}_PARAMETER", parameter)
    monkeypatch.setenv("STRIPE_KEY_PARAMETER", "/shop/STRIPE_KEY")
    with parameters_extension() as extension:
        extension.values = {NAMES["DATABASE_URL"]: URL, NAMES["AUTH_SECRET"]: SECRET}
        yield extension


class TestGetSettings:
    """`get_settings`."""

    def test_reads_the_parameters_of_settings_once(self, extension: ParametersExtension) -> None:
        """Not those of other variables."""
        settings = [get_settings(), get_settings()][0]
        assert settings.database_url.libpq() == URL
        assert settings.auth_secret.get_secret_value() == SECRET
        assert sorted(extension.names) == sorted(NAMES.values())

    def test_names_what_is_missing(self, extension: ParametersExtension) -> None:
        """Variable and parameter; what `/readyz` shows are the variables alone."""
        extension.values.clear()
        with pytest.raises(SettingsError, match=r"DATABASE_URL: the parameter /shop/DATABASE_URL") as caught:
            get_settings()
        assert sorted(caught.value.variables) == ["AUTH_SECRET", "DATABASE_URL"]

    def test_the_apps_own_settings_read_no_parameter(self, extension: ParametersExtension) -> None:
        """They are read on import, when the extension does not answer yet."""
        read_settings(WebSettings)
        assert extension.names == []


class TestRenewSettings:
    """`renew_settings`."""

    def test_makes_settings_of_what_has_changed(self, extension: ParametersExtension) -> None:
        """The same object where nothing has."""
        before = get_settings()
        assert not renew_settings(0)
        assert get_settings() is before
        extension.values[NAMES["DATABASE_URL"]] = URL.replace("hunter2", "hunter3")
        assert renew_settings(0)
        assert "hunter3" in get_settings().database_url.libpq()
