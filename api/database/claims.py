"""What the database is told about who is asking: JSON in hex, a setting that rides on `BEGIN`.

In hex because that message takes no parameters: no claim, whatever is in it, can be more than a value.
It ends with the transaction.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The setting that policies read, by way of the functions of the revision `row_level_security`.
SETTING: Final = "bough.claims"
#: Bytes of JSON: more than API Gateway's limit of 10,240 bytes of headers leaves for a token's claims.
MAX_BYTES: Final = 8192

#: A NUL as JSON spells it: not where the backslash is one that was escaped itself.
_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class ClaimsError(ValueError):
    """The claims are too large, or hold what PostgreSQL's `jsonb` cannot."""


def encode(claims: Mapping[str, Any]) -> str:
    """Return claims as the setting's value.

    Raises:
        ClaimsError: They take more than `MAX_BYTES`, or hold a NUL, half a character or an infinity.
    """
    try:
        text = json.dumps(claims, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        encoded = text.encode()
    except (ValueError, RecursionError):
        raise ClaimsError("the claims hold a value that PostgreSQL cannot") from None
    if _NUL.search(text):
        raise ClaimsError("the claims hold a NUL, which PostgreSQL cannot")
    if len(encoded) > MAX_BYTES:
        raise ClaimsError(f"the claims take {len(encoded)} bytes, more than {MAX_BYTES}")
    return encoded.hex()
