"""The settings of another issuer, whose tokens are accepted beside our own; a part of `api.settings`."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

#: Signatures by a private key. HS256 is none of them: it has a setting of its own, so that a public key is
#: never taken for a shared secret (RFC 8725 section 2.1).
Algorithm = Literal["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"]


def require_secure(url: str) -> str:
    """Return the URL unless others could change what it answers: https, or http on this machine.

    Raises:
        ValueError: It is neither.
    """
    parts = urlsplit(url)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    # `urlsplit` passes over white space, and checks the port only when asked for it.
    is_plain = url.isascii() and url.isprintable() and " " not in url and "@" not in parts.netloc
    if not (is_safe and is_plain and parts.hostname and parts.port != 0):
        message = "needs an https URL (http on this machine alone), without a user or white space"
        raise ValueError(message)
    return url


_SecureUrl = Annotated[str, AfterValidator(require_secure)]


class IssuerSettings(BaseModel):
    """The other issuer; without `issuer` there is none.

    Attributes:
        issuer: `iss` of tokens that are accepted beside our own: of Supabase Auth, Neon Auth or any OpenID
            Connect provider.
        issuer_audience: `aud` that such a token must name; required with an issuer.
        issuer_jwks_url: Where the issuer's public keys are; by default `.well-known/jwks.json` below a
            Supabase issuer, for any other what its `.well-known/openid-configuration` names.
        issuer_algorithms: Signatures accepted from it, separated by commas; `ES256,RS256,EdDSA` by default.
        issuer_secret: The shared secret of an issuer that signs with HS256; without it HS256 is refused.
        issuer_verifies_email: The issuer gives a token to nobody whose address is not confirmed, though its
            tokens do not say so (Supabase with "Confirm email").
    """

    issuer: _SecureUrl | None = None
    issuer_audience: str | None = None
    issuer_jwks_url: _SecureUrl | None = None
    issuer_algorithms: Annotated[tuple[Algorithm, ...], NoDecode] = ("ES256", "RS256", "EdDSA")
    issuer_secret: SecretStr = SecretStr("")
    issuer_verifies_email: bool = False

    @field_validator("issuer_algorithms", mode="before")
    @classmethod
    def _split_algorithms(cls, value: Any) -> Any:
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _require_a_whole_issuer(self) -> Self:
        if self.issuer is None:
            return self
        if not self.issuer_audience:
            message = "BOUGH_ISSUER_AUDIENCE: is not set; without it tokens for other services would do"
            raise ValueError(message)
        if self.issuer_algorithms and find_spec("cryptography") is None:
            message = "BOUGH_ISSUER: needs the extra `oidc`: name it in `extras` of [tool.bough]"
            raise ValueError(message)
        if not self.issuer_algorithms and not self.issuer_secret.get_secret_value():
            message = "BOUGH_ISSUER_ALGORITHMS: names none, and there is no BOUGH_ISSUER_SECRET either"
            raise ValueError(message)
        return self
