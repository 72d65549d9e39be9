"""Everything that differs between environments, read from environment variables and what they name.

A setting's variable holds its value, or `<VARIABLE>_PARAMETER` the name of the parameter that does
(`api.parameters`). Nothing is read on import: the app starts without `DATABASE_URL` and says what is missing
when first asked (`/readyz` names the variables, the log the reasons).
"""

from __future__ import annotations

import re
import secrets
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, SettingsConfigDict

from api import parameters
from api.auth_keys import MIN_LENGTH, AuthKey, read_auth_keys, refuse_weak_key
from api.database.connection_url import PooledUrl  # noqa: TC001  pydantic resolves annotations at run time
from api.database.engine import IDLE_THRESHOLD, POOL_TIMEOUT, RECYCLE
from api.database.timeouts import LONGEST, SHORTEST, Timeouts
from api.issuer_settings import IssuerSettings
from api.storage_settings import StorageSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_settings import PydanticBaseSettingsSource

#: As browsers write an origin: without a path or a slash at its end, which would match none.
_ORIGIN: Final = re.compile(r"\*|[a-z][a-z0-9+.-]*://[^/?#\sA-Z]+")


class SettingsError(Exception):
    """Settings are missing or wrong; the message has a line for each variable and never a value."""

    code = "SETTINGS_INVALID"

    @property
    def variables(self) -> list[str]:
        """The variables' names alone, for whoever may not read a database's host or user."""
        return [line.partition(":")[0] for line in str(self).splitlines()]


class WebSettings(BaseSettings):
    """What shapes the app itself, readable without a database.

    Attributes:
        environment: Production unless said otherwise, so that forgetting it never weakens anything.
        cors_origins: Origins, separated by commas, whose pages may call the API; none by default.
    """

    model_config = SettingsConfigDict(
        env_prefix="BOUGH_",
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        # A rejected DATABASE_URL or AUTH_SECRET must not be quoted by the error that rejects it.
        hide_input_in_errors=True,
    )

    environment: Literal["development", "test", "production"] = "production"
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(_ORIGIN.fullmatch, origins)):
            raise ValueError("an origin is scheme and host in small letters, like https://app.example.com")
        return origins


class _ParameterSource(EnvSettingsSource):
    """The settings whose variables name a parameter."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        fields = self.settings_cls.model_fields.items()
        names = [_variable((str(field.validation_alias or name),)) for name, field in fields]
        return {name.lower(): value for name, value in parameters.secrets_of(names).items()}


_Limit = Annotated[float, Field(ge=SHORTEST, le=LONGEST)]
SettingsT = TypeVar("SettingsT", bound=WebSettings)


class Settings(IssuerSettings, StorageSettings, WebSettings):
    """All settings; times in seconds where the name says nothing else.

    Attributes:
        database_url: `DATABASE_URL`, the pooled connection string; a direct one is refused.
        statement_timeout: The role's `statement_timeout`, as provisioned.
        lock_timeout: The role's `lock_timeout`, as provisioned.
        idle_in_transaction_timeout: The role's `idle_in_transaction_session_timeout`, as provisioned.
        pool_size: Connections per process; a Lambda serves one request at a time.
        pool_timeout: How long a request waits for a connection of the pool.
        pool_recycle: Age at which a connection is replaced.
        idle_threshold: Idleness after which a connection is replaced instead of trusted.
        echo: Log every SQL statement.
        auth_secret: `AUTH_SECRET`, the key of access tokens, or several (`api.auth_keys`). Outside production
            a random one, which lasts as long as the process, stands in.
        access_token_minutes: Life of an access token.
        refresh_token_days: Life of a refresh token.
        row_level_security: Send the user's claims with every transaction, for tables whose row-level security
            is enabled; 2 round trips more for each read.
    """

    database_url: PooledUrl = Field(validation_alias="DATABASE_URL")
    statement_timeout: _Limit = Timeouts().statement
    lock_timeout: _Limit = Timeouts().lock
    idle_in_transaction_timeout: _Limit = Timeouts().idle_in_transaction
    pool_size: PositiveInt = 1
    pool_timeout: PositiveFloat = POOL_TIMEOUT
    pool_recycle: PositiveInt = RECYCLE
    idle_threshold: PositiveFloat = IDLE_THRESHOLD
    echo: bool = False
    auth_secret: SecretStr = Field(validation_alias="AUTH_SECRET", default=SecretStr(""))
    access_token_minutes: PositiveInt = 15
    refresh_token_days: PositiveInt = 30
    row_level_security: bool = False

    @field_validator("auth_secret", "issuer_secret")
    @classmethod
    def _refuse_weak_secret(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value():
            for each in read_auth_keys(value.get_secret_value()):
                refuse_weak_key(each.key)
        return value

    @model_validator(mode="after")
    def _require_secret_in_production(self) -> Self:
        if self.auth_secret.get_secret_value():
            return self
        if self.environment == "production":
            message = (
                "AUTH_SECRET: is not set, and production needs it; "
                "on your own machine set BOUGH_ENVIRONMENT=development instead"
            )
            raise ValueError(message)
        # The model is frozen for its users; this is still its construction.
        object.__setattr__(self, "auth_secret", SecretStr(secrets.token_hex(MIN_LENGTH)))
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  pydantic's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read parameters too: not for `WebSettings`, which are read while the app is imported."""
        return init_settings, env_settings, _ParameterSource(settings_cls)

    @cached_property
    def auth_keys(self) -> tuple[AuthKey, ...]:
        """The keys of access tokens, the newest first."""
        return read_auth_keys(self.auth_secret.get_secret_value())

    @property
    def timeouts(self) -> Timeouts:
        """The role's limits on the server."""
        return Timeouts(self.statement_timeout, self.lock_timeout, self.idle_in_transaction_timeout)


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Read the settings once per process.

    Raises:
        SettingsError: A variable is missing or wrong; it is not remembered, the next call reads again.
    """
    return read_settings(Settings)


def renew_settings(older_than: float = parameters.MAX_AGE) -> bool:
    """Read secrets from their parameters again, and return whether one has changed.

    Args:
        older_than: Seconds since they were read, below which they are not read again.
    """
    changed = parameters.renew(older_than)
    if changed:
        get_settings.cache_clear()
    return changed


def read_settings(kind: type[SettingsT]) -> SettingsT:
    """Read settings of one kind from the environment.

    Raises:
        SettingsError: A variable is missing or wrong, or the parameter that it names cannot be read.
    """
    try:
        return kind()
    except parameters.ParameterError as error:
        lines = str(error)
    except ValidationError as error:
        lines = "\n".join(_explain(item) for item in error.errors(include_url=False, include_input=False))
    # Outside the `except`: a chained ValidationError would carry the values into tracebacks.
    raise SettingsError(lines)


def _explain(error: Any) -> str:
    """Put a pydantic error as `VARIABLE: reason`."""
    reason = "is not set" if error["type"] == "missing" else error["msg"].removeprefix("Value error, ")
    return ": ".join(filter(None, (_variable(error["loc"]), reason)))


def _variable(location: tuple[int | str, ...]) -> str:
    if not location:
        return ""
    name = str(location[0])
    return name if name.isupper() else f"{WebSettings.model_config.get('env_prefix', '')}{name}".upper()
