"""The settings of Supabase Storage, where avatars are; a part of `api.settings`."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from api.issuer_settings import require_secure


class StorageSettings(BaseModel):
    """The storage; without URL and key there are no avatars.

    Attributes:
        supabase_url: `SUPABASE_URL`, the project's URL; avatars need it and the key.
        supabase_service_role_key: `SUPABASE_SERVICE_ROLE_KEY`, which may do anything in the project: it signs
            uploads, and never leaves the function.
        avatar_bucket: The bucket of avatars, which has to exist.
    """

    supabase_url: Annotated[str, AfterValidator(require_secure)] | None = Field(
        validation_alias="SUPABASE_URL", default=None
    )
    supabase_service_role_key: SecretStr = Field(
        validation_alias="SUPABASE_SERVICE_ROLE_KEY", default=SecretStr("")
    )
    avatar_bucket: str = "avatars"
