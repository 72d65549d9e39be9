"""An issuer's public keys: fetched when first needed, kept, fetched again when they may have changed.

Not PyJWT's own client: it blocks the event loop, asks again for every token once its keys have expired and
the issuer is down, though it holds keys, and refuses a key that appeared within 30 seconds of its last fetch.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import TYPE_CHECKING, Any, ClassVar, Final

from api.database.timeouts import remaining
from api.issuer_settings import require_secure
from api.web.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable

    from jwt import PyJWK

#: Seconds that keys are used without asking. Supabase's edge keeps them for ten minutes and asks that nobody
#: keeps them longer: it is how long a revoked key goes on working.
LIFETIME: Final = 600.0
#: Seconds that keys serve on while the issuer cannot be reached: as long as the longest usual token lasts, so
#: that who holds a token from before the outage does not notice it.
LIFETIME_IN_OUTAGE: Final = LIFETIME + 3600.0
#: Seconds between two fetches for a key that is not known, and after a failed one while keys are at hand:
#: made-up key ids must not turn this function into a flood, nor an outage slow every request down.
PAUSE: Final = 10.0
#: Seconds after a failed fetch when there are no keys: every request with such a token fails meanwhile.
SHORT_PAUSE: Final = 2.0
#: Seconds for discovery and keys together.
TIMEOUT: Final = 3.0
_MAX_BYTES: Final = 65_536
#: RFC 7518 section 3.4: each of these signatures has one curve, which PyJWT does not check here.
_CURVES: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}

logger = logging.getLogger(__name__)


class IssuerUnavailableError(ProblemError):
    """The issuer's keys cannot be fetched, so its tokens can be neither accepted nor refused: try again."""

    status: ClassVar[int] = 503
    code = "ISSUER_UNAVAILABLE"

    def __init__(self) -> None:
        """Say when to come back."""
        super().__init__(
            "The issuer of the token cannot be reached.", headers={"Retry-After": f"{SHORT_PAUSE:.0f}"}
        )


class KeySet:
    """The keys of one issuer.

    Args:
        issuer: Its identifier, as in `iss`.
        url: Where its keys are; found by discovery unless given.
        clock: Wall-clock seconds: unlike a monotonic clock it counts through a freeze.
    """

    def __init__(self, issuer: str, url: str | None, *, clock: Callable[[], float] = time.time) -> None:
        """Fetch nothing yet."""
        self._issuer = issuer
        self._url = url
        self._clock = clock
        self._keys: dict[str | None, dict[str, Any]] = {}
        self._fetched_at = self._failed_at = self._searched_at = float("-inf")
        self._lock = asyncio.Lock()

    async def find(self, key_id: str | None, algorithm: str) -> PyJWK | None:
        """Return the key with this id, if it is one for the algorithm; without an id, the only key.

        Raises:
            IssuerUnavailableError: There are no keys, and none can be fetched.
        """
        # One fetch at a time; who waited for it finds its keys.
        async with self._lock:
            if not self._is_within(LIFETIME, self._fetched_at):
                await self._fetch_unless_failing()
            elif self._get(key_id) is None and not self._is_within(PAUSE, self._searched_at):
                self._searched_at = self._clock()
                await self._fetch_unless_failing()
            key = self._get(key_id)
        return None if key is None else _usable(key, algorithm)

    def _get(self, key_id: str | None) -> dict[str, Any] | None:
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    def _is_within(self, seconds: float, since: float) -> bool:
        """Tell whether less time has passed; a clock set back counts as too long."""
        return 0 <= self._clock() - since < seconds

    async def _fetch_unless_failing(self) -> None:
        has_keys = self._is_within(LIFETIME_IN_OUTAGE, self._fetched_at)
        if not self._is_within(PAUSE if has_keys else SHORT_PAUSE, self._failed_at):
            try:
                self._keys = await self._fetch()
            except (OSError, ValueError, RecursionError) as error:  # TimeoutError and urllib's are OSErrors
                self._failed_at = self._clock()
                logger.warning("the keys of %s cannot be fetched: %s", self._issuer, _reason(error))
            else:
                self._fetched_at = self._clock()
                return
        if not has_keys:
            raise IssuerUnavailableError

    async def _fetch(self) -> dict[str | None, dict[str, Any]]:
        left = remaining()
        async with asyncio.timeout(TIMEOUT if left is None else min(TIMEOUT, left)):
            document = await _get_json(self._url or await self._discover())
        keys = [key for key in _list(document, "keys") if _verifies(key)]
        if not keys:
            raise ValueError("the document holds no public key for signatures")
        return {key.get("kid"): key for key in keys}

    async def _discover(self) -> str:
        """Return where the keys are (OpenID Connect Discovery 1.0, section 4)."""
        base = self._issuer.rstrip("/")
        if base.endswith("/auth/v1"):  # Supabase Auth, wherever it is hosted
            return f"{base}/.well-known/jwks.json"
        document = await _get_json(f"{base}/.well-known/openid-configuration")
        if document.get("issuer") != self._issuer:
            raise ValueError("the discovery document is another issuer's")
        return require_secure(str(document.get("jwks_uri")))


def _list(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = document.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _verifies(key: dict[str, Any]) -> bool:
    """Tell whether a JWK is a public key for signatures; a shared secret (`oct`) does not belong here."""
    operations = key.get("key_ops")
    return (
        key.get("kty") in ("EC", "RSA", "OKP")
        and key.get("use", "sig") == "sig"
        and (not isinstance(operations, list) or "verify" in operations)
        and isinstance(key.get("kid"), str | None)
    )


def _usable(key: dict[str, Any], algorithm: str) -> PyJWK | None:
    """Return the key for an algorithm that it is for, by its `alg` or else by its type and curve."""
    from jwt import PyJWK  # noqa: PLC0415  paid by those who need it
    from jwt.exceptions import PyJWTError  # noqa: PLC0415

    curve = _CURVES.get(algorithm)
    if key.get("alg", algorithm) != algorithm or (curve and key.get("crv") != curve):
        return None
    try:
        return PyJWK(key, algorithm)
    except PyJWTError:
        return None


async def _get_json(url: str) -> dict[str, Any]:
    document = json.loads(await asyncio.to_thread(_get, url))
    if not isinstance(document, dict):
        raise ValueError("the document is no JSON object")  # noqa: TRY004  one of many things wrong with it
    return document


def _get(url: str) -> bytes:
    """Read a document, in a thread: it ends, at the latest, a little after its caller gave up.

    Raises:
        OSError: Nobody answered, not in time, or not in HTTP.
        ValueError: The document is too large.
    """
    from http.client import HTTPException  # noqa: PLC0415  as follows
    from urllib.request import HTTPRedirectHandler, Request, build_opener  # noqa: PLC0415  40 ms

    class NoRedirects(HTTPRedirectHandler):
        """What was configured is asked, and nobody else."""

        def redirect_request(self, *_: Any) -> None:
            return None

    end = time.monotonic() + TIMEOUT
    body = b""
    request = Request(url, headers={"Accept": "application/json"})  # noqa: S310  https, or this machine
    try:
        with build_opener(NoRedirects).open(request, timeout=TIMEOUT) as response:
            while chunk := response.read1(_MAX_BYTES):
                body += chunk
                if len(body) > _MAX_BYTES:
                    raise ValueError(f"the document is larger than {_MAX_BYTES} bytes")
                if time.monotonic() > end:
                    raise TimeoutError
    except HTTPException as error:
        raise OSError(f"the answer is no HTTP: {type(error).__name__}") from error
    return body


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
