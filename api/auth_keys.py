"""The keys that sign access tokens; a part of `api.settings`.

`AUTH_SECRET` is one key, or while keys change several, the newest first:
`{"keys": [{"key": "…", "signs_from": 1760000000}, {"key": "…"}]}`. A new key signs once every environment has
read it, and the one before it is good until what it has signed has expired: no token is refused.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Final

#: Characters; RFC 7518 section 3.2: a key of HS256 has at least 256 bits.
MIN_LENGTH: Final = 32
_PLACEHOLDERS: Final = ("changeme", "changethis", "yoursecret", "placeholder")


@dataclass(frozen=True, slots=True)
class AuthKey:
    """One key.

    Args:
        key: For HS256.
        signs_from: When it begins to sign, in seconds since 1970; what was before is the one after it.
    """

    key: str = field(repr=False)
    signs_from: float = 0.0


def read_auth_keys(text: str) -> tuple[AuthKey, ...]:
    """Return the keys that the text of `AUTH_SECRET` holds.

    Raises:
        ValueError: It begins like several keys, and cannot be read; the message quotes nothing of it.
    """
    if not text.startswith('{"keys"'):
        return (AuthKey(text),)
    try:
        keys = tuple(
            AuthKey(str(each["key"]), float(each.get("signs_from", 0))) for each in json.loads(text)["keys"]
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        keys = ()
    if not keys:
        raise ValueError('is no list of keys such as {"keys": [{"key": "…", "signs_from": 1760000000}]}')
    return keys


def refuse_weak_key(text: str) -> None:
    """Refuse a key that is too short, or that nobody has made for the purpose.

    Raises:
        ValueError: The message goes on after the variable's name, and quotes nothing of the key.
    """
    plain = "".join(filter(str.isalpha, text.lower()))
    if len(text) < MIN_LENGTH:
        message = f"needs at least {MIN_LENGTH} characters; make one with: openssl rand -hex 32"
        raise ValueError(message)
    if len(set(text)) < 8 or any(word in plain for word in _PLACEHOLDERS):  # noqa: PLR2004  any random key has more
        message = "is a placeholder; make a secret with: openssl rand -hex 32"
        raise ValueError(message)


def signing_key(keys: tuple[AuthKey, ...], now: float) -> str:
    """Return the newest key that signs already, else the oldest."""
    return next((each.key for each in keys if each.signs_from <= now), keys[-1].key)


def accepted_keys(keys: tuple[AuthKey, ...], now: float, life: float) -> list[str]:
    """Return the keys whose tokens are good.

    Args:
        keys: The newest first.
        now: Seconds since 1970.
        life: Seconds that a token is good for.
    """
    return [
        keys[0].key,
        *(older.key for newer, older in itertools.pairwise(keys) if now <= newer.signs_from + life),
    ]
