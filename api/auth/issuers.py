"""Access tokens of the other issuer that the settings name: Supabase Auth, Neon Auth, OpenID Connect.

As RFC 8725 asks: which signatures count is configuration's and the key's to say, never the token's; issuer,
audience and lifetime are checked; and a shared secret is never tried where a public key belongs.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from api.auth.keys import KeySet
from api.auth.tokens import TokenExpiredError, TokenInvalidError
from api.settings import get_settings
from api.web.problems import UnauthorizedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jwt import PyJWK

#: Seconds by which the issuer's clock may differ from ours.
_LEEWAY: Final = 30
_CLAIMS: Final = ("iss", "aud", "sub", "exp")
#: OpenID Connect Core section 2: a subject has at most 255 ASCII characters.
_MAX_SUBJECT: Final = 255


class AnonymousTokenError(UnauthorizedError):
    """The token is of a visitor whom the issuer does not know either; sign in with an account."""

    code = "ANONYMOUS_TOKEN"


class Identity(NamedTuple):
    """Whom an issuer vouches for.

    `subject` is unique and never given to anyone else, but only within `issuer`. `claims` are the token's,
    verified, `iss` and `sub` among them.
    """

    issuer: str
    subject: str
    claims: Mapping[str, Any]


def is_foreign(token: str) -> bool:
    """Return whether a token claims to be of the other issuer; proves nothing yet."""
    issuer = get_settings().issuer
    if issuer is None:
        return False
    try:
        payload = token.split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, RecursionError):
        return False
    return isinstance(claims, dict) and claims.get("iss") == issuer


async def read_foreign_token(token: str) -> Identity:
    """Return whom a token of the other issuer names.

    Raises:
        TokenExpiredError: Its time is over.
        TokenInvalidError: Anything else is wrong with it.
        AnonymousTokenError: It is of an anonymous visitor (Supabase).
        IssuerUnavailableError: The issuer's keys are not known, and cannot be fetched.
    """
    import jwt  # noqa: PLC0415  paid by those who need it

    settings = get_settings()
    try:
        header = jwt.get_unverified_header(token)
        algorithm: Any = header.get("alg")
        claims = jwt.decode(
            token,
            await _key(header.get("kid"), algorithm),
            # Looked up among those accepted by `_key`, which has found a key for it.
            algorithms=[algorithm],
            issuer=settings.issuer,
            audience=settings.issuer_audience,
            leeway=_LEEWAY,
            options={"require": list(_CLAIMS)},
        )
    except jwt.ExpiredSignatureError:
        raise TokenExpiredError("The access token has expired; refresh it.") from None
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise TokenInvalidError("The access token is not valid.") from None
    return _identity(claims)


async def _key(key_id: str | None, algorithm: Any) -> PyJWK | str:
    """Return the key that a token may be signed with.

    Raises:
        TokenInvalidError: The algorithm is not accepted, or there is no such key.
        IssuerUnavailableError: See `KeySet.find`.
    """
    settings = get_settings()
    secret = settings.issuer_secret.get_secret_value()
    if algorithm == "HS256" and secret:
        return secret
    if algorithm in settings.issuer_algorithms:
        key = await _key_set(settings.issuer or "", settings.issuer_jwks_url).find(key_id, algorithm)
        if key is not None:
            return key
    raise TokenInvalidError("The access token is not valid.")


def _identity(claims: dict[str, Any]) -> Identity:
    """Return whom verified claims name; an anonymous visitor and an unusable subject are refused."""
    if claims.get("role") == "anon" or claims.get("is_anonymous") is True:
        raise AnonymousTokenError("Sign in with an account: this token is an anonymous visitor's.")
    subject = claims["sub"]
    if not (0 < len(subject) <= _MAX_SUBJECT and subject.isascii() and subject.isprintable()):
        raise TokenInvalidError("The access token is not valid.")
    return Identity(claims["iss"], subject, claims)


@lru_cache(maxsize=1)
def _key_set(issuer: str, url: str | None) -> KeySet:
    """Return the keys, kept as long as the process."""
    return KeySet(issuer, url)
