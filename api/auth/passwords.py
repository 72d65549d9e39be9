"""Passwords: what is accepted, and Argon2id with the parameters of RFC 9106 section 4 (low memory).

Hashing blocks for some tenths of a second of CPU: an execution environment serves one request at a
time, so nobody else waits. Argon2 is imported when first needed: most requests never hash.
"""

from __future__ import annotations

import unicodedata
from base64 import b64encode
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, Field, SecretStr

if TYPE_CHECKING:
    from pwdlib import PasswordHash

#: RFC 9106 section 4, the second recommended option: 3 passes over 64 MiB in 4 lanes.
_PASSES: Final = 3
_MEMORY_KIB: Final = 65536
_LANES: Final = 4
_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32

#: NIST SP 800-63B section 5.1.1.2 asks for length, not for kinds of characters. The upper bound
#: is what a request may make the server hash: all of it counts, and next to Argon2's own work it is nothing.
MIN_LENGTH: Final = 12
MAX_LENGTH: Final = 128


def _refuse_half_characters(value: SecretStr) -> SecretStr:
    """Refuse lone surrogates, which JSON can spell and no encoding can carry to the hash."""
    if any("\ud800" <= character <= "\udfff" for character in value.get_secret_value()):
        message = "is not valid Unicode"
        raise ValueError(message)
    return value


_EXAMPLE: Final = "correct horse battery staple"
#: A password to check: the rules of its day are not ours to judge, its size is.
GivenPassword = Annotated[
    SecretStr,
    Field(min_length=1, max_length=MAX_LENGTH, examples=[_EXAMPLE]),
    AfterValidator(_refuse_half_characters),
]
NewPassword = Annotated[
    SecretStr,
    Field(
        min_length=MIN_LENGTH,
        max_length=MAX_LENGTH,
        description=f"At least {MIN_LENGTH} characters, of any kind.",
        examples=[_EXAMPLE],
    ),
    AfterValidator(_refuse_half_characters),
]


def hash_password(password: str) -> str:
    """Return an encoded hash: parameters, salt and digest."""
    return _hasher().hash(_normalised(password))


def verify_password(password: str, hashed: str | None) -> tuple[bool, str | None]:
    """Return whether the password fits, and a new hash where the stored one has other parameters.

    Args:
        password: As the user typed it.
        hashed: What is stored; `None` for an unknown user, which takes as long and never fits.
    """
    fits, renewed = _hasher().verify_and_update(_normalised(password), hashed or unknown_user_hash())
    return fits and hashed is not None, renewed


def unknown_user_hash() -> str:
    """Return a hash that no password has, as costly to verify as a real one."""
    salt, digest = (b64encode(bytes(size)).decode().rstrip("=") for size in (_SALT_BYTES, _HASH_BYTES))
    return f"$argon2id$v=19$m={_MEMORY_KIB},t={_PASSES},p={_LANES}${salt}${digest}"


@lru_cache(maxsize=1)
def _hasher() -> PasswordHash:
    from pwdlib import PasswordHash  # noqa: PLC0415  about 15 ms of every cold start otherwise
    from pwdlib.hashers.argon2 import Argon2Hasher  # noqa: PLC0415

    return PasswordHash((Argon2Hasher(_PASSES, _MEMORY_KIB, _LANES, _HASH_BYTES, _SALT_BYTES),))


def _normalised(password: str) -> str:
    """Return the same text for the same keys: systems compose accents differently (NIST, ibid.)."""
    return unicodedata.normalize("NFKC", password)
