"""What goes in and out of the users' routes."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  pydantic resolves annotations at run time
from typing import Annotated, Any, Final, Literal
from uuid import UUID  # noqa: TC003

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from api.auth.passwords import NewPassword  # noqa: TC001
from api.users.models import MAX_BIO, Role
from api.web.text import NO_NUL, NOT_BLANK, STRIPPED

#: RFC 5321's limit of a path, less its angle brackets.
_MAX_EMAIL: Final = 254


def _normalise_email(value: str) -> str:
    """Return the address as it is stored: Unicode NFC, the domain in lower case.

    Pydantic's `EmailStr` does the same, but imports its library with this module: that costs every
    cold start what only registration and login need.
    """
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415

    try:
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError:
        # The library's own reasons quote the input.
        message = "not an email address"
        raise ValueError(message) from None


EmailAddress = Annotated[
    str,
    Field(max_length=_MAX_EMAIL, examples=["ada@example.com"]),
    AfterValidator(_normalise_email),
    WithJsonSchema(
        {"type": "string", "format": "email", "maxLength": _MAX_EMAIL, "examples": ["ada@example.com"]}
    ),
]
Username = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{3,32}$", examples=["ada"])]
Bio = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_BIO, pattern=NOT_BLANK),
    STRIPPED,
    Field(examples=["Weaves algebraic patterns."]),
]
#: The beginning of a name or an address.
Prefix = Annotated[str, StringConstraints(min_length=1, max_length=_MAX_EMAIL, pattern=NO_NUL)]


class UserCreate(BaseModel):
    """A registration."""

    model_config = ConfigDict(extra="forbid", strict=True)

    email: EmailAddress = Field(description="Unique, regardless of case.")
    username: Username = Field(description="Unique, regardless of case.")
    password: NewPassword


class UserUpdate(BaseModel):
    """A change of some fields; what is not sent stays as it is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    # The defaults stand for "not sent" and are never read; null is not a value of these columns.
    email: EmailAddress = Field(default_factory=str)
    username: Username = Field(default_factory=str)

    def changes(self) -> dict[str, Any]:
        """Return the fields that were sent."""
        return self.model_dump(exclude_unset=True)


class RoleUpdate(BaseModel):
    """Another role."""

    model_config = ConfigDict(extra="forbid")

    role: Role


class InactiveUsers(BaseModel):
    """Who is meant by inactive."""

    model_config = ConfigDict(extra="forbid", strict=True)

    days: int = Field(ge=1, le=3650, description="For how long they were not here.", examples=[90])


class Deactivated(BaseModel):
    """What a deactivation of many did."""

    count: int = Field(description="How many users it deactivated.", examples=[12])


class ProfileUpdate(BaseModel):
    """A change of some fields; what is not sent stays as it is, and null clears."""

    model_config = ConfigDict(extra="forbid", strict=True)

    bio: Bio | None = Field(default=None, description="What others should know of you.")

    def changes(self) -> dict[str, Any]:
        """Return the fields that were sent."""
        return self.model_dump(exclude_unset=True)


class ProfileRead(BaseModel):
    """What a user tells others about themselves."""

    model_config = ConfigDict(from_attributes=True)

    bio: str | None = Field(
        default=None, description="In their own words.", examples=["Weaves algebraic patterns."]
    )
    avatar_path: str | None = Field(
        default=None,
        description="Where the picture is in the storage's bucket.",
        examples=["01a1feb4-8f7f-7215-8dd4-6b32cf2b113f/01a1feb5-91c3-7a0e-b0f5-3d1c8a4e6f27.png"],
    )


ImageType = Literal["image/png", "image/jpeg", "image/webp"]
AvatarPath = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f-]{36}/[0-9a-f-]{36}\.(png|jpg|webp)$",
        examples=["01a1feb4-8f7f-7215-8dd4-6b32cf2b113f/01a1feb5-91c3-7a0e-b0f5-3d1c8a4e6f27.png"],
    ),
]


class AvatarUploadCreate(BaseModel):
    """A picture that is to be uploaded."""

    model_config = ConfigDict(extra="forbid", strict=True)

    content_type: ImageType = Field(description="What the upload will say it is.", examples=["image/png"])


class AvatarUploadRead(BaseModel):
    """Where a picture may be uploaded to, once."""

    upload_url: str = Field(
        description="PUT the picture here, with its type as `Content-Type`.",
        examples=["https://abc.supabase.co/storage/v1/object/upload/sign/avatars/01a1….png?token=eyJ…"],
    )
    token: str = Field(
        description="The same for the storage's own client: `uploadToSignedUrl(path, token, file)`.",
        examples=["eyJ…"],
    )
    path: AvatarPath = Field(description="What to confirm once it is uploaded.")
    expires_in: int = Field(description="Seconds that the right to upload lasts.", examples=[7200])


class AvatarUpdate(BaseModel):
    """A picture that was uploaded."""

    model_config = ConfigDict(extra="forbid", strict=True)

    path: AvatarPath = Field(description="Where it was uploaded to.")


def _profile_or_empty(profile: object) -> object:
    """Return a profile even for who never wrote one: its fields may be null, it is not."""
    return profile or ProfileRead()


class UserSummary(BaseModel):
    """A user in a list."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    username: str = Field(examples=["ada"])
    email: str | None = Field(
        description="Null unless it is your own or you are a moderator.", examples=["ada@example.com"]
    )
    role: Role
    is_active: bool = Field(description="Whether they may sign in.")
    last_login_at: datetime | None = Field(
        description="With a password. Null before that, and unless it is your own or you are a moderator."
    )
    created_at: datetime
    updated_at: datetime


class UserRead(UserSummary):
    """A user, as another user may see them."""

    profile: Annotated[ProfileRead, BeforeValidator(_profile_or_empty)]
