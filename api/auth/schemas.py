"""What goes in and out of the routes under /auth."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from api.auth.passwords import GivenPassword, NewPassword  # noqa: TC001  pydantic resolves annotations at run time
from api.users.schemas import EmailAddress  # noqa: TC001


class Credentials(BaseModel):
    """What proves who one is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    email: EmailAddress
    password: GivenPassword


class RefreshRequest(BaseModel):
    """A refresh token, to be exchanged or given up."""

    model_config = ConfigDict(extra="forbid", strict=True)

    refresh_token: SecretStr = Field(
        max_length=200, description="As it came with the access token.", examples=["AZ_1CmJl…"]
    )


class PasswordChange(BaseModel):
    """The old password and the new one."""

    model_config = ConfigDict(extra="forbid", strict=True)

    current_password: GivenPassword = Field(description="The one that is to be replaced.")
    new_password: NewPassword


class Tokens(BaseModel):
    """A pair of tokens (RFC 6749 section 5.1)."""

    access_token: str = Field(description="Send it as `Authorization: Bearer …`.")
    refresh_token: str = Field(description="Good for one exchange at /auth/refresh.")
    token_type: Literal["bearer"] = Field(default="bearer", description="The scheme to send it with.")
    expires_in: int = Field(description="Seconds that the access token lasts.", examples=[900])
