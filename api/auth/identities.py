"""From whom another issuer vouches for to a user of ours, made at their first request.

A user is found by issuer and subject alone. Never by address: who can make an issuer state somebody's address
would get that person's account.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter, ValidationError

from api.auth import repository
from api.database.errors import UniqueViolationError
from api.database.session import write
from api.settings import get_settings
from api.users.models import UNIQUE_EMAIL
from api.users.schemas import EmailAddress
from api.web.problems import ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from api.auth.issuers import Identity
    from api.auth.repository import ActiveUser
    from api.database.session import ReadSession

_MIN_USERNAME: Final = 3
_MAX_USERNAME: Final = 32
_SUFFIX_BYTES: Final = 3
#: Names with a suffix that are tried: of 16 million each, all will hardly be taken.
_SUFFIXES: Final = 3


class VerifiedEmailRequiredError(ForbiddenError):
    """The token carries no address that its issuer has verified, and an account needs one."""

    code = "VERIFIED_EMAIL_REQUIRED"


class AccountExistsError(ForbiddenError):
    """Somebody has an account with this address, made another way: sign in that way."""

    code = "ACCOUNT_EXISTS"


async def sign_in(session: ReadSession, identity: Identity) -> ActiveUser | None:
    """Return the user of an identity, made now if it was never seen; `None` when they are deactivated.

    Deleted users are refused as well: the token that their client still has would make them anew.
    One statement for who was here before.

    Raises:
        VerifiedEmailRequiredError: A user has to be made, and the claims hold no verified address.
        AccountExistsError: A user has to be made, and the address is another's.
    """
    user, is_active = await repository.find_user_of(session, identity) or await _sign_up(session, identity)
    return user if is_active else None


async def _sign_up(session: ReadSession, identity: Identity) -> tuple[ActiveUser, bool]:
    """Make a user; of requests that do so at the same time, one does and all return the same."""
    email = _verified_email(identity.claims)
    for username in _usernames(identity.claims, email):
        taken = None
        try:
            async with write(session) as writer:
                await repository.add_user_of(writer, identity, email=email, username=username)
        except UniqueViolationError as error:
            taken = error.constraint
        # Also after a conflict: it may be with a request that was faster.
        if found := await repository.find_user_of(session, identity):
            return found
        if taken == UNIQUE_EMAIL.name:
            raise AccountExistsError("There is an account with this email address; sign in to it as before.")
    raise RuntimeError("every username that was tried is taken")


def _verified_email(claims: Mapping[str, Any]) -> str:
    """Return the address, as it is stored.

    `email_verified` is OpenID Connect's claim, `emailVerified` Neon Auth's. Supabase's
    `user_metadata.email_verified` counts for nothing: users can write it themselves.
    """
    stated = claims.get("email_verified", claims.get("emailVerified"))
    is_verified = get_settings().issuer_verifies_email if stated is None else stated is True
    if not is_verified:
        raise VerifiedEmailRequiredError("Confirm your email address with the issuer, then sign in again.")
    try:
        # Not a field of a model: made when first needed, by few requests.
        email: str = TypeAdapter(EmailAddress).validate_python(claims.get("email"), strict=True)
    except ValidationError:
        raise VerifiedEmailRequiredError("The access token names no usable email address.") from None
    return email


def _usernames(claims: Mapping[str, Any], email: str) -> Iterator[str]:
    """Yield the name that the issuer or the address suggests, then the same with random suffixes."""
    wanted = claims.get("preferred_username")
    # Some issuers put the address there.
    local_part = (wanted if isinstance(wanted, str) and wanted else email).partition("@")[0]
    ascii_only = unicodedata.normalize("NFKD", local_part).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", ascii_only).strip("-")[:_MAX_USERNAME]
    if len(name) >= _MIN_USERNAME:
        yield name
    for _ in range(_SUFFIXES):
        suffix = secrets.token_hex(_SUFFIX_BYTES)
        yield f"{(name or 'user')[: _MAX_USERNAME - len(suffix) - 1]}-{suffix}"
