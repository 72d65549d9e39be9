"""Access tokens (signed, short, checked without the database) and refresh tokens (random, stored hashed).

An access token is a JWT, HS256 with a key of `AUTH_SECRET`. It proves an identity, not a permission: the
current user's row is read at each request. A refresh token is opaque: 16 bytes that name its family,
the login it descends from, and 32 random ones.
"""

from __future__ import annotations

import hashlib
import os
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from api.auth_keys import accepted_keys, signing_key
from api.database.base import uuid7
from api.settings import get_settings, renew_settings
from api.web.problems import UnauthorizedError

_ALGORITHM: Final = "HS256"
_ISSUER: Final = "bough"
_AUDIENCE: Final = "bough-api"
#: Distinguishes our access tokens from any other JWT signed with the same key (RFC 9068 section 2.1).
_TYPE: Final = "at+jwt"
#: Seconds by which the clocks of two environments may differ.
_LEEWAY: Final = 5
_FAMILY_BYTES: Final = 16
_SECRET_BYTES: Final = 32
_CLAIMS: Final = ("sub", "iat", "exp", "iss", "aud", "jti")


class TokenExpiredError(UnauthorizedError):
    """The access token's time is over: refresh it."""

    code = "TOKEN_EXPIRED"


class TokenInvalidError(UnauthorizedError):
    """The access token is neither ours nor of the issuer we accept, or its user is gone."""

    code = "TOKEN_INVALID"


class RefreshToken(NamedTuple):
    """A refresh token, taken apart; its text is for the client alone."""

    family: UUID
    secret: bytes

    @property
    def text(self) -> str:
        """What the client keeps."""
        return urlsafe_b64encode(self.family.bytes + self.secret).decode()

    @property
    def digest(self) -> bytes:
        """What the database keeps; 256 random bits need no salt and no slow hash."""
        return hashlib.sha256(self.secret).digest()

    def __repr__(self) -> str:
        """Show the family only."""
        return f"RefreshToken(family={self.family})"


def new_refresh_token(family: UUID) -> RefreshToken:
    """Return a token of this family."""
    return RefreshToken(family, os.urandom(_SECRET_BYTES))


def parse_refresh_token(text: str) -> RefreshToken | None:
    """Return the token's parts; `None` when it cannot be one of ours."""
    try:
        raw = urlsafe_b64decode(text.encode("ascii"))
    except ValueError:
        return None
    if len(raw) != _FAMILY_BYTES + _SECRET_BYTES:
        return None
    return RefreshToken(UUID(bytes=raw[:_FAMILY_BYTES]), raw[_FAMILY_BYTES:])


def issue_access_token(user: UUID, *, now: datetime | None = None) -> str:
    """Return a token that names the user and lasts `access_token_minutes`."""
    import jwt  # noqa: PLC0415  its import is paid by those who need it

    renew_settings()
    settings = get_settings()
    issued = now or datetime.now(UTC)
    claims = {
        "sub": str(user),
        "iat": issued,
        "exp": issued + timedelta(minutes=settings.access_token_minutes),
        "iss": _ISSUER,
        "aud": _AUDIENCE,
        "jti": str(uuid7()),
    }
    key = signing_key(settings.auth_keys, issued.timestamp())
    return jwt.encode(claims, key, algorithm=_ALGORITHM, headers={"typ": _TYPE})


def read_access_token(token: str) -> UUID:
    """Return the user whom a token names.

    Raises:
        TokenExpiredError: Its time is over.
        TokenInvalidError: Anything else is wrong with it.
    """
    import jwt  # noqa: PLC0415  see above

    try:
        content = _decode(token)
        if content["header"].get("typ") != _TYPE:
            raise TokenInvalidError("The token is no access token.")
        return UUID(content["payload"]["sub"])
    except jwt.ExpiredSignatureError:
        raise TokenExpiredError("The access token has expired; refresh it.") from None
    # ValueError: a subject that is no UUID, text that is no ASCII. RecursionError: JSON of a thousand levels.
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        raise TokenInvalidError("The access token is not valid.") from None


def _decode(token: str) -> dict[str, Any]:
    """Return header and payload of a token that one of the keys has signed."""
    import jwt  # noqa: PLC0415  see above

    renew_settings()
    settings = get_settings()
    keys = accepted_keys(settings.auth_keys, time.time(), settings.access_token_minutes * 60 + _LEEWAY)
    for number, key in enumerate(keys, start=1):
        try:
            return jwt.decode_complete(
                token,
                key,
                # Ours to choose, never the token's.
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                audience=_AUDIENCE,
                leeway=_LEEWAY,
                options={"require": list(_CLAIMS)},
            )
        except jwt.InvalidSignatureError:
            if number == len(keys):
                raise
    raise AssertionError("there is always a key")
