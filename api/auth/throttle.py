"""How often passwords may be guessed: counted in the database, because a Lambda has many environments.

An attempt is counted, and the count committed, before the password is looked at: parallel guesses
cannot slip through between looking and counting, and a rejected request cannot roll its count back.
A right password takes its attempt back. An attacker can therefore lock an account for a window; that
is the price of a limit that many addresses together cannot pass.
"""

from __future__ import annotations

import hmac
import ipaddress
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Final, NamedTuple

from api.auth import repository
from api.settings import get_settings
from api.web.problems import TooManyRequestsError

if TYPE_CHECKING:
    from api.database.session import WriteSession

#: A window starts with its first attempt and does not move; OWASP's advice is 3 to 5 per account.
WINDOW: Final = timedelta(minutes=15)
ACCOUNT_LIMIT: Final = 5
#: More than for an account: offices and mobile networks share an address.
ADDRESS_LIMIT: Final = 30
#: Who has one IPv6 address usually has the 2**64 of its network (RFC 6177).
_IPV6_PREFIX: Final = 64


class TooManyAttemptsError(TooManyRequestsError):
    """Too many passwords were tried for this account or from this address."""

    code = "TOO_MANY_ATTEMPTS"


class Keys(NamedTuple):
    """What an attempt is counted under."""

    account: bytes
    address: bytes | None


def keys_of(email: str, address: str | None) -> Keys:
    """Return the keys of an attempt; the address is Lambda's `sourceIp`, or unknown."""
    network = _network_of(address)
    return Keys(_key("account", email.lower()), _key("address", network) if network else None)


async def count_attempt(session: WriteSession, keys: Keys) -> int | None:
    """Count an attempt, and return the seconds until the next is allowed; `None` when this one is.

    The caller commits before it acts on the answer.
    """
    limits = {keys.account: ACCOUNT_LIMIT}
    if keys.address:
        limits[keys.address] = ADDRESS_LIMIT
    counted = await repository.count_attempt(session, sorted(limits), WINDOW)
    waits = [left for key, count, left in counted if count > limits[key]]
    return max(1, ceil(max(waits))) if waits else None


async def forgive(session: WriteSession, keys: Keys) -> None:
    """Clear the account and take this one attempt back from the address."""
    await repository.forgive_attempts(session, keys.account, keys.address)
    await repository.delete_old_attempts(session, WINDOW)


def refusal(wait: int) -> TooManyAttemptsError:
    """Return the error that tells a client to come back in `wait` seconds."""
    return TooManyAttemptsError("Too many attempts; try again later.", retry_after=wait)


def _network_of(address: str | None) -> str | None:
    """Return an IPv4 address or an IPv6 network."""
    # A load balancer appends whom it saw to what the client claimed.
    last = (address or "").rpartition(",")[2].strip()
    try:
        parsed = ipaddress.ip_address(last)
    except ValueError:
        return None
    if parsed.version == 4:  # noqa: PLR2004  IPv4
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _IPV6_PREFIX), strict=False))


def _key(kind: str, value: str) -> bytes:
    secret = get_settings().auth_secret.get_secret_value().encode()
    return hmac.digest(secret, f"{kind}:{value}".encode(), "sha256")
