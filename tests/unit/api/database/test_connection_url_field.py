"""Connection URLs as fields of settings and models."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.database.connection_url import DirectUrl, PooledUrl

NEON = "postgresql://alex:s3cret-word@ep-cool-rain-123456.us-east-2.aws.neon.tech/neondb"
NEON_POOLED = "postgresql://alex:s3cret-word@ep-cool-rain-123456-pooler.us-east-2.aws.neon.tech/neondb"
PLAIN = "postgresql://app:s3cret-word@localhost/app"


class Settings(BaseSettings):
    """Settings as an application has them."""

    model_config = SettingsConfigDict(env_prefix="TEST_URL_")

    database: PooledUrl
    unpooled: DirectUrl | None = None


class TestField:
    """Connection URLs as pydantic fields."""

    def test_read_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """pydantic-settings hands over the text, not its idea of JSON."""
        monkeypatch.setenv("TEST_URL_DATABASE", NEON_POOLED)
        monkeypatch.setenv("TEST_URL_UNPOOLED", NEON)
        settings = Settings()
        assert settings.database == PooledUrl.parse(NEON_POOLED)
        assert settings.unpooled == DirectUrl.parse(NEON)
        assert (
            "s3cret-word"
            not in f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"
        )

    @pytest.mark.parametrize("text", [NEON, "s3cret-word", f"'{NEON_POOLED}'", f"{NEON_POOLED}?s3cret=1"])
    def test_error_hides_the_input(self, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing that a validation error can print holds the text; the fix is in the message."""
        monkeypatch.setenv("TEST_URL_DATABASE", text)
        with pytest.raises(ValidationError) as caught:
            Settings()
        error = caught.value
        assert "database" in str(error)
        assert "s3cret-word" not in f"{error} {error!r} {error.json()} {error.errors()}"

    def test_error_says_the_fix(self) -> None:
        """The hint is part of what pydantic prints."""
        with pytest.raises(ValidationError, match="use the host ep-cool-rain-123456-pooler"):
            Settings(database=NEON)

    def test_takes_only_its_own_kind(self) -> None:
        """An instance is taken as it is, the other kind and other types are refused."""
        url = PooledUrl.parse(PLAIN)
        assert Settings(database=url).database is url
        for other in (DirectUrl.parse(PLAIN), 5):
            with pytest.raises(ValidationError, match="is not a PooledUrl"):
                Settings(database=other)

    def test_works_in_any_model(self) -> None:
        """A plain model reads and copies one."""

        class Model(BaseModel):
            url: DirectUrl

        model = Model.model_validate({"url": NEON})
        assert model.model_copy(deep=True).url == DirectUrl.parse(NEON)
